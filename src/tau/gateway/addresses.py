"""Where requests come from, and which proxies are believed about that."""

import ipaddress
from collections.abc import Sequence

from starlette.requests import Request

from tau.errors import UsageError

_HEADER = "x-forwarded-for"


class Networks:
    """Addresses and networks of trusted proxies."""

    def __init__(self, texts: Sequence[str] = ()) -> None:
        """Parse `10.0.0.0/8`, `::1` and the like.

        Raises:
            UsageError: one is neither an address nor a network.
        """
        try:
            self._networks = [ipaddress.ip_network(text.strip(), strict=False) for text in texts]
        except ValueError as error:
            raise UsageError(
                "a trusted proxy is named by its address", why=str(error),
                fix="write --trusted-proxy 10.0.0.7 or --trusted-proxy 10.0.0.0/8",
            ) from error  # fmt: skip

    def __contains__(self, text: str) -> bool:
        try:
            found = ipaddress.ip_address(text)
        except ValueError:
            return False
        mapped = getattr(found, "ipv4_mapped", None) or found
        return any(mapped in network for network in self._networks)


def address_of(request: Request, trusted: Networks) -> str:
    """Where a request comes from: the socket's peer, or what a trusted proxy says of its own.

    Proxies add the address that they see at the end; the last one that is no trusted proxy counts,
    whatever a client has written before it.
    """
    peer = request.client.host if request.client else "unknown"
    if peer not in trusted:
        return peer
    given = ",".join(request.headers.getlist(_HEADER))
    for hop in reversed([part.strip() for part in given.split(",") if part.strip()]):
        try:
            ipaddress.ip_address(hop)
        except ValueError:
            return peer
        if hop not in trusted:
            return hop
    return peer

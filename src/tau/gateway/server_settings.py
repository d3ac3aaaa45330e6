"""How a gateway is set up, and which set-ups are refused before anything listens."""

import ipaddress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from tau.errors import UsageError
from tau.gateway.addresses import Networks
from tau.lifecycle.authorization import PolicyFile
from tau.lifecycle.paths import StateDir
from tau.stores.location import shown

_SHORTEST_SECRET = 12


class AuthMode(StrEnum):
    """Who is let in: a bearer token, a password that gives one, or anybody on this machine."""

    TOKEN = "token"
    PASSWORD_SESSION = "password-session"
    LOCALHOST_DEV = "localhost-dev"


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """One gateway. `principal` is who its clients act as, for authorization and audit.

    `requests_per_minute` bounds each principal, apart for looking, for previews of controls and
    for controls; `failures_per_minute` the wrong secrets from one address, `strangers_per_minute`
    all its requests that nobody vouches for. `tokens` is a file with tokens of other principals.
    """

    store: str = field(repr=False)
    state_dir: StateDir
    policy: PolicyFile
    principal: str
    host: str = "127.0.0.1"
    port: int = 8787
    auth: AuthMode = AuthMode.TOKEN
    token: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    tokens: Path | None = None
    tls: tuple[Path, Path] | None = None
    trusted_proxies: Networks = field(default_factory=Networks)
    read_only: bool = False
    allowed_hosts: tuple[str, ...] = ()
    requests_per_minute: int = 120
    failures_per_minute: int = 10
    strangers_per_minute: int = 240

    @property
    def store_shown(self) -> str:
        """The store's location as people may see it: without a password."""
        return shown(self.store)

    @property
    def in_the_clear(self) -> bool:
        """Whether secrets would cross a network as they are."""
        return self.tls is None and not is_loopback(self.host)

    def __post_init__(self) -> None:
        """Refuse what would be open to strangers.

        Raises:
            UsageError: says what is missing.
        """
        if self.auth is AuthMode.LOCALHOST_DEV and not is_loopback(self.host):
            raise UsageError(
                f"the gateway does not listen on '{self.host}' without authentication",
                why="auth mode localhost-dev lets everybody in who can reach it",
                fix="use --auth token or password-session, or bind a loopback address",
            )
        if self.auth is AuthMode.PASSWORD_SESSION and not self.password:
            raise UsageError(
                "auth mode password-session needs a password",
                fix="set TAU_GATEWAY_PASSWORD or give --password-file",
            )
        for name, secret in (("token", self.token), ("password", self.password)):
            if secret is not None and len(secret) < _SHORTEST_SECRET:
                raise UsageError(
                    f"the gateway's {name} is too short",
                    why=f"it must have at least {_SHORTEST_SECRET} characters",
                )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def parse_bind(text: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`, `:PORT` or `[::1]:PORT`; port 0 picks a free one.

    Raises:
        UsageError: it is neither.
    """
    host, separator, port = text.rpartition(":")
    if not separator or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise UsageError(
            f"'{text}' is no address to listen on", fix="write HOST:PORT, e.g. 127.0.0.1:8787"
        )
    return host.strip("[]") or "127.0.0.1", int(port)

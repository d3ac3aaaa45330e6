"""POSTs to one address on aiohttp's connections.

A session works out for every request what is always the same here: address, headers, cookies, whom
to trust. This does it once, and needs no task to write what is in memory anyway.
"""

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

import aiohttp
from aiohttp import hdrs
from aiohttp.connector import Connection
from multidict import CIMultiDict
from yarl import URL

_DNS_CACHE_S = 300
_UNLIMITED = aiohttp.ClientTimeout()
"""For connecting by itself: the time limit of a call is around all of it."""


class HttpReply(NamedTuple):
    """What came back. A `body` beyond what was allowed was not read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpPoster:
    """Posts bytes to one address over connections that are kept; follows no redirects.

    Make it inside the event loop that will use it.
    """

    def __init__(
        self,
        url: URL,
        headers: Mapping[str, str],
        *,
        proxy: URL | None,
        connections: int,
        largest_body: int,
    ) -> None:
        """Connects to nothing yet; at most `connections` calls are under way at once."""
        self._connector = aiohttp.TCPConnector(limit=connections, ttl_dns_cache=_DNS_CACHE_S)
        self._request = aiohttp.ClientRequest(
            hdrs.METH_POST,
            url,
            headers=CIMultiDict(headers),
            proxy=proxy,
            loop=asyncio.get_running_loop(),
        )
        self._request.headers.popall(hdrs.CONTENT_LENGTH, None)  # each body has its own
        self._largest_body = largest_body
        self._head = b""

    async def post(self, body: bytes, *, timeout_s: float) -> HttpReply:
        """Send `body` and return the answer, whatever its status.

        Raises:
            TimeoutError: `timeout_s` passed, connecting included.
            HttpProcessingError: what answers does not speak HTTP.
            ClientError: no connection, or it broke.
        """
        async with asyncio.timeout(timeout_s):
            connection = await self.connect()
            try:
                reply, whole = await self._exchange(connection, body)
            except BaseException:
                drop(connection)
                raise
        if whole:
            connection.release()
        else:
            drop(connection)
        return reply

    def own_headers(self) -> Mapping[str, str]:
        """What every request has, proxies' headers included; once connected."""
        return self._request.headers

    async def aclose(self) -> None:
        """Close all connections; calls under way fail."""
        await self._connector.close()

    async def connect(self) -> Connection:
        """A connection on which nothing is left of an earlier call."""
        while True:
            connection = await self._connector.connect(self._request, [], _UNLIMITED)
            protocol = connection.protocol
            if protocol is None or not protocol.should_close:
                return connection
            connection.close()  # an answer nobody asked for would be taken for the next one

    async def _exchange(self, connection: Connection, body: bytes) -> tuple[HttpReply, bool]:
        """The answer, and whether nothing is left of it or of the request on the connection."""
        protocol = connection.protocol
        transport = connection.transport
        if protocol is None or transport is None or transport.is_closing():
            raise aiohttp.ServerDisconnectedError
        protocol.set_response_params(read_until_eof=True)
        head = self._head or self._make_head()
        transport.write(b"%b%d\r\n\r\n%b" % (head, len(body), body))
        message, content = await protocol.read()
        while 100 <= message.code < 200 and message.code != 101:
            message, content = await protocol.read()
        answer = await content.readany()
        if not content.at_eof():
            pieces = [answer]
            size = len(answer)
            while size <= self._largest_body and (piece := await content.readany()):
                pieces.append(piece)
                size += len(piece)
            answer = b"".join(pieces)
        whole = content.at_eof() and not transport.get_write_buffer_size()
        return HttpReply(message.code, message.headers, answer), whole

    def _make_head(self) -> bytes:
        """A request up to the number of bytes in its body; once connected, as proxies add to it."""
        request = self._request
        plain_proxy = request.proxy is not None and not request.is_ssl()
        target = str(request.url) if plain_proxy else request.url.raw_path_qs
        lines = [f"{hdrs.METH_POST} {target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in request.headers.items()]
        if any(not line.isprintable() for line in lines):
            raise ValueError("the address or a header has an unprintable character")
        self._head = "\r\n".join([*lines, "Content-Length: "]).encode()
        return self._head


def drop(connection: Connection) -> None:
    """Close it without sending the rest."""
    if connection.transport is not None:
        connection.transport.abort()
    connection.close()

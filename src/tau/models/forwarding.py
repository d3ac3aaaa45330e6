"""A client's own request, passed on to a provider with the run's key; the answer as it comes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, Protocol
from urllib.parse import urlsplit, urlunsplit

import aiohttp
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError

from tau.domain.json import Json
from tau.errors import ModelError, ModelTimeout, RequestRejected
from tau.models.endpoint import Endpoint
from tau.models.posting import HttpPoster, drop
from tau.models.redaction import MASK
from tau.ports.forwarding import ForwardedReply, ForwardedRequest, MeteredBody

CHAT: Final = "/chat/completions"
MESSAGES: Final = "/messages"
_PASSED_ON = ("accept", "content-type", "user-agent")
_PASSED_ON_PREFIXES = ("openai-", "anthropic-", "x-")
_KEPT_BACK = ("x-api-key", "x-forwarded-", "x-real-ip", "openai-organization", "openai-project")
_HOP_BY_HOP = frozenset(
    {
        "connection", "keep-alive", "proxy-authenticate", "proxy-connection", "te", "trailer",
        "transfer-encoding", "upgrade", "content-length", "content-encoding", "set-cookie",
    }
)  # fmt: skip
_MOST_HEADS = 64
_BROKEN = (aiohttp.ClientError, HttpProcessingError, OSError, ValueError)


class ProviderReadings(Protocol):
    """How the model whose provider it is reads errors and bodies."""

    def broken(self, error: Exception) -> ModelError:
        """What the transport raised."""
        ...

    def refusal(self, status: int, headers: Mapping[str, str], body: bytes) -> ModelError:
        """What an answer of failure means."""
        ...

    def reading(self, body: Json) -> MeteredBody:
        """What a body tells of usage and cost."""
        ...


def passed_back(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of an answer that its reader gets: those about the answer, not the connection."""
    return {name: value for name, value in headers.items() if name.lower() not in _HOP_BY_HOP}


class HttpUpstream:
    """Implements `ports.forwarding.Upstream` on a model's own connections."""

    def __init__(
        self,
        target: Endpoint,
        *,
        who: str,
        key_headers: tuple[str, str | None],
        poster: HttpPoster,
        timeout_s: float,
        readings: ProviderReadings,
        passes: Callable[[str], bool] | None = None,
    ) -> None:
        """`key_headers`: where the key stands, and where it stands for Anthropic's messages.

        `passes` says of a header, by its name in small letters, whether it is passed on.
        """
        self._passes = passes or _is_passed_on
        self._target = target
        self._who = who
        self._key_header, self._messages_key_header = key_headers
        self._poster = poster
        self._timeout_s = timeout_s
        self._readings = readings
        self._secrets = [s.encode() for s in target.secrets if len(s) >= 16]
        self._heads: dict[tuple[str, ...], bytes] = {}
        self.refusal = readings.refusal
        self.metered = readings.reading

    def masked(self, data: bytes) -> bytes:
        """`data` without the key."""
        for secret in self._secrets:
            if secret in data:
                data = data.replace(secret, MASK.encode())
        return data

    @asynccontextmanager
    async def open(self, request: ForwardedRequest) -> AsyncIterator[ForwardedReply]:
        """Send it. The time limit holds for the head, then between any two parts of the body."""
        try:
            async with asyncio.timeout(self._timeout_s):
                connection = await self._poster.connect()
                try:
                    reply = await self._sent(connection, request)
                except BaseException:
                    drop(connection)
                    raise
        except TimeoutError:
            raise self._too_late() from None
        except _BROKEN as error:
            raise self._readings.broken(error) from None
        try:
            yield reply
        finally:
            if reply.whole:
                connection.release()
            else:
                drop(connection)

    async def _sent(self, connection: Connection, request: ForwardedRequest) -> "_HttpReply":
        protocol, transport = connection.protocol, connection.transport
        if protocol is None or transport is None or transport.is_closing():
            raise aiohttp.ServerDisconnectedError
        protocol.set_response_params(read_until_eof=True)
        head = self._head(request)
        transport.write(b"%b%d\r\n\r\n%b" % (head, len(request.body), request.body))
        message, content = await protocol.read()
        while 100 <= message.code < 200 and message.code != 101:
            message, content = await protocol.read()
        return _HttpReply(message.code, message.headers, content, transport, self._timeout_s, self)

    def broken(self, error: Exception) -> ModelError:
        """As the model says it."""
        if isinstance(error, TimeoutError):
            return self._too_late()
        return self._readings.broken(error)

    def _too_late(self) -> ModelError:
        return ModelTimeout(
            f"nothing more came from {self._who} within {self._timeout_s:g} s",
            where=self._target.shown,
        )

    def _head(self, request: ForwardedRequest) -> bytes:
        """The request up to the number of bytes in its body; kept, as clients send the same."""
        passed = [
            text
            for name, value in request.headers.items()
            if self._passes(name.lower())
            for text in (name, value)
        ]
        key = (request.path, *passed)
        head = self._heads.get(key)
        if head is None:
            head = self._made_head(request.path, passed)
            if len(self._heads) >= _MOST_HEADS:
                self._heads.clear()
            self._heads[key] = head
        return head

    def _made_head(self, path: str, passed: Sequence[str]) -> bytes:
        parts = urlsplit(self._target.url)
        target = parts.path.removesuffix(CHAT) + path
        proxied = self._target.proxy is not None and parts.scheme == "http"
        query = f"?{parts.query}" if parts.query else ""
        if proxied:
            target = urlunsplit((parts.scheme, parts.netloc, target, "", ""))
        headers = {name.lower(): (name, value) for name, value in _pairs(passed)}
        for name, value in self._poster.own_headers().items():
            if name.lower() == "accept" and "accept" in headers:
                continue
            headers[name.lower()] = (name, value)
        for name in [n for n in headers if n in ("accept-encoding", "content-length")]:
            del headers[name]
        self._place_key(path, headers)
        lines = [f"POST {target}{query} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in headers.values()]
        if any(not line.isprintable() for line in lines):
            raise RequestRejected("a header of the request has an unprintable character")
        return "\r\n".join([*lines, "Content-Length: "]).encode("utf-8")

    def _place_key(self, path: str, headers: dict[str, tuple[str, str]]) -> None:
        name = self._messages_key_header
        usual = headers.get(self._key_header.lower())
        if name is None or usual is None or not path.startswith(MESSAGES):
            return
        del headers[self._key_header.lower()]
        headers[name] = (name, usual[1].removeprefix("Bearer "))


class _HttpReply:
    def __init__(
        self,
        status: int,
        headers: Mapping[str, str],
        content: aiohttp.StreamReader,
        transport: asyncio.Transport,
        timeout_s: float,
        upstream: HttpUpstream,
    ) -> None:
        self.status = status
        self.headers = headers
        self._content = content
        self._transport = transport
        self._timeout_s = timeout_s
        self._upstream = upstream

    @property
    def whole(self) -> bool:
        """Whether nothing is left of it or of the request on the connection."""
        return self._content.at_eof() and not self._transport.get_write_buffer_size()

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it arrives."""
        content = self._content
        try:
            while not content.at_eof():
                async with asyncio.timeout(self._timeout_s):
                    piece = await content.readany()
                if piece:
                    yield piece
        except (TimeoutError, *_BROKEN) as error:
            raise self._upstream.broken(error) from None


def _pairs(flat: Sequence[str]) -> list[tuple[str, str]]:
    return list(zip(flat[::2], flat[1::2], strict=True))


def _is_passed_on(name: str) -> bool:
    if name in _PASSED_ON:
        return True
    return name.startswith(_PASSED_ON_PREFIXES) and not name.startswith(_KEPT_BACK)

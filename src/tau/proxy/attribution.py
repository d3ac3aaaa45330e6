"""The attribution proxy: calls of programs elsewhere, told which rollout they belong to."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import orjson
from aiohttp import web
from yarl import URL

from tau.domain.json import Json
from tau.domain.span import Span
from tau.errors import ConnectionFailed, FileError, ModelError
from tau.files.atomic import append_line
from tau.models.endpoint import Endpoint
from tau.models.forwarding import CHAT, HttpUpstream, passed_back
from tau.models.posting import HttpPoster
from tau.models.usage import metered
from tau.ports.clock import Clock
from tau.ports.forwarding import ForwardedReply, ForwardedRequest, MeteredBody
from tau.proxy.attribution_span import AttributedCall, span_of
from tau.proxy.clients import StreamClient
from tau.proxy.passing import KeptBody

BAD_ATTRIBUTION: Final = "training_proxy_missing_or_invalid_attribution_header"
UPSTREAM_FAILED: Final = "training_proxy_upstream_request_failed"
_HEALTH = "/training/proxy/health"
_PATH = re.compile(
    r"(?:/rollout/(?P<rollout>[^/]+)/attempt/(?P<attempt>[^/]+))?/v1"
    r"(?P<path>/chat/completions|/responses|/embeddings|/messages)"
)
_FORWARDED = frozenset(
    {
        "authorization", "content-type", "openai-organization", "openai-project", "openai-beta",
        "x-request-id", "x-api-key", "anthropic-version", "anthropic-beta",
    }
)  # fmt: skip
_LARGEST_REQUEST = 64 * 1024 * 1024
_MOST_CONNECTIONS = 1_000
_UNSIGNED = re.compile(r"[0-9]{1,20}", re.ASCII)
_MOST_SEQUENCE = 2**64

Keep = Callable[[str, Span], Awaitable[None]]
"""Adds a span to an attempt, if that is under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributionSettings:
    """Where calls go, how long a silence may last, and where they are logged."""

    upstream: Endpoint
    timeout_s: float
    log: Path


class _Rejected(Exception):
    """A request without its attribution; nothing is forwarded."""


class AttributionProxy:
    """Forwards with the caller's own key, and logs every call with its rollout and attempt.

    Make it inside the event loop that will use it.
    """

    def __init__(self, settings: AttributionSettings, clock: Clock, keep: Keep) -> None:
        self._settings = settings
        self._clock = clock
        self._keep = keep
        self._turn = asyncio.Lock()
        self._telling: set[asyncio.Task[None]] = set()
        upstream = settings.upstream
        self._poster = HttpPoster(
            URL(upstream.url, encoded=True),
            {},
            proxy=URL(upstream.proxy) if upstream.proxy else None,
            connections=_MOST_CONNECTIONS,
            largest_body=_LARGEST_REQUEST,
        )
        self._upstream = HttpUpstream(
            upstream,
            who="the upstream",
            key_headers=("Authorization", None),
            poster=self._poster,
            timeout_s=settings.timeout_s,
            readings=_PlainReadings(upstream.shown),
            passes=_FORWARDED.__contains__,
        )

    async def aclose(self) -> None:
        """See every call logged, and close the connections to upstream."""
        if self._telling:
            await asyncio.wait(self._telling)
        await self._poster.aclose()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        path = request.path
        if request.method == "GET" and path == _HEALTH:
            return _json(200, self._health())
        match = _PATH.fullmatch(path)
        if match is None or request.method != "POST":
            return _error(404, "not_found", f"{request.method} {path} is not served here")
        try:
            call = self._attributed(request, match)
        except _Rejected as error:
            return _error(400, BAD_ATTRIBUTION, str(error))
        pieces, size = [], 0
        async for piece in request.content.iter_any():
            pieces.append(piece)
            size += len(piece)
            if size > _LARGEST_REQUEST:
                return _error(413, "request_too_large", f"more than {_LARGEST_REQUEST >> 20} MB")
        call = replace(call, body=b"".join(pieces))
        return await self._forwarded(request, match["path"], call)

    def _health(self) -> Mapping[str, Json]:
        return {
            "schema_version": 1,
            "status": "ready",
            "upstream_chat_completions_url": self._settings.upstream.shown,
            "attribution_log_path": str(self._settings.log),
        }

    def _attributed(self, request: web.BaseRequest, match: re.Match[str]) -> AttributedCall:
        names: dict[str, str] = {}
        for name, in_path in (("rollout", match["rollout"]), ("attempt", match["attempt"])):
            header = request.headers.get(f"x-{name}-id", "").strip()
            given = (in_path or "").strip() or header
            if not given:
                raise _Rejected(f"the header 'x-{name}-id' is missing or blank")
            if header and header != given:
                raise _Rejected(f"'x-{name}-id' differs from the {name} in the URL")
            names[name] = given
        sequence = request.headers.get("x-sequence-id")
        if sequence is not None:
            sequence = sequence.strip()
            if not _UNSIGNED.fullmatch(sequence) or int(sequence) >= _MOST_SEQUENCE:
                raise _Rejected("the header 'x-sequence-id' is not an unsigned integer")
        return AttributedCall(
            rollout=names["rollout"],
            attempt=names["attempt"],
            sequence=None if sequence is None else int(sequence),
            trace=(request.headers.get("x-trace-id") or "").strip() or None,
            path=match["path"],
            url=self._settings.upstream.shown.removesuffix(CHAT) + match["path"],
            started_unix_ms=self._clock.unix_ms(),
        )

    async def _forwarded(
        self, request: web.BaseRequest, path: str, call: AttributedCall
    ) -> web.StreamResponse:
        client, kept = StreamClient(request), KeptBody()
        started = self._clock.monotonic_ms()
        status: int | None = None
        size, code, message = 0, None, None
        try:
            forwarded = ForwardedRequest(path=path, headers=request.headers, body=call.body)
            async with self._upstream.open(forwarded) as reply:
                status = reply.status
                await client.begin(status, _framed(reply))
                async for piece in reply.pieces():
                    await client.write(piece)
                    kept.add(piece)
                    size += len(piece)
                await client.end()
        except ModelError as error:
            code, message = UPSTREAM_FAILED, str(error)
        except asyncio.CancelledError:
            code, message = "client_disconnected", "the client closed its connection"
            raise
        finally:
            ended = replace(
                call, status=status, reply=kept.body(), reply_bytes=size, error_code=code,
                error_message=message, duration_ms=self._clock.monotonic_ms() - started,
            )  # fmt: skip
            telling = asyncio.ensure_future(self._told(ended))
            self._telling.add(telling)
            telling.add_done_callback(self._telling.discard)
            await asyncio.shield(telling)
        if code is not None:
            return client.broken() or _error(502, code, message or code)
        assert client.response is not None
        return client.response

    async def _told(self, call: AttributedCall) -> None:
        """Log the call, and let the attempt have its span. Neither may fail the call."""
        line = orjson.dumps(call.log_line("POST"))
        async with self._turn:
            try:
                await asyncio.to_thread(append_line, self._settings.log, line)
            except FileError as error:
                asyncio.get_running_loop().call_exception_handler({"message": str(error)})
        await self._keep(call.attempt, span_of(call))


class _PlainReadings:
    """Implements `models.forwarding.ProviderReadings` where nothing is known of the provider."""

    def __init__(self, where: str) -> None:
        self._where = where

    def broken(self, error: Exception) -> ModelError:
        return ConnectionFailed(
            "the upstream could not be reached or broke off",
            where=self._where,
            why=type(error).__name__,
        )

    def refusal(self, status: int, headers: Mapping[str, str], body: bytes) -> ModelError:
        return ConnectionFailed(f"the upstream answered {status}", status=status)

    def reading(self, body: Json) -> MeteredBody:
        used = metered(body, produced=True)
        return MeteredBody(usage=used.usage, whole=used.whole, cost_nano_usd=None)


def _framed(reply: ForwardedReply) -> Mapping[str, str]:
    """The head of the answer; its length where that is what will be sent."""
    headers = passed_back(reply.headers)
    length = reply.headers.get("Content-Length")
    if length is not None and "Content-Encoding" not in reply.headers:
        headers["Content-Length"] = length
    return headers


def _error(status: int, code: str, message: str) -> web.Response:
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return _json(status, {"error": {"code": code, "type": kind, "message": message}})


def _json(status: int, value: Mapping[str, Json]) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(value), content_type="application/json")

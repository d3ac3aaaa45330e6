"""A provider that answers byte for byte what it is told, and an endpoint in front of it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Self

import aiohttp
import orjson
from aiohttp import web

from tau.config.environment import overridden
from tau.domain.spend import Spend
from tau.models.endpoint import Settings
from tau.models.openai import OpenAICompatible
from tau.ports.clock import SystemClock
from tau.ports.endpoint import LeaseTerms
from tau.ports.model import Model, ModelContext
from tau.proxy.endpoint import LoopbackEndpoint
from tau.proxy.leases import AttemptLease
from tau.runner.pacing import Pacing, PacingSettings
from tau.runner.recorder import SpanRecorder

KEY = "sk-the-real-key-0123456789"


@dataclass
class Scripted:
    """What is answered next, and what has been asked."""

    status: int = 200
    pieces: Sequence[bytes] = (b"{}",)
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    pause: Callable[[int], asyncio.Event | None] = lambda _: None
    breaks: bool = False
    head: asyncio.Event | None = None
    seen: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    port: int = 0
    broken: int = 0

    async def __aenter__(self) -> Self:
        server = web.Server(self._handle, handler_cancellation=True, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, backlog=4096).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        body = b"".join([piece async for piece in request.content.iter_any()])
        self.seen.append((request.path_qs, dict(request.headers), body))
        headers = {"Content-Type": self.kind, **self.headers}
        response = web.StreamResponse(status=self.status, headers=headers)
        try:
            if self.head is not None:
                await self.head.wait()
            await response.prepare(request)
            for number, piece in enumerate(self.pieces):
                event = self.pause(number)
                if event is not None:
                    await event.wait()
                await response.write(piece)
            if self.breaks:
                assert request.transport is not None
                request.transport.abort()
            await response.write_eof()
        except (asyncio.CancelledError, ConnectionResetError):
            self.broken += 1
            raise
        return response


def model_at(base_url: str, *, provider: str = "openai-compatible", name: str = "m") -> Model:
    environ = {"OPENAI_COMPATIBLE_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY, "OPENAI_API_KEY": KEY}
    context = ModelContext(
        provider=provider, name=name, environ=environ, base_url=base_url, timeout_s=5,
        max_connections=1_000,
    )  # fmt: skip
    return OpenAICompatible.build(Settings(), context)


@dataclass
class Place:
    """One attempt at an endpoint."""

    endpoint: LoopbackEndpoint
    record: SpanRecorder
    lease: AttemptLease
    http: aiohttp.ClientSession

    def post(self, path: str, body: object, **headers: str) -> Any:  # noqa: ANN401
        """A reply, as a context manager."""
        return self.raw(path, orjson.dumps(body), **headers)

    def raw(self, path: str, body: bytes | BytesIO, **headers: str) -> Any:  # noqa: ANN401
        """As `post`, with a body as it is."""
        access = self.lease.access
        given = {"Authorization": f"Bearer {access.api_key}", **headers}
        return self.http.post(f"{access.base_url}{path}", data=body, headers=given)


def recording(calls: int = 100, *, tokens: int = 0) -> SpanRecorder:
    return SpanRecorder(
        clock=SystemClock(),
        pacing=Pacing(PacingSettings(), ceiling=1_000),
        reserved=Spend(rollouts=1, calls=calls, tokens=tokens),
    )


@asynccontextmanager
async def placed(
    model: Model, terms: LeaseTerms | None = None, record: SpanRecorder | None = None
) -> AsyncIterator[Place]:
    """An endpoint of `model` with one attempt under way."""
    record = record or recording()
    endpoint = LoopbackEndpoint(model, clock=SystemClock(), override=overridden)
    unlimited = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=unlimited) as http:
        try:
            with endpoint.lease(record, terms or LeaseTerms(calls=100)) as lease:
                yield Place(endpoint, record, lease, http)
        finally:
            await endpoint.aclose()
            await model.aclose()


@asynccontextmanager
async def standing(
    upstream: Scripted,
    terms: LeaseTerms | None = None,
    record: SpanRecorder | None = None,
    *,
    provider: str = "openai-compatible",
) -> AsyncIterator[Place]:
    """`upstream` at work, and one attempt at an endpoint before it."""
    async with upstream:
        model = model_at(upstream.base_url, provider=provider)
        async with placed(model, terms, record) as place:
            yield place

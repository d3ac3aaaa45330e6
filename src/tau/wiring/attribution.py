"""The attribution proxy with its log and, where there is one, the store it tells."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from aiohttp import web

from tau.domain.ids import AttemptId
from tau.domain.span import Span
from tau.errors import InputError, StoreError
from tau.models.endpoint import open_endpoint
from tau.ports.clock import SystemClock
from tau.ports.store import Store
from tau.proxy.attribution import AttributionProxy, AttributionSettings
from tau.wiring.stores import open_store

LOG: Final = Path("training/proxy-attribution.jsonl")
STORE: Final = Path("training/store.sqlite")
_BACKLOG = 1024
_SHUTDOWN_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributionRequest:
    """What to serve: where to listen, where calls go, where the log and the store are."""

    host: str
    port: int
    upstream_url: str
    state_dir: Path
    timeout_ms: int
    environ: Mapping[str, str] = field(repr=False)


class AttributionListener(Protocol):
    """Who is told; called on the event loop."""

    def listening(self, host: str, port: int, upstream: str, log: Path) -> None:
        """It answers from now on."""
        ...


async def serve_attribution(
    request: AttributionRequest, *, stop: asyncio.Event, listener: AttributionListener
) -> None:
    """Serve until `stop` is set.

    Raises:
        InputError: the upstream is no URL, or the address cannot be listened on.
    """
    upstream = open_endpoint(
        request.upstream_url, "--prompt-optimization-proxy-upstream-url", request.environ
    )
    log = request.state_dir / LOG
    settings = AttributionSettings(upstream=upstream, timeout_s=request.timeout_ms / 1000, log=log)
    async with AsyncExitStack() as closing:
        spans = _StoreSpans(request.state_dir / STORE, closing)
        proxy = AttributionProxy(settings, SystemClock(), spans.keep)
        closing.push_async_callback(proxy.aclose)
        server = web.Server(proxy.handle, handler_cancellation=True, access_log=None)
        runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN_S)
        await runner.setup()
        closing.push_async_callback(runner.cleanup)
        try:
            await web.TCPSite(runner, request.host, request.port, backlog=_BACKLOG).start()
        except OSError as error:
            raise InputError(
                f"cannot listen on {request.host}:{request.port}",
                why=error.strerror or str(error),
                fix="choose another address with --prompt-optimization-proxy-bind",
            ) from error
        listener.listening(request.host, runner.addresses[0][1], upstream.shown, log)
        await stop.wait()


class _StoreSpans:
    """Spans of calls into the attempts they belong to, where these are under way."""

    def __init__(self, path: Path, closing: AsyncExitStack) -> None:
        self._path = path
        self._closing = closing
        self._store: Store | None = None
        self._turn = asyncio.Lock()

    async def keep(self, attempt: str, span: Span) -> None:
        """Add it; an attempt that is not known, or over, gets none."""
        try:
            store = await self._opened()
            if store is not None:
                spans: Sequence[Span] = [span]
                await store.work.append_spans(AttemptId(attempt), spans)
        except StoreError:
            return  # the log has the call

    async def _opened(self) -> Store | None:
        """The store once a run has made it."""
        async with self._turn:
            if self._store is None and await asyncio.to_thread(self._path.exists):
                self._store = await self._closing.enter_async_context(
                    await open_store(str(self._path))
                )
            return self._store

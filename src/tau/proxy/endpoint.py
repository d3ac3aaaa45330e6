"""The loopback endpoint inside a worker: any client library, each attempt with its own key."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

from tau.errors import ExecutorFailed
from tau.ports.clock import Clock
from tau.ports.endpoint import EndpointAccess, LeaseTerms
from tau.ports.model import Model
from tau.ports.record import Recorder
from tau.proxy.leases import AttemptLease, Leases, Override
from tau.proxy.serving import AgentCalls

_HOST = "127.0.0.1"
_BACKLOG = 4096
_SHUTDOWN_S = 0.5


class LoopbackEndpoint:
    """Implements `ports.endpoint.AgentEndpoint` for one model; listens once somebody asks where.

    Make it inside the event loop that will use it.
    """

    def __init__(self, model: Model, *, clock: Clock, override: Override) -> None:
        """`override` sets environment variables of this process for a while."""
        self._model = model
        self._override = override
        self._leases = Leases()
        self._calls = AgentCalls(model, self._leases, clock)
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._runner: web.ServerRunner | None = None
        self._starting: asyncio.Task[None] | None = None

    @contextmanager
    def lease(self, record: Recorder, terms: LeaseTerms) -> Iterator[AttemptLease]:
        """Leave to call for as long as the block lasts."""
        lease = AttemptLease(record, terms, access=self._access, override=self._override)
        with self._leases.held(lease):
            yield lease

    @property
    def complaint(self) -> str | None:
        """What is to be told of attempts that should have called and did not."""
        silent, spoke = self._leases.silent, self._leases.spoke
        if not silent:
            return None
        whose = "any attempt" if not spoke else f"{silent:,} of {silent + spoke:,} attempts"
        return (
            f"no call was seen from {whose}: does the agent read OPENAI_BASE_URL or "
            "ANTHROPIC_BASE_URL? Calls past the endpoint are neither counted nor recorded"
        )

    async def aclose(self) -> None:
        """Stop listening; what is under way is broken off."""
        if self._starting is not None:
            await asyncio.wait([self._starting])
        if self._runner is not None:
            await self._runner.cleanup()
        if self._socket is not None:
            self._socket.close()

    def _access(self, name: str, key: str) -> EndpointAccess:
        port = self._listening()
        return EndpointAccess(
            base_url=f"http://{_HOST}:{port}/attempt/{name}/v1",
            api_key=key,
            model=self._calls.name,
        )

    def _listening(self) -> int:
        """The port; whoever connects before the server has started waits in the queue."""
        with self._lock:
            if self._socket is None:
                self._socket = _listen()
                self._loop.call_soon_threadsafe(self._start)
            port: int = self._socket.getsockname()[1]
            return port

    def _start(self) -> None:
        self._starting = asyncio.ensure_future(self._serve())

    async def _serve(self) -> None:
        assert self._socket is not None
        server = web.Server(self._calls.handle, handler_cancellation=True, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN_S)
        await self._runner.setup()
        await web.SockSite(self._runner, self._socket, backlog=_BACKLOG).start()


def _listen() -> socket.socket:
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((_HOST, 0))
        found.listen(_BACKLOG)
        found.setblocking(False)
    except OSError as error:
        with contextlib.suppress(OSError):
            found.close()
        raise ExecutorFailed(
            "the endpoint for agents cannot listen on 127.0.0.1", why=str(error)
        ) from error
    return found

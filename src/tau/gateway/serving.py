"""Listening: one uvicorn server that ends when it is told to."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import uvicorn

from tau.errors import InputError
from tau.gateway.application import build
from tau.gateway.context import Gateway
from tau.gateway.settings import AuthMode, GatewaySettings

_GRACE_S = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """A gateway that listens. `link` opens one browser session, once."""

    url: str
    gateway: Gateway

    def link(self) -> str:
        """An address that logs a browser in; without a need for it, the plain one."""
        if self.gateway.settings.auth is not AuthMode.TOKEN:
            return f"{self.url}/"
        return f"{self.url}/login?link={self.gateway.credentials.login_link()}"


@asynccontextmanager
async def serving(settings: GatewaySettings) -> AsyncIterator[Serving]:
    """Listen until the block is left.

    Raises:
        InputError: the address cannot be listened on.
    """
    app = build(settings)
    gateway: Gateway = app.state.gateway
    listening = _listen(settings)
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=20,
        timeout_graceful_shutdown=_GRACE_S,
        limit_concurrency=None,
        h11_max_incomplete_event_size=None,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listening]), name="gateway-server")
    try:
        await server.ready.wait()
        yield Serving(url=_url(settings, listening), gateway=gateway)
    finally:
        await gateway.hub.finish()
        server.should_exit = True
        await task
        listening.close()


class _Server(uvicorn.Server):
    """Leaves signals to whoever runs it."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing is captured."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Tell when connections are taken."""
        await super().startup(sockets)
        self.ready.set()


def _listen(settings: GatewaySettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
        listening.listen(2048)
    except OSError as error:
        listening.close()
        raise InputError(
            f"cannot listen on {settings.host}:{settings.port}",
            why=error.strerror or str(error),
            fix="choose another address with --bind HOST:PORT; port 0 picks a free one",
        ) from error
    listening.setblocking(False)
    return listening


def _url(settings: GatewaySettings, listening: socket.socket) -> str:
    port = listening.getsockname()[1]
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    return f"http://{host}:{port}"

"""Listening: one uvicorn server that ends when it is told to."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import uvicorn

from tau.errors import InputError
from tau.gateway.application import build
from tau.gateway.connections import Connections, SparingLog, bounded, limits_here
from tau.gateway.context import Gateway
from tau.gateway.server_settings import AuthMode, GatewaySettings

_GRACE_S = 2
_HANDSHAKE_S = 5.0
_WAITING = 1024
_LOGS = ("uvicorn.error", "asyncio")


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
    connections = Connections(limits_here(), settings.trusted_proxies)
    certificate, key = settings.tls or (None, None)
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http=bounded(connections),
        ssl_certfile=certificate,
        ssl_keyfile=key,
        backlog=connections.limits.backlog,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=20,
        timeout_graceful_shutdown=_GRACE_S,
        limit_concurrency=None,
    )
    _check_certificate(config, settings)
    server = _Server(config)
    sparing = SparingLog()
    for name in _LOGS:
        logging.getLogger(name).addFilter(sparing)
    task = asyncio.create_task(server.serve(sockets=[listening]), name="gateway-server")
    try:
        await server.ready.wait()
        yield Serving(url=_url(settings, listening), gateway=gateway)
    finally:
        await gateway.hub.finish()
        server.should_exit = True
        await task
        listening.close()
        for name in _LOGS:
            logging.getLogger(name).removeFilter(sparing)


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
        """Listen, and tell when connections are taken; nobody may dawdle over a handshake."""
        await super().startup([])
        config = self.config

        def connected() -> asyncio.Protocol:
            made: asyncio.Protocol = config.http_protocol_class(  # type: ignore[call-arg]
                config=config, server_state=self.server_state, app_state=self.lifespan.state
            )
            return made

        for one in sockets or ():
            self.servers.append(
                await asyncio.get_running_loop().create_server(
                    connected,
                    sock=one,
                    ssl=config.ssl,
                    backlog=config.backlog,
                    ssl_handshake_timeout=_HANDSHAKE_S if config.ssl else None,
                )
            )
            one.listen(_WAITING)  # as many may wait; only a few are taken in at a time
        self.ready.set()


def _listen(settings: GatewaySettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
    except OSError as error:
        listening.close()
        raise InputError(
            f"cannot listen on {settings.host}:{settings.port}",
            why=error.strerror or str(error),
            fix="choose another address with --bind HOST:PORT; port 0 picks a free one",
        ) from error
    listening.setblocking(False)
    return listening


def _check_certificate(config: uvicorn.Config, settings: GatewaySettings) -> None:
    """Load the certificate before anything listens.

    Raises:
        InputError: it, or its key, cannot be used.
    """
    if settings.tls is None:
        return
    try:
        config.load()
    except OSError as error:  # what ssl raises is one, too
        raise InputError(
            "the certificate or its key cannot be used",
            where=", ".join(map(str, settings.tls)),
            why=error.strerror or str(error),
            fix="give PEM files that belong together: --tls-cert and --tls-key",
        ) from error


def _url(settings: GatewaySettings, listening: socket.socket) -> str:
    port = listening.getsockname()[1]
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    return f"{'https' if settings.tls else 'http'}://{host}:{port}"

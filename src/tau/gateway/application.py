"""The gateway as one ASGI application."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from tau import __version__
from tau.errors import TauError
from tau.gateway import api, contract, monitoring
from tau.gateway.access import AccessWatch
from tau.gateway.admission import Authenticator
from tau.gateway.answers import Refused, error_answer, refusal
from tau.gateway.context import Gateway
from tau.gateway.credentials import Credentials
from tau.gateway.guard import HostGuard
from tau.gateway.pages.routes import missing, page_routes
from tau.gateway.server_settings import GatewaySettings
from tau.gateway.static_files import serve
from tau.gateway.stream import Hub
from tau.gateway.watch import SnapshotWatch
from tau.gateway.window import StoreWindow
from tau.lifecycle.authorization import Authorizer
from tau.ports.clock import Clock, SystemClock


def build(settings: GatewaySettings, *, clock: Clock | None = None) -> FastAPI:
    """The application; it opens the store when somebody asks, and closes it at its end."""
    gateway = assemble(settings, clock or SystemClock())
    app = _Guarded(
        (settings.host, *settings.allowed_hosts),
        title="Tau gateway",
        version=__version__,
        description="What a store holds and how its run is; controls for those who may.",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=_lifespan,
        redirect_slashes=False,
    )
    app.state.gateway = gateway
    app.include_router(contract.router)
    stream = Route("/dashboard/stream", contract.stream, methods=["GET"], name="dashboard_stream")
    app.router.routes.append(stream)
    app.include_router(api.router)
    app.include_router(monitoring.router)
    app.router.routes.append(Route("/static/{name:path}", serve, methods=["GET"], name="static"))
    app.router.routes += [page.route() for page in page_routes()]
    app.state.directory = [
        *contract.router.routes,
        stream,
        *api.router.routes,
        *monitoring.router.routes,
    ]
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(TauError, _failed)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=5)
    return app


class _Guarded(FastAPI):
    """An application whose every answer passes the guard, those to unexpected errors too."""

    def __init__(self, hosts: Sequence[str], **named: Any) -> None:  # noqa: ANN401  (FastAPI's own)
        self._hosts = hosts
        super().__init__(**named)

    def build_middleware_stack(self) -> ASGIApp:
        """The guard around all of it."""
        return HostGuard(super().build_middleware_stack(), hosts=self._hosts)


def assemble(settings: GatewaySettings, clock: Clock) -> Gateway:
    """The parts of a gateway."""
    window = StoreWindow(settings.store, clock)
    credentials = Credentials(settings, clock)
    authorizer = Authorizer(settings.policy)
    access = AccessWatch(authorizer, window, clock)
    return Gateway(
        settings=settings,
        clock=clock,
        window=window,
        watch=SnapshotWatch(window, settings.state_dir, clock),
        credentials=credentials,
        authenticator=Authenticator(settings, credentials, access, clock),
        authorizer=authorizer,
        access=access,
        hub=Hub(),
    )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    gateway: Gateway = app.state.gateway
    try:
        yield
    finally:
        gateway.hub.close()
        await gateway.watch.aclose()
        await gateway.window.aclose()


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return error_answer(error)


async def _failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, TauError)
    return error_answer(refusal(error))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}
    message = {404: "there is nothing here", 405: "this route does not take that method"}
    status = error.status_code
    if status == 404 and "text/html" in request.headers.get("accept", ""):
        return await missing(request, error)
    refused = Refused(
        status, code.get(status, "invalid_request"), message.get(status, str(error.detail))
    )
    answer = error_answer(refused)
    answer.headers.update(error.headers or {})
    return answer


async def _unexpected(request: Request, error: Exception) -> Response:
    kind = type(error).__name__
    return error_answer(Refused(500, "internal_error", f"a defect of Tau ({kind}); see its log"))

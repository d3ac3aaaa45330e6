"""The dashboard's routes: each page once as a whole, and those that live once as a stream."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from tau.domain.condition import Condition
from tau.domain.run import RunStatus
from tau.errors import TauError
from tau.gateway.admission import Permission
from tau.gateway.alerts import alerts as alerts_of
from tau.gateway.alerts import shown_state
from tau.gateway.answers import Refused, refusal
from tau.gateway.context import Gateway, gateway_of
from tau.gateway.contract import still_welcome
from tau.gateway.credentials import Identity
from tau.gateway.pages import actions, candidates, ledgers, matrix, overview, rollout, run, work
from tau.gateway.pages.parts import encode, split, whole
from tau.gateway.pages.rendering import Page, render
from tau.gateway.stream import Channel, Parts, compressed
from tau.gateway.watch import Snapshot

View: TypeAlias = Callable[[Gateway, Request], Awaitable[Page]]
Deed: TypeAlias = Callable[[Gateway, Request, Identity], Awaitable[Page | Response]]

_PERIOD_S = 1.0
_MOST_RUNNING = 50
_EVENT_ID = re.compile(r"page-(?P<number>[0-9]{1,18})$")

VIEWS: dict[str, View] = {
    "/": overview.overview,
    "/runs/{run}": run.run_page,
    "/runs/{run}/candidates": candidates.candidates,
    "/runs/{run}/matrix": matrix.matrix,
    "/runs/{run}/rollouts": rollout.rollouts,
    "/runs/{run}/queue": work.queue,
    "/runs/{run}/cost": work.cost,
    "/rollouts/{rollout}": rollout.rollout,
    "/alerts": ledgers.alerts,
    "/audit": ledgers.audit,
    "/prompts": ledgers.prompts,
    "/prompts/{number}": ledgers.prompt,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRoute:
    """A route with what it asks of its caller; the tests go through all of them."""

    path: str
    method: str
    permission: Permission
    endpoint: Callable[[Request], Awaitable[Response]]

    def route(self) -> Route:
        """For the application."""
        name = f"{self.method.lower()} {self.path}"
        return Route(self.path, self.endpoint, methods=[self.method], name=name)


def page_routes() -> list[PageRoute]:
    """Every page, stream and form."""
    found = [
        PageRoute(path="/login", method="GET", permission=Permission.PUBLIC, endpoint=_login),
        PageRoute(path="/login", method="POST", permission=Permission.PUBLIC, endpoint=_log_in),
    ]
    for path, view in VIEWS.items():
        found.append(_reading(path, _whole(view)))
        found.append(_reading("/live" + path, _live(view)))
    for path, method, deed, permission in (
        ("/controls/{action}", "GET", actions.control_page, Permission.READ),
        ("/controls/{action}", "POST", actions.control_done, Permission.ACT),
        ("/promote/{number}", "GET", actions.promotion_page, Permission.READ),
        ("/promote/{number}", "POST", actions.promoted, Permission.ACT),
        ("/logout", "POST", actions.log_out, Permission.ACT),
    ):
        found.append(
            PageRoute(
                path=path, method=method, permission=permission, endpoint=_doing(deed, permission)
            )
        )
    return found


def _reading(path: str, endpoint: Callable[[Request], Awaitable[Response]]) -> PageRoute:
    return PageRoute(path=path, method="GET", permission=Permission.READ, endpoint=endpoint)


def _whole(view: View) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        gateway = gateway_of(request)
        caller = await gateway.authenticator.admit(request, Permission.READ)
        return await document(gateway, request, await view(gateway, request), caller)

    return _for_people(endpoint)


def _doing(deed: Deed, permission: Permission) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        gateway = gateway_of(request)
        caller = await gateway.authenticator.admit(request, permission)
        found = await deed(gateway, request, caller)
        if isinstance(found, Page):
            return await document(gateway, request, found, caller)
        return found

    return _for_people(endpoint)


def _live(view: View) -> Callable[[Request], Awaitable[Response]]:
    """The page's own part, again whenever it has changed; one reader for all who look at it."""

    async def endpoint(request: Request) -> Response:
        gateway = gateway_of(request)
        await gateway.authenticator.admit(request, Permission.READ)
        await view(gateway, request)  # an unknown page is refused before anything streams

        async def produce() -> Parts:
            found = split(await _content(gateway, request, view))
            return {name: text.encode() for name, text in found.items()}

        address = f"{request.url.path}?{request.url.query}"
        channel = gateway.hub.channel(
            address,
            lambda: Channel(produce, encode, first=gateway.clock.unix_ms(), period_s=_PERIOD_S),
        )
        match = _EVENT_ID.match(request.headers.get("last-event-id", ""))
        events = channel.listen(
            seen=int(match["number"]) if match else None,
            welcome=still_welcome(gateway, request),
        )
        headers = {"X-Accel-Buffering": "no"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
            events = compressed(events)
        return StreamingResponse(events, media_type="text/event-stream", headers=headers)

    return endpoint


async def _content(gateway: Gateway, request: Request, view: View) -> str:
    """All of a page that follows the run: the same for everybody, so without any form's secret."""
    try:
        page = await view(gateway, request)
    except TauError as error:
        values = {"error": refusal(error), "whole": False}
        page = Page(template="trouble.html", title="", values=values)
    content = render(page.template, page.values)
    frame = await _frame(gateway, gateway.settings.principal, page)
    return render("body.html", {"page": page, "content": content, **frame})


async def document(
    gateway: Gateway, request: Request, page: Page, caller: Identity | None, *, status: int = 200
) -> Response:
    """A whole page: frame, navigation, header, and the page's own part."""
    content = render(page.template, {**page.values, **_form_values(caller)})
    frame = await _frame(gateway, caller.principal, page) if caller else {"header": None}
    query = f"?{request.url.query}" if request.url.query else ""
    body = render("body.html", {"page": page, "content": content, **frame})
    text = render(
        "frame.html",
        {
            "page": page,
            "body": whole(split(body)),
            "caller": caller,
            "csrf": caller.csrf if caller else None,
            "live": f"/live{request.url.path}{query}" if page.live and caller else None,
            "read_only": gateway.settings.read_only,
            **frame,
        },
    )
    return HTMLResponse(text, status_code=status)


def _form_values(caller: Identity | None) -> dict[str, Any]:
    return {"csrf": caller.csrf if caller else None}


async def _frame(gateway: Gateway, principal: str, page: Page) -> dict[str, Any]:
    snapshot = await gateway.watch.snapshot()
    current = snapshot.run.id if snapshot.run else None
    return {
        "header": {
            "run": page.run or current,
            "current": current,
            "running": await _running(gateway, snapshot),
            "alerts": sum(alert.wanting for alert in alerts_of(snapshot)),
        }
    }


async def _running(gateway: Gateway, snapshot: Snapshot) -> list[str]:
    """The runs that go on now."""
    if snapshot.trouble is not None:
        return []
    found = await gateway.window.ask(
        lambda store: store.insights.runs(status=RunStatus.RUNNING, limit=_MOST_RUNNING)
    )
    return [run.id for run in found if shown_state(snapshot, run) == Condition.RUNNING]


def _for_people(
    endpoint: Callable[[Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    """Errors become pages; who is not logged in is sent to do so."""

    async def told(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Refused as error:
            refused = error
        except TauError as error:
            refused = refusal(error)
        if refused.status == 401 and request.method == "GET":
            wanted = quote(f"{request.url.path}?{request.url.query}".rstrip("?"), safe="")
            return RedirectResponse(f"/login?next={wanted}", 303)
        return await trouble(request, refused)

    return told


async def trouble(request: Request, error: Refused) -> Response:
    """An error as a page; with its frame for those who are known."""
    gateway = gateway_of(request)
    try:
        caller = gateway.authenticator.recognise(request)
    except Refused:
        caller = None
    page = Page(
        template="trouble.html", title="That did not work", values={"error": error, "whole": True}
    )
    answer = await document(gateway, request, page, caller, status=error.status)
    answer.headers.update(error.headers)
    return answer


async def missing(request: Request, error: HTTPException) -> Response:
    """No such page."""
    return await trouble(request, Refused(error.status_code, "not_found", "there is no such page"))


async def _login(request: Request) -> Response:
    async def endpoint(request: Request) -> Response:
        gateway = gateway_of(request)
        gateway.authenticator.stranger(request, "login page")
        return await document(gateway, request, await actions.login_page(gateway, request), None)

    return await _for_people(endpoint)(request)


async def _log_in(request: Request) -> Response:
    async def endpoint(request: Request) -> Response:
        gateway = gateway_of(request)
        found = await actions.log_in(gateway, request)
        if isinstance(found, Page):
            return await document(gateway, request, found, None, status=401)
        return found

    return await _for_people(endpoint)(request)

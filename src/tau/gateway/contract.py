"""The routes of the contract's section 7."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response, StreamingResponse

from tau.domain.actions import Action
from tau.domain.ids import RunId
from tau.domain.json import Json
from tau.domain.rollout import SETTLED
from tau.errors import StoreError, TauError
from tau.gateway import responses as documents
from tau.gateway.admission import CSRF_HEADER, Permission
from tau.gateway.answers import JsonAnswer, Refused, dump, refusal
from tau.gateway.bodies import JsonObject, optional_text, text_field
from tau.gateway.context import Gateway, gateway_of
from tau.gateway.controls import run_meant
from tau.gateway.credentials import SESSION_S, Identity
from tau.gateway.permissions import admitted, opened
from tau.gateway.schemas import (
    ActionBody,
    ActionResult,
    AlertsDocument,
    ErrorDocument,
    GatewayStatusDocument,
    HealthDocument,
    RolloutsDocument,
    SessionBody,
    SessionDocument,
    TimelineDocument,
    TrainingDocument,
    WidgetsDocument,
)
from tau.gateway.server_settings import AuthMode
from tau.gateway.stream import Channel, Parts, event
from tau.gateway.watch import Snapshot
from tau.lifecycle.commands import Command
from tau.ports.insights import RolloutFilter, RolloutRow
from tau.reports.refused import unusable_of

MOST_REASON = 500
_PERIOD_S = 0.25
_EVENT_ID = re.compile(r"dashboard-(?P<number>[0-9]{1,18})\Z")
_DASHBOARD_ACTIONS = (Action.PAUSE, Action.RESUME)
ERRORS: dict[int | str, dict[str, Any]] = {
    code: {"model": ErrorDocument, "description": text}
    for code, text in (
        (400, "A bad value"),
        (401, "No valid token or session"),
        (403, "Not allowed"),
        (413, "Too long a body"),
        (421, "A name the gateway does not know itself by"),
        (429, "Too many requests"),
        (503, "The store cannot be read just now"),
    )
}

router = APIRouter(responses=ERRORS)
Reader = Annotated[Identity, Depends(admitted(Permission.READ))]
Actor = Annotated[Identity, Depends(admitted(Permission.ACT))]


@router.get("/dashboard/health", response_model=HealthDocument, tags=["dashboard"])
async def health(request: Request, caller: Reader) -> Response:
    """How the run is, in one document."""
    gateway = gateway_of(request)
    snapshot = await gateway.watch.snapshot()
    return JsonAnswer(
        documents.envelope(
            snapshot,
            health=documents.health(snapshot),
            training=snapshot.training.document(),
            control=documents.control(snapshot, allowed(gateway, snapshot, caller)),
            state=state(gateway, snapshot),
        )
    )


@router.get("/dashboard/widgets", response_model=WidgetsDocument, tags=["dashboard"])
async def widgets(request: Request, caller: Reader) -> Response:
    """What a dashboard shows, and how often to ask for it."""
    gateway = gateway_of(request)
    snapshot = await gateway.watch.snapshot()
    return JsonAnswer(
        documents.envelope(
            snapshot,
            widgets=documents.widgets(snapshot),
            training=snapshot.training.document(),
            state=state(gateway, snapshot),
        )
    )


@router.get("/dashboard/queue-timeline", response_model=TimelineDocument, tags=["dashboard"])
async def queue_timeline(request: Request, caller: Reader) -> Response:
    """What settled when, and why."""
    gateway = gateway_of(request)
    snapshot = await gateway.watch.snapshot()
    return JsonAnswer(
        documents.envelope(
            snapshot,
            queue_timeline=documents.queue_timeline(snapshot),
            health=documents.health(snapshot),
            training=snapshot.training.document(),
            state=state(gateway, snapshot),
        )
    )


@router.get("/dashboard/alerts", response_model=AlertsDocument, tags=["dashboard"])
async def alerts(request: Request, caller: Reader) -> Response:
    """What needs somebody."""
    gateway = gateway_of(request)
    snapshot = await gateway.watch.snapshot()
    return JsonAnswer(
        documents.envelope(
            snapshot,
            alerts=documents.alert_list(snapshot),
            health=documents.health(snapshot),
            training=snapshot.training.document(),
            state=state(gateway, snapshot),
        )
    )


@router.post(
    "/dashboard/actions",
    response_model=ActionResult,
    tags=["dashboard"],
    openapi_extra=JsonObject.schema(ActionBody),
)
async def actions(request: Request, caller: Actor) -> Response:
    """Pause or resume the run, or read everything anew."""
    gateway = gateway_of(request)
    body = await JsonObject.of(request)
    name = text_field(body, "action", "invalid_dashboard_action")
    if name not in (*_DASHBOARD_ACTIONS, "refresh"):
        raise Refused(
            400, "invalid_dashboard_action", f"there is no dashboard action '{name[:80]}'",
            fix="use pause, resume or refresh",
        )  # fmt: skip
    if caller.cookie:
        gateway.authenticator.check_form(caller, request.headers.get(CSRF_HEADER))
    result: dict[str, Json] = {"action": name, "accepted": True}
    if name != "refresh":
        refuse_writing(gateway)
        result |= await carried_out(
            gateway,
            Command(
                action=Action(name),
                principal=caller.principal,
                reason=optional_text(body, "reason", MOST_REASON),
                run_id=await run_meant(gateway, optional_text(body, "run_id", 200)),
            ),
        )
    snapshot = await gateway.watch.snapshot(fresh_ms=0)
    return JsonAnswer(
        documents.envelope(
            snapshot,
            **result,
            health=documents.health(snapshot),
            control=documents.control(snapshot, allowed(gateway, snapshot, caller)),
        )
    )


@router.get("/gateway/status", response_model=GatewayStatusDocument, tags=["gateway"])
async def gateway_status(request: Request, caller: Reader) -> Response:
    """What this gateway is and where everything is found."""
    gateway = gateway_of(request)
    snapshot = await gateway.watch.snapshot()
    settings = gateway.settings
    return JsonAnswer(
        documents.envelope(
            snapshot,
            service={"name": "tau-gateway", "version": request.app.version, "status": "ready"},
            auth={
                "mode": str(settings.auth),
                "principal": caller.principal,
                "read_only": settings.read_only,
                "requests_per_minute": settings.requests_per_minute,
            },
            training=snapshot.training.document(),
            endpoints={
                name: path
                for name, path in sorted(
                    (route.name, route.path) for route in request.app.state.directory
                )
            },
        )
    )


@router.get("/gateway/training/status", response_model=TrainingDocument, tags=["gateway"])
async def training_status(request: Request, caller: Reader) -> Response:
    """What `status.json` says."""
    snapshot = await gateway_of(request).watch.snapshot()
    return JsonAnswer(documents.envelope(snapshot, training=snapshot.training.document()))


@router.get("/gateway/training/rollouts", response_model=RolloutsDocument, tags=["gateway"])
async def training_rollouts(
    request: Request,
    caller: Reader,
    page: Annotated[str, Query(description="From 1")] = "1",
    per_page: Annotated[str, Query(description="From 1 to 200")] = "50",
) -> Response:
    """Rollouts of every run, newest first."""
    gateway = gateway_of(request)
    number = whole(page, "page", 1, 10**9, "invalid_training_rollouts_page")
    size = whole(per_page, "per_page", 1, 200, "invalid_training_rollouts_per_page")
    snapshot = await gateway.watch.snapshot()
    total, rows, diagnostics = 0, [], []
    refused: Mapping[str, str] = {}
    try:
        total = (await gateway.window.ask(lambda store: store.insights.counts())).total
        if (number - 1) * size < total:
            rows = list(
                await gateway.window.ask(
                    lambda store: store.insights.rollouts(
                        RolloutFilter(), limit=size, offset=(number - 1) * size, newest_first=True
                    )
                )
            )
            refused = await gateway.window.ask(lambda store: unusable_of(store, rows))
    except StoreError as error:
        diagnostics.append(f"store_unreadable:{refusal(error).message}")
    return JsonAnswer(
        documents.envelope(
            snapshot,
            page=number,
            per_page=size,
            total_records=total,
            total_pages=-(-total // size),
            invalid_records=0,
            records=[record(row, refused) for row in rows],
            diagnostics=diagnostics,
        )
    )


@router.post(
    "/gateway/auth/session",
    response_model=SessionDocument,
    tags=["gateway"],
    dependencies=[Depends(opened())],
    openapi_extra=JsonObject.schema(SessionBody),
)
async def session(request: Request) -> Response:
    """Exchange the password for a token."""
    gateway = gateway_of(request)
    gateway.authenticator.stranger(request, "login")
    if gateway.settings.auth is not AuthMode.PASSWORD_SESSION:
        raise Refused(400, "auth_mode_mismatch", "this gateway does not use passwords")
    body = await JsonObject.of(request)
    password = text_field(body, "password", "invalid_request")
    gateway.authenticator.refuse_guessing(request, password)
    secret = await asyncio.to_thread(gateway.credentials.log_in, password)
    if secret is None:
        gateway.authenticator.failed(request, password)
        raise Refused(401, "invalid_credentials", "the password is wrong")
    return JsonAnswer(
        {
            "access_token": secret,
            "token_type": "bearer",
            "expires_unix_ms": gateway.clock.unix_ms() + SESSION_S * 1000,
            "expires_in_seconds": SESSION_S,
        }
    )


async def stream(request: Request) -> Response:
    """Snapshots on change: all of it first, then only the parts that changed."""
    gateway = gateway_of(request)
    await gateway.authenticator.admit(request, Permission.READ)
    channel = gateway.hub.channel("dashboard", lambda: _dashboard_channel(gateway))
    match = _EVENT_ID.match(request.headers.get("last-event-id", ""))
    given = "last-event-id" in request.headers

    def reset(resumed: bool) -> bytes:
        found: dict[str, Json] = {"schema_version": 1, "resumed": resumed}
        return event("dashboard.reset", dump(found))

    return StreamingResponse(
        channel.listen(
            seen=int(match["number"]) if match else None,
            hello=reset if given else None,
            welcome=still_welcome(gateway, request),
        ),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


def still_welcome(gateway: Gateway, request: Request) -> Callable[[], Awaitable[bool]]:
    """Whether the request's token or session holds still, and its principal may still look."""
    return lambda: gateway.authenticator.welcome(request)


def allowed(gateway: Gateway, snapshot: Snapshot, caller: Identity) -> list[str]:
    """The names of the actions the caller may have now; `refresh` changes nothing."""
    obstacles = gateway.obstacles(snapshot, caller.principal)
    return [*(str(action) for action, why in obstacles.items() if why is None), "refresh"]


def state(gateway: Gateway, snapshot: Snapshot) -> dict[str, Json]:
    """The contract's `state`."""
    settings = gateway.settings
    return documents.state(
        snapshot, store=settings.store_shown, state_dir=str(settings.state_dir.root)
    )


def refuse_writing(gateway: Gateway) -> None:
    """Refuse what changes something where the gateway is read-only."""
    if gateway.settings.read_only:
        raise Refused(403, "read_only", "this gateway is read-only")


async def carried_out(gateway: Gateway, command: Command) -> dict[str, Json]:
    """The document of a command's result.

    Raises:
        Refused: it was denied or could not be done.
    """
    try:
        return (await gateway.execute(command)).document()
    except TauError as error:
        raise refusal(error) from error


def record(row: RolloutRow, refused: Mapping[str, str]) -> dict[str, Json]:
    """A rollout as the contract lists it, and why the answer to a proposal could not be used."""
    settled = row.status in SETTLED
    return {
        "rollout_id": row.id,
        "status": str(row.status),
        "mode": str(row.split or row.kind),
        "steps": row.attempts,
        "reward": row.score,
        "duration_ms": row.duration_ms if settled else None,
        "updated_unix_ms": row.updated_unix_ms,
        "run_id": RunId(row.run_id),
        "unusable": refused.get(row.id),
    }


def whole(text: str, name: str, least: int, most: int, code: str) -> int:
    """A whole number within bounds.

    Raises:
        Refused: 400 with `code`.
    """
    if not (text.isascii() and text.isdigit() and len(text) < 12 and least <= int(text) <= most):
        raise Refused(400, code, f"{name} must be a whole number", fix=f"from {least} to {most}")
    return int(text)


def _dashboard_channel(gateway: Gateway) -> Channel:
    async def produce() -> Parts:
        snapshot = await gateway.watch.snapshot()
        actions = gateway.obstacles(snapshot, gateway.settings.principal)
        allowed_now = [*(str(action) for action, why in actions.items() if why is None), "refresh"]
        parts: dict[str, Json] = {
            "health": documents.health(snapshot),
            "training": snapshot.training.document(),
            "control": documents.control(snapshot, allowed_now),
            "state": state(gateway, snapshot),
            "alerts": documents.alert_list(snapshot),
            "widgets": documents.widgets(snapshot),
            "queue_timeline": documents.queue_timeline(snapshot),
        }
        return {name: dump(part) for name, part in parts.items()}

    def encode(number: int, parts: Parts, whole: bool) -> bytes:
        head: dict[str, Json] = {
            "schema_version": 1,
            "generated_unix_ms": gateway.clock.unix_ms(),
            "cursor": f"dashboard-{number}",
            "complete": whole,
        }
        body = b"".join(b',"%s":%s' % (name.encode(), part) for name, part in parts.items())
        return event(
            "dashboard.snapshot", dump(head)[:-1] + body + b"}", identity=f"dashboard-{number}"
        )

    return Channel(produce, encode, first=gateway.clock.unix_ms(), period_s=_PERIOD_S)

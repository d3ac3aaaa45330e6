"""The JSON API: /api/v1, described by its OpenAPI document."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from tau.domain.actions import STEERING, Action
from tau.domain.dataset import Split
from tau.domain.ids import RolloutId, RunId
from tau.domain.rollout import RolloutStatus
from tau.domain.run import Run
from tau.errors import TauError
from tau.gateway import controls as steering
from tau.gateway.admission import CSRF_HEADER
from tau.gateway.alerts import shown_state
from tau.gateway.answers import JsonAnswer, Refused, refusal
from tau.gateway.api_documents import (
    AttemptBody,
    BudgetBody,
    CandidateBody,
    CandidatesDocument,
    ControlBody,
    ControlDocument,
    CurveDocument,
    RewardBody,
    RolloutDocument,
    RolloutsPage,
    RunBody,
    RunDocument,
    RunsDocument,
    ScoreBody,
    SpentBody,
    WorkerBody,
    WorkersDocument,
)
from tau.gateway.bodies import JsonObject, optional_text
from tau.gateway.contest import contest_of, run_and_board, verdict_of
from tau.gateway.context import Gateway, gateway_of
from tau.gateway.contract import ERRORS, Actor, Reader, carried_out, record, refuse_writing, whole
from tau.gateway.course import course_of
from tau.ports.insights import RolloutFilter
from tau.reports import shortfalls
from tau.reports.refused import unusable_counts, unusable_of, why_unusable

_PAGE = "invalid_page"

Limit = Annotated[str, Query(description="At most so many, from 1 to 500")]
Offset = Annotated[str, Query(description="Leave out so many at the start")]

router = APIRouter(
    prefix="/api/v1",
    tags=["v1"],
    responses={**ERRORS, 404: {**ERRORS[400], "description": "Unknown id"}},
)


@router.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request, caller: Reader) -> Response:
    """The description of this API."""
    return JsonAnswer(request.app.openapi())


@router.get("/runs", response_model=RunsDocument)
async def runs(
    request: Request, caller: Reader, limit: Limit = "50", offset: Offset = "0"
) -> Response:
    """Runs, newest first."""
    most, skip = _page(limit, offset)
    found = await gateway_of(request).window.ask(
        lambda store: store.insights.runs(limit=most + 1, offset=skip)
    )
    conditions = await _conditions(gateway_of(request), found[:most])
    listed = [_run(one, condition) for one, condition in zip(found[:most], conditions, strict=True)]
    return JsonAnswer(RunsDocument(runs=listed, next_offset=_next(len(found), most, skip)))


@router.get("/runs/{run}", response_model=RunDocument)
async def run(request: Request, caller: Reader, run: str) -> Response:
    """One run with its scores."""
    gateway = gateway_of(request)
    found, board = await run_and_board(gateway, run)
    counts = await gateway.window.ask(lambda store: store.insights.counts(found.id))
    failures = await gateway.window.ask(lambda store: store.insights.failures(found.id))
    lacking = board.shortfalls
    verdict = await verdict_of(gateway, found.id)
    contest = contest_of(found, board, verdict)
    scores: list[ScoreBody] = []
    for (name, split), one in board.standings.by_place.items():
        if name in (contest.baseline_hash, contest.best_hash) and one.estimate:
            scores.append(
                ScoreBody(
                    resources=name,
                    baseline=name == contest.baseline_hash,
                    split=str(split),
                    mean=one.estimate.mean,
                    low=one.estimate.low,
                    high=one.estimate.high,
                    scored=one.scored,
                    unscored=one.unscored,
                    failed=one.failed,
                )
            )
    decision = str(verdict.decision) if verdict and verdict.decision else None
    return JsonAnswer(
        RunDocument(
            run=_run(found, (await _conditions(gateway, [found]))[0]),
            counts={str(status): counts[status] for status in RolloutStatus},
            failures=dict(failures),
            **shortfalls.to_json(lacking),
            missing=list(shortfalls.lines(lacking)),
            decision=decision,
            scores=scores,
            complete=board.complete,
        )
    )


@router.get("/runs/{run}/candidates", response_model=CandidatesDocument)
async def candidates(
    request: Request, caller: Reader, run: str, limit: Limit = "50", offset: Offset = "0"
) -> Response:
    """Candidates in order of their waves, without texts."""
    most, skip = _page(limit, offset)
    gateway = gateway_of(request)
    _, board = await run_and_board(gateway, run)
    found = await gateway.window.ask(
        lambda store: store.insights.candidates(RunId(run), limit=most + 1, offset=skip)
    )
    listed: list[CandidateBody] = []
    for one in found[:most]:
        means: dict[str, float] = {}
        for split in Split:
            standing = board.standings.find(one.resources.hash, split)
            if standing is not None and standing.estimate:
                means[str(split)] = standing.estimate.mean
        listed.append(
            CandidateBody(
                resources=one.resources.hash,
                parent=one.resources.parent,
                wave=one.wave,
                abandoned=one.abandoned,
                means=means,
            )
        )
    refused = await gateway.window.ask(lambda store: unusable_counts(store, RunId(run)))
    return JsonAnswer(
        CandidatesDocument(
            candidates=listed,
            unusable_answers=dict(refused),
            next_offset=_next(len(found), most, skip),
        )
    )


@router.get("/runs/{run}/curve", response_model=CurveDocument)
async def curve(request: Request, caller: Reader, run: str) -> Response:
    """The best so far against rollouts, at most a few hundred points."""
    gateway = gateway_of(request)
    found, board = await run_and_board(gateway, run)
    course = course_of(found, board, contest_of(found, board, await verdict_of(gateway, found.id)))
    points = course.points if course else ()
    return JsonAnswer(
        CurveDocument(
            best=[[p.rollouts, p.mean, p.low, p.high] for p in points],
            candidates=[
                {"resources": d.label, "rollouts": d.rollouts, "mean": d.mean, "is": d.tone}
                for d in (course.dots if course else ())
            ],
            baseline=course.baseline if course else None,
        )
    )


@router.get("/runs/{run}/rollouts", response_model=RolloutsPage)
async def rollouts(
    request: Request, caller: Reader, run: str, limit: Limit = "50", offset: Offset = "0"
) -> Response:
    """Rollouts of a run, newest first."""
    most, skip = _page(limit, offset)
    gateway = gateway_of(request)
    known = await gateway.window.ask(lambda store: store.insights.run(RunId(run)))
    found = await gateway.window.ask(
        lambda store: store.insights.rollouts(
            RolloutFilter(run=known.id), limit=most + 1, offset=skip, newest_first=True
        )
    )
    refused = await gateway.window.ask(lambda store: unusable_of(store, found[:most]))
    listed: list[dict[str, Any]] = [record(one, refused) for one in found[:most]]
    return JsonAnswer(RolloutsPage(rollouts=listed, next_offset=_next(len(found), most, skip)))


@router.get("/rollouts/{rollout}", response_model=RolloutDocument)
async def rollout(request: Request, caller: Reader, rollout: str) -> Response:
    """One rollout with its attempts; texts are on its page."""
    window = gateway_of(request).window
    view = await window.ask(lambda store: store.insights.rollout(RolloutId(rollout)))
    result = view.result
    refused = await window.ask(lambda store: why_unusable(store, view.run_id, result))
    return JsonAnswer(
        RolloutDocument(
            rollout_id=str(result.rollout_id),
            run_id=view.run_id,
            status=str(result.status),
            score=result.score,
            failure=str(result.failure.kind) if result.failure else None,
            unusable=refused,
            rewards=[
                RewardBody(name=one.name, score=one.score, passed=one.passed)
                for one in result.rewards
            ],
            attempts=[
                AttemptBody(
                    attempt_id=one.id,
                    status=str(one.status),
                    worker=one.worker_name,
                    started_unix_ms=one.started_unix_ms,
                    ended_unix_ms=one.ended_unix_ms,
                    spans=len(one.spans),
                    tokens=one.spent.tokens,
                    cost_usd=one.spent.cost_usd,
                )
                for one in view.attempts
            ],
        )
    )


@router.get("/workers", response_model=WorkersDocument)
async def workers(request: Request, caller: Reader) -> Response:
    """Who is registered."""
    found = await gateway_of(request).window.ask(lambda store: store.insights.workers())
    listed = [
        WorkerBody(
            name=one.name,
            role=str(one.role),
            process=f"{one.process.host}:{one.process.pid}",
            offers=list(one.offers),
            in_flight=one.in_flight,
            heartbeat_unix_ms=one.heartbeat_unix_ms,
            lease_ms=one.lease_ms,
        )
        for one in found
    ]
    return JsonAnswer(WorkersDocument(workers=listed))


@router.get("/controls/{action}", response_model=ControlDocument)
async def preview(
    request: Request,
    caller: Reader,
    action: str,
    checkpoint: str | None = None,
    run_id: str | None = None,
) -> Response:
    """What a control would come to; nothing is changed."""
    gateway = gateway_of(request)
    command = steering.command_of(
        gateway, _action(action), caller.principal, reason=None, checkpoint=checkpoint,
        run_id=await steering.run_meant(gateway, run_id),
    )  # fmt: skip
    try:
        result = await gateway.execute(command, dry_run=True)
    except TauError as error:
        raise refusal(error) from error
    return JsonAnswer(result.document())


@router.post(
    "/controls/{action}",
    response_model=ControlDocument,
    openapi_extra=JsonObject.schema(ControlBody),
)
async def control(request: Request, caller: Actor, action: str) -> Response:
    """Pause, resume, cancel or roll back."""
    gateway = gateway_of(request)
    if caller.cookie:
        gateway.authenticator.check_form(caller, request.headers.get(CSRF_HEADER))
    wanted = _action(action)
    body = await JsonObject.of(request)
    refuse_writing(gateway)
    command = steering.command_of(
        gateway,
        wanted,
        caller.principal,
        reason=optional_text(body, "reason", steering.MOST_REASON),
        checkpoint=optional_text(body, "checkpoint", 200),
        run_id=await steering.run_meant(gateway, optional_text(body, "run_id", 200)),
    )
    return JsonAnswer(await carried_out(gateway, command))


def _action(name: str) -> Action:
    if name not in STEERING:
        raise Refused(404, "not_found", "there is no such control")
    return Action(name)


def _page(limit: str, offset: str) -> tuple[int, int]:
    return whole(limit, "limit", 1, 500, _PAGE), whole(offset, "offset", 0, 10**9, _PAGE)


def _next(found: int, most: int, skip: int) -> int | None:
    return skip + most if found > most else None


async def _conditions(gateway: Gateway, found: Sequence[Run]) -> list[str]:
    """The word that the pages show for each."""
    snapshot = await gateway.watch.snapshot()
    return [str(shown_state(snapshot, one)) for one in found]


def _run(run: Run, condition: str) -> RunBody:
    budget, spent = run.budget, run.spent
    return RunBody(
        id=run.id,
        status=str(run.status),
        condition=condition,
        algorithm=run.algorithm,
        model_ref=run.model_ref,
        seed=run.seed,
        created_unix_ms=run.created_unix_ms,
        updated_unix_ms=run.updated_unix_ms,
        stop_reason=str(run.stop_reason) if run.stop_reason else None,
        spent=SpentBody(
            rollouts=spent.rollouts,
            calls=spent.calls,
            tokens=spent.tokens,
            cost_usd=spent.cost_usd,
            assumed_tokens=spent.assumed_tokens,
            assumed_cost_usd=spent.assumed_cost_usd,
            seconds=run.active_s,
        ),
        budget=BudgetBody(
            rollouts=budget.rollouts,
            calls=budget.calls,
            tokens=budget.tokens,
            cost_usd=budget.cost_nano_usd / 1e9 if budget.cost_nano_usd is not None else None,
            seconds=budget.seconds,
        ),
    )

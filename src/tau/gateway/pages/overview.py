"""The first screen: is it running, is it better, what does it cost, does anything need me."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request

from tau.charts.intervals import Interval, interval_chart
from tau.charts.svg import Svg
from tau.charts.timeline import Stack, meter, timeline_chart
from tau.domain.decision import Verdict
from tau.domain.run import Run, RunStatus
from tau.gateway import figures
from tau.gateway.alerts import alerts, nothing_scored, shown_state
from tau.gateway.board import RunScores, Slice
from tau.gateway.contest import Contest, contest_of, verdict_of
from tau.gateway.context import Gateway
from tau.gateway.pages.rendering import Page
from tau.gateway.paging import Paging, page_number
from tau.reports.gain import Gain, of_evidence, partial_of

RUNS_PER_PAGE = 20
_OVER = (RunStatus.COMPLETED, RunStatus.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitUse:
    """What is spent of one limit; `share` is None where there is no limit."""

    name: str
    spent: str
    limit: str | None
    share: float | None
    picture: Svg | None


async def overview(gateway: Gateway, request: Request) -> Page:
    """State, best against baseline, decision, spend, workers, alerts, runs."""
    snapshot = await gateway.watch.snapshot()
    number = page_number(request)
    runs: list[Run] = []
    more = False
    verdict = None
    if snapshot.trouble is None:
        found = await gateway.window.ask(
            lambda store: store.insights.runs(
                limit=RUNS_PER_PAGE + 1, offset=(number - 1) * RUNS_PER_PAGE
            )
        )
        runs, more = list(found[:RUNS_PER_PAGE]), len(found) > RUNS_PER_PAGE
    run = snapshot.run
    if run is not None:
        verdict = await verdict_of(gateway, run.id)
    contest = contest_of(run, snapshot.board, verdict) if run and snapshot.board else None
    return Page(
        template="overview.html",
        title="Overview",
        section="overview",
        live=True,
        values={
            "run": run,
            "state": str(shown_state(snapshot)),
            "states": {one.id: str(shown_state(snapshot, one)) for one in runs},
            "snapshot": snapshot,
            "verdict": verdict,
            "gain": of_evidence(verdict.evidence) if verdict else None,
            "partial": partial_of(verdict.evidence) if verdict else None,
            "nothing_scored": nothing_scored(run, snapshot.board),
            "contest": contest,
            "chart": contest_chart(contest) if contest else None,
            "gain_chart": gain_chart(verdict),
            "meters": meters(run) if run else [],
            "alerts": alerts(snapshot),
            "activity": activity(snapshot.board) if snapshot.board else None,
            "rate": settled_a_second(snapshot.board, gateway.clock.unix_ms())
            if snapshot.board
            else 0.0,
            "now": gateway.clock.unix_ms(),
            "runs": runs,
            "verdicts": {one.id: await verdict_of(gateway, one.id) for one in runs},
            "paging": Paging(request, number=number, more=more),
            "store": gateway.settings.store_shown,
        },
    )


def contest_chart(contest: Contest) -> Svg | None:
    """Both with their intervals."""
    rows = []
    for label, tone, standing in (
        ("baseline", "baseline", contest.baseline),
        ("best", "best", contest.best if contest.different else None),
    ):
        estimate = standing.estimate if standing else None
        if standing is not None and estimate is not None:
            rows.append(
                Interval(
                    label=label, tone=tone, low=estimate.low, middle=estimate.mean,
                    high=estimate.high,
                    figure=f"{estimate.mean:.3f} ({figures.interval(estimate)})",
                )
            )  # fmt: skip
    title = f"Mean scores on {contest.split} with 95 % intervals"
    return interval_chart(title, rows) if rows else None


def gain_chart(verdict: Verdict | None) -> Svg | None:
    """The certified paired difference."""
    gain: Gain | None = of_evidence(verdict.evidence) if verdict else None
    if gain is None:
        return None
    row = Interval(
        label="best − baseline", low=gain.low, middle=gain.difference, high=gain.high, tone="best",
        figure=f"{figures.signed(gain.difference)} "
        f"({figures.signed(gain.low)} to {figures.signed(gain.high)})",
    )  # fmt: skip
    edge = next(
        one for one in (0.25, 0.5, 1.0) if one >= min(1, max(abs(gain.low), abs(gain.high)))
    )
    return interval_chart("Paired difference with its interval", [row], start=-edge, end=edge)


def meters(run: Run) -> list[LimitUse]:
    """Spend against each limit; money and rollouts always, the others where they are limited."""
    budget, spent = run.budget, run.spent
    lines: list[tuple[str, float, float | None, str, str | None]] = [
        ("cost", spent.cost_nano_usd, budget.cost_nano_usd, figures.dollars(spent.cost_nano_usd),
         figures.dollars(budget.cost_nano_usd) if budget.cost_nano_usd is not None else None),
        ("rollouts", spent.rollouts, budget.rollouts, *_counts(spent.rollouts, budget.rollouts)),
        ("calls", spent.calls, budget.calls, *_counts(spent.calls, budget.calls)),
        ("tokens", spent.tokens, budget.tokens, *_counts(spent.tokens, budget.tokens)),
        ("running time", run.active_s, budget.seconds, figures.seconds(run.active_s),
         figures.seconds(budget.seconds) if budget.seconds is not None else None),
    ]  # fmt: skip
    return [_meter(*line, over=run.status in _OVER) for line in lines]


def _counts(spent: int, limit: int | None) -> tuple[str, str | None]:
    return figures.count(spent), figures.count(limit) if limit is not None else None


def _meter(
    name: str, spent: float, limit: float | None, said: str, most: str | None, *, over: bool
) -> LimitUse:
    share = None if limit is None else (spent / limit if limit else 1.0)
    tone = "near" if share is not None and share >= 0.9 and not over else "plain"
    picture = None
    if share is not None:
        picture = meter(f"{name}: {said} of {most}", share, tone=tone)
    return LimitUse(name=name, spent=said, limit=most, share=share, picture=picture)


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """What settled when: the picture, the same as a table, and how long a slice is."""

    picture: Svg
    slices: tuple[Slice, ...]
    every: str


def activity(board: RunScores, *, most: int = 64) -> Activity | None:
    """What settled when."""
    slices = board.slices(most)
    if not slices:
        return None
    stacks = [
        Stack(
            label=f"{figures.clock(one.start_ms)}: {one.statuses['succeeded']} succeeded, "
            f"{one.statuses['failed']} failed, {one.statuses['cancelled']} cancelled",
            amounts={name: one.statuses[name] for name in ("succeeded", "failed", "cancelled")},
        )
        for one in slices
    ]
    every = figures.seconds(slices[0].width_ms / 1000)
    first, last = ends(slices)
    picture = timeline_chart(
        f"Settled rollouts per {every}", stacks, say=figures.amount, first=first, last=last
    )
    return Activity(picture=picture, slices=tuple(slices), every=every)


def ends(slices: Sequence[Slice]) -> tuple[str, str]:
    """The times at both ends of a chart over slices."""
    last = slices[-1].start_ms + slices[-1].width_ms
    return figures.clock(slices[0].start_ms), figures.clock(last)


def settled_a_second(board: RunScores, now_ms: int, *, window_ms: int = 60_000) -> float:
    """Rollouts settled per second within the last minute, or since the first of them."""
    count, since = 0, now_ms
    for row in board.newest():
        if row.updated_unix_ms < now_ms - window_ms:
            since = now_ms - window_ms
            break
        count, since = count + 1, row.updated_unix_ms
    return 1000 * count / max(1000, now_ms - since)

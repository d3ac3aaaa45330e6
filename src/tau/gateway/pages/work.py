"""The queue with its workers, and what the work costs."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from starlette.requests import Request

from tau.charts.lanes import Stretch, lane_chart
from tau.charts.svg import Svg
from tau.charts.timeline import Stack, timeline_chart
from tau.domain.decision import Verdict
from tau.domain.rollout import RolloutKind, RolloutStatus
from tau.domain.run import Run
from tau.gateway import figures
from tau.gateway.alerts import shown_status
from tau.gateway.board import RunScores, Slice
from tau.gateway.contest import run_and_board, verdict_of
from tau.gateway.context import Gateway
from tau.gateway.pages.overview import activity, ends, meters, settled_a_second
from tau.gateway.pages.rendering import Page
from tau.ports.insights import RolloutFilter, Stint

_IN_FLIGHT = 50
_LATENCIES = 5000
_STINTS = 200
_LANES = 24


async def queue(gateway: Gateway, request: Request) -> Page:
    """Depth, throughput, what is in flight, and who works."""
    run, board = await run_and_board(gateway, request.path_params["run"])
    counts = await gateway.window.ask(lambda store: store.insights.counts(run.id))
    workers = await gateway.window.ask(lambda store: store.insights.workers())
    where = RolloutFilter(
        run=run.id, statuses=frozenset({RolloutStatus.RUNNING, RolloutStatus.PREPARING})
    )
    stints = await gateway.window.ask(lambda store: store.insights.stints(run.id, limit=_STINTS))
    in_flight: Any = ()
    if counts.in_flight:
        in_flight = await gateway.window.ask(
            lambda store: store.insights.rollouts(where, limit=_IN_FLIGHT, newest_first=True)
        )
    now = gateway.clock.unix_ms()
    snapshot = await gateway.watch.snapshot()
    return Page(
        template="queue.html",
        title=f"Queue of {run.id}",
        section="queue",
        run=run.id,
        live=True,
        values={
            "run": run,
            "counts": counts,
            "statuses": [
                (status, shown_status(snapshot, run, status), counts[status])
                for status in RolloutStatus
            ],
            "left_over": shown_status(snapshot, run, RolloutStatus.QUEUING)
            != RolloutStatus.QUEUING,
            "workers": [
                {
                    "worker": worker,
                    "age_s": max(0, now - worker.heartbeat_unix_ms) / 1000,
                    "late": now - worker.heartbeat_unix_ms > worker.lease_ms,
                }
                for worker in workers
            ],
            "in_flight": in_flight,
            "now": now,
            "rate": settled_a_second(board, now),
            "activity": activity(board),
            "lanes": _lanes(stints, now),
            "reading": not board.complete,
        },
    )


def _lanes(stints: Sequence[Stint], now_ms: int) -> Svg | None:
    """Who worked on what when, as far back as the last rollouts go."""
    if not stints:
        return None
    names = sorted({one.worker_name for one in stints}, key=lambda name: (len(name), name))[:_LANES]
    bars = [
        Stretch(
            lane=one.worker_name,
            start_ms=one.started_unix_ms,
            end_ms=one.ended_unix_ms or now_ms,
            tone=str(one.status),
            label=f"{one.rollout_id}, attempt {one.n}: {one.status}",
            href=f"/rollouts/{one.rollout_id}",
        )
        for one in stints
        if one.worker_name in names
    ]
    last = max(bar.end_ms for bar in bars)
    return lane_chart(
        "Attempts of each worker over time",
        names,
        bars,
        first=figures.clock(min(bar.start_ms for bar in bars)),
        last=figures.clock(last),
    )


async def cost(gateway: Gateway, request: Request) -> Page:
    """By role over time, against the budget, with latencies."""
    run, board = await run_and_board(gateway, request.path_params["run"])
    slices = board.slices(64)
    recent = islice(board.newest(), _LATENCIES)
    latest = sorted(row.duration_ms for row in recent if row.duration_ms)
    counts = await gateway.window.ask(lambda store: store.insights.counts(run.id))
    reused = await gateway.window.ask(lambda store: store.insights.reused(run.id))
    verdict = await verdict_of(gateway, run.id)
    return Page(
        template="cost.html",
        title=f"Cost of {run.id}",
        section="cost",
        run=run.id,
        live=True,
        values={
            "run": run,
            "counts": counts,
            "meters": meters(run),
            "kinds": board.kinds,
            "splits": board.splits,
            "spending": spending(run, slices),
            "plan": planned(verdict, board),
            "retries": sum(max(0, row.attempts - 1) for row in board.rows.values()),
            "reused": reused,
            "percentiles": [(q, _percentile(latest, q)) for q in (50, 90, 95, 99)],
            "measured": len(latest),
            "rate_limited": board.failures["rate_limit"],
            "per_rollout": sum(one.cost_nano_usd for one in board.kinds.values())
            / max(1, len(board.rows)),
            "reading": not board.complete,
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What was spent up to each slice, by role; in tokens where no price is known."""

    picture: Svg
    unit: str
    rows: tuple[tuple[int, Mapping[str, str]], ...]


def spending(run: Run, slices: Sequence[Slice]) -> Spending | None:
    """The running total against the budget."""
    priced = any(one.cost_nano_usd.total() for one in slices)
    of_slice = [one.cost_nano_usd if priced else one.tokens_of for one in slices]
    if not any(one.total() for one in of_slice):
        return None
    say = (lambda value: figures.dollars(round(value))) if priced else figures.amount
    limit = run.budget.cost_nano_usd if priced else run.budget.tokens
    so_far: Counter[str] = Counter()
    stacks, rows = [], []
    for one, amounts in zip(slices, of_slice, strict=True):
        so_far.update(amounts)
        said = {str(kind): say(so_far[kind]) for kind in RolloutKind}
        clock = figures.clock(one.start_ms)
        stacks.append(
            Stack(
                label=f"until {clock}: " + ", ".join(f"{k} {v}" for k, v in said.items()),
                amounts={str(kind): float(so_far[kind]) for kind in RolloutKind},
            )
        )
        rows.append((one.start_ms + one.width_ms, said))
    unit = "dollars" if priced else "tokens"
    first, last = ends(slices)
    title = f"Spent so far by role, in {unit}"
    picture = timeline_chart(title, stacks, say=say, limit=limit, first=first, last=last)
    return Spending(picture=picture, unit=unit, rows=tuple(rows))


def planned(verdict: Verdict | None, board: RunScores) -> list[tuple[str, int, int]]:
    """What the algorithm planned and what came, where it tells."""
    plan = verdict.evidence.get("planned") if verdict else None
    if not isinstance(plan, Mapping):
        return []
    actual = {"evaluations": RolloutKind.EVALUATE, "proposals": RolloutKind.PROPOSE}
    return [
        (name, number, board.kinds[kind].rollouts)
        for name, kind in actual.items()
        if type(number := plan.get(name)) is int
    ]


def _percentile(ordered: list[int], q: int) -> float | None:
    """The nearest rank, in seconds."""
    if not ordered:
        return None
    return ordered[max(0, -(-len(ordered) * q // 100) - 1)] / 1000

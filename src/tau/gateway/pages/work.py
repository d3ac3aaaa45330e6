"""The queue with its workers, and what the work costs."""

from itertools import islice
from typing import Any

from starlette.requests import Request

from tau.charts.timeline import Stack, timeline_chart
from tau.domain.rollout import RolloutKind, RolloutStatus
from tau.gateway.board import Board, Slice
from tau.gateway.context import Gateway
from tau.gateway.pages import figures
from tau.gateway.pages.overview import activity_chart, meters
from tau.gateway.pages.rendering import Page
from tau.gateway.pages.run import run_and_board
from tau.ports.insights import RolloutFilter

_IN_FLIGHT = 50
_LATENCIES = 5000


async def queue(gateway: Gateway, request: Request) -> Page:
    """Depth, throughput, what is in flight, and who works."""
    run, board = await run_and_board(gateway, request.path_params["run"])
    counts = await gateway.window.ask(lambda store: store.insights.counts(run.id))
    workers = await gateway.window.ask(lambda store: store.insights.workers())
    where = RolloutFilter(
        run=run.id, statuses=frozenset({RolloutStatus.RUNNING, RolloutStatus.PREPARING})
    )
    in_flight: Any = ()
    if counts.in_flight:
        in_flight = await gateway.window.ask(
            lambda store: store.insights.rollouts(where, limit=_IN_FLIGHT, newest_first=True)
        )
    now = gateway.clock.unix_ms()
    return Page(
        template="queue.html",
        title=f"Queue of {run.id}",
        section="queue",
        run=run.id,
        live=True,
        values={
            "run": run,
            "counts": counts,
            "statuses": [(status, counts[status]) for status in RolloutStatus],
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
            "rate": _rate(board, now),
            "activity": activity_chart(board),
            "reading": not board.complete,
        },
    )


def _rate(board: Board, now_ms: int, *, window_ms: int = 60_000) -> float:
    """Rollouts settled per second within the last minute."""
    count = 0
    for row in board.newest():
        if row.updated_unix_ms < now_ms - window_ms:
            break
        count += 1
    return count / (window_ms / 1000)


async def cost(gateway: Gateway, request: Request) -> Page:
    """By role over time, against the budget, with latencies."""
    run, board = await run_and_board(gateway, request.path_params["run"])
    slices = board.slices(64)
    recent = islice(board.newest(), _LATENCIES)
    latest = sorted(row.duration_ms for row in recent if row.duration_ms)
    counts = await gateway.window.ask(lambda store: store.insights.counts(run.id))
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
            "chart": _cost_chart(slices),
            "token_chart": _token_chart(slices),
            "percentiles": [(q, _percentile(latest, q)) for q in (50, 90, 95, 99)],
            "measured": len(latest),
            "rate_limited": board.failures["rate_limit"],
            "per_rollout": run.spent.cost_nano_usd / len(board.rows) if board.rows else 0,
            "slices": slices[-20:],
            "reading": not board.complete,
        },
    )


def _cost_chart(slices: list[Slice]) -> Any:  # noqa: ANN401  (a picture or nothing)
    if not any(sum(one.cost_nano_usd.values()) for one in slices):
        return None
    stacks = [
        Stack(
            label=f"{figures.clock(one.start_ms)}: "
            + ", ".join(f"{k} {figures.dollars(n)}" for k, n in one.cost_nano_usd.items()),
            amounts={str(kind): float(one.cost_nano_usd[kind]) for kind in RolloutKind},
        )
        for one in slices
    ]
    top = figures.dollars(round(max(stack.total for stack in stacks)))
    return timeline_chart(
        f"Cost per {figures.seconds(slices[0].width_ms / 1000)} by role", stacks, top=top,
        first=figures.clock(slices[0].start_ms), last=figures.clock(slices[-1].start_ms),
    )  # fmt: skip


def _token_chart(slices: list[Slice]) -> Any:  # noqa: ANN401  (a picture or nothing)
    if not any(one.tokens for one in slices):
        return None
    stacks = [
        Stack(label=f"{figures.clock(one.start_ms)}: {one.tokens:,} tokens",
              amounts={"tokens": float(one.tokens)})
        for one in slices
    ]  # fmt: skip
    top = figures.count(max(stack.total for stack in stacks))
    return timeline_chart(
        f"Tokens per {figures.seconds(slices[0].width_ms / 1000)}", stacks, top=top,
        first=figures.clock(slices[0].start_ms), last=figures.clock(slices[-1].start_ms),
    )  # fmt: skip


def _percentile(ordered: list[int], q: int) -> float | None:
    """The nearest rank, in seconds."""
    if not ordered:
        return None
    return ordered[max(0, -(-len(ordered) * q // 100) - 1)] / 1000

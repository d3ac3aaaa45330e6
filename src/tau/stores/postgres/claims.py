"""Handing out what is ready."""

import heapq
import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tau.domain.ids import RunId, WorkerId
from tau.domain.rollout import ClaimedRollout
from tau.domain.spend import Spend
from tau.errors import LeaseLost, NotFound, StoreError
from tau.ports.clock import Clock
from tau.stores import budgets, rows
from tau.stores.amounts import amount
from tau.stores.postgres.marks import Marks
from tau.stores.postgres.transaction import Opening, PostgresTransaction
from tau.stores.rows import Row


class PostgresClaimRequest(NamedTuple):
    """A worker wants up to `limit` rollouts, of any run or of one."""

    worker: WorkerId
    limit: int
    run_id: RunId | None


def opening(
    requests: Sequence[PostgresClaimRequest], clock: Clock | None, marks: Marks
) -> Opening | None:
    """The one statement that serves workers who want the same of runs without limits."""
    marked = marks.look()
    run_id = requests[0].run_id
    keys = [rows.worker_key(request.worker) for request in requests]
    if None in keys or any(request.run_id != run_id for request in requests):
        return None
    places = [
        key for key, request in zip(keys, requests, strict=True) for _ in range(request.limit)
    ]
    told = (None, None) if clock is None else (clock.monotonic_ms(), clock.unix_ms())
    return Opening("take", (*told, run_id, list(dict.fromkeys(keys)), places, *marked))


async def take(
    transaction: PostgresTransaction, requests: Sequence[PostgresClaimRequest], marks: Marks
) -> Sequence[list[ClaimedRollout] | StoreError]:
    """The oldest ready rollouts that budgets cover; a refusal where the worker is gone.

    What the opening could not serve is looked at step by step.
    """
    if transaction.opened and transaction.opened[0]["plain"]:
        taken = [row for row in transaction.opened if row["key"] is not None]
        marked = bool(marks)
        _mark(marks, taken, sum(request.limit for request in requests))
        if taken or not marked:
            made = iter([rows.claim(row, RunId(row["run_id"]), _reserved(row)) for row in taken])
            return [list(itertools.islice(made, request.limit)) for request in requests]
    return await _take(transaction, requests, marks)


def _mark(marks: Marks, found: Sequence[Row], limit: int) -> None:
    """Remember where untried rollouts begin; where few were found, some may have been hidden."""
    for row in reversed(found):
        if not row["again"]:
            marks.found(row["run"], row["key"])
    if len(found) < limit:
        marks.forget()


async def _take(
    transaction: PostgresTransaction, requests: Sequence[PostgresClaimRequest], marks: Marks
) -> Sequence[list[ClaimedRollout] | StoreError]:
    answers: list[list[ClaimedRollout] | StoreError] = [[] for _ in requests]
    by_run: dict[RunId | None, list[int]] = {}
    keys = sorted({rows.worker_key(request.worker) or 0 for request in requests})
    live = {row["key"] for row in await transaction.tuples("hold_live", keys)}
    unknown = {
        name
        for name in {request.run_id for request in requests}
        if await _absent(transaction, name)
    }
    for number, request in enumerate(requests):
        if rows.worker_key(request.worker) not in live:
            answers[number] = LeaseLost(
                f"{request.worker} was given up as dead or retired", fix="register anew"
            )
        elif request.run_id in unknown:
            answers[number] = NotFound(f"there is no run '{request.run_id}'")
        elif request.limit > 0:
            by_run.setdefault(request.run_id, []).append(number)
    for run_id, numbers in by_run.items():
        asked = [requests[number] for number in numbers]
        granted = await _grant(transaction, run_id, asked, marks)
        for number, claims in zip(numbers, granted, strict=True):
            answers[number] = claims
    return answers


async def _absent(transaction: PostgresTransaction, run_id: RunId | None) -> bool:
    return run_id is not None and await transaction.value("run_key", run_id) is None


async def _grant(
    transaction: PostgresTransaction,
    run_id: RunId | None,
    requests: Sequence[PostgresClaimRequest],
    marks: Marks,
) -> list[list[ClaimedRollout]]:
    """Serve requests with the same choice of runs."""
    limit = sum(request.limit for request in requests)
    await transaction.flush()
    held = {row["key"] for row in await transaction.tuples("hold_runs", run_id)}
    found = await transaction.rows("running_runs", None if run_id is None else [run_id])
    runs = {run["key"]: run for run in found if run["key"] in held}
    ready = [await _ready(transaction, run, limit, marks) for run in runs]
    chosen = iter(budgets.affordable(heapq.merge(*ready, key=_by_key), runs, limit))
    shares = [_share(chosen, request.limit) for request in requests]
    await _begin(transaction, requests, shares)
    return [
        [rows.claim(row, RunId(runs[row["run"]]["id"]), reserved) for row, reserved in share]
        for share in shares
    ]


async def _ready(transaction: PostgresTransaction, run: int, limit: int, marks: Marks) -> list[Row]:
    now_ms = transaction.moment.monotonic_ms()
    low = marks.low(run)
    found = await transaction.rows("ready_rollouts", run, limit, now_ms, low)
    if low and len(found) < limit:
        found = await transaction.rows("ready_rollouts", run, limit, now_ms, 0)
    _mark(marks, found, limit)
    return found


async def _begin(
    transaction: PostgresTransaction,
    requests: Sequence[PostgresClaimRequest],
    shares: Sequence[Sequence[tuple[Row, Spend]]],
) -> None:
    pairs = [
        (row["run"], row["key"], rows.worker_key(request.worker))
        for request, share in zip(requests, shares, strict=True)
        for row, _ in share
    ]
    if not pairs:
        return
    columns = map(list, zip(*pairs, strict=True))
    await transaction.tuples("begin", *columns, transaction.moment.unix_ms())
    for share in shares:
        for row, reserved in share:
            transaction.move(row["run"], row["status"], "running")
            transaction.reserve(row["run"], reserved)


def _reserved(row: Row) -> Spend:
    return amount(
        row["reserve_rollouts"], row["reserve_calls"], row["reserve_tokens"], row["reserve_cost"]
    )


def _share(chosen: Iterator[tuple[Row, Spend]], limit: int) -> list[tuple[Row, Spend]]:
    return [pair for _, pair in zip(range(limit), chosen, strict=False)]


def _by_key(row: Row) -> int:
    return int(row["key"])

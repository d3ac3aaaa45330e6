"""Handing out what is ready."""

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tau.domain.ids import RunId, WorkerId
from tau.domain.rollout import ClaimedRollout
from tau.domain.spend import Spend
from tau.errors import LeaseLost, NotFound, StoreError
from tau.ports.clock import Clock
from tau.stores import budgets, codec, rows
from tau.stores.sqlite.connection import Row
from tau.stores.sqlite.transaction import SqliteTransaction


class SqliteClaimRequest(NamedTuple):
    """A worker wants up to `limit` rollouts, of any run or of one."""

    worker: WorkerId
    limit: int
    run_id: RunId | None


class Claims:
    """Serves the requests of many workers at once, in the order in which they came."""

    def __init__(self, clock: Clock) -> None:
        """`clock` decides which retries are due."""
        self._clock = clock

    def take(
        self, transaction: SqliteTransaction, requests: Sequence[SqliteClaimRequest]
    ) -> Sequence[list[ClaimedRollout] | StoreError]:
        """The oldest ready rollouts that budgets cover; a refusal where the worker is gone."""
        answers: list[list[ClaimedRollout] | StoreError] = [[] for _ in requests]
        by_run: dict[RunId | None, list[int]] = {}
        live = _live(transaction, requests)
        for number, request in enumerate(requests):
            refusal = _refusal(transaction, request, live)
            if refusal is not None:
                answers[number] = refusal
            elif request.limit > 0:
                by_run.setdefault(request.run_id, []).append(number)
        for run_id, numbers in by_run.items():
            granted = self._grant(transaction, run_id, [requests[number] for number in numbers])
            for number, claims in zip(numbers, granted, strict=True):
                answers[number] = claims
        return answers

    def _grant(
        self,
        transaction: SqliteTransaction,
        run_id: RunId | None,
        requests: Sequence[SqliteClaimRequest],
    ) -> list[list[ClaimedRollout]]:
        """Serve requests with the same choice of runs."""
        limit = sum(request.limit for request in requests)
        transaction.flush()
        runs = {
            run["key"]: run
            for run in transaction.rows("running_runs")
            if run_id in (None, run["id"])
        }
        ready = [self._ready(transaction, run["key"], limit) for run in runs.values()]
        chosen = iter(budgets.affordable(heapq.merge(*ready, key=_by_key), runs, limit))
        shares = [_share(chosen, request.limit) for request in requests]
        self._begin(transaction, requests, shares)
        return [
            [rows.claim(row, RunId(runs[row["run"]]["id"]), reserved) for row, reserved in share]
            for share in shares
        ]

    def _ready(self, transaction: SqliteTransaction, run: int, limit: int) -> list[Row]:
        transaction.run("promote_due", (run, self._clock.monotonic_ms()))
        found = transaction.at_once("ready_rollouts", (run, limit))
        for row in found:
            row["run"] = run
        return found

    def _begin(
        self,
        transaction: SqliteTransaction,
        requests: Sequence[SqliteClaimRequest],
        shares: Sequence[Sequence[tuple[Row, Spend]]],
    ) -> None:
        pairs = []
        for request, share in zip(requests, shares, strict=True):
            worker = rows.worker_key(request.worker)
            pairs += [(row["key"], worker) for row, _ in share]
        if not pairs:
            return
        now = self._clock.unix_ms()
        transaction.run("begin_attempts", (codec.text(pairs), now))
        transaction.run("begin_rollouts", (codec.text([key for key, _ in pairs]), now))
        begun = Counter(
            (row["run"], row["status"], reserved) for share in shares for row, reserved in share
        )
        for (run, status, reserved), number in begun.items():
            transaction.move(run, status, "running", number)
            transaction.reserve(run, reserved, times=number)


def _live(transaction: SqliteTransaction, requests: Sequence[SqliteClaimRequest]) -> set[int]:
    keys = sorted({rows.worker_key(request.worker) or 0 for request in requests})
    return {key for (key,) in transaction.tuples("live_among", (codec.text(keys),))}


def _refusal(
    transaction: SqliteTransaction, request: SqliteClaimRequest, live: set[int]
) -> StoreError | None:
    if rows.worker_key(request.worker) not in live:
        return LeaseLost(f"{request.worker} was given up as dead or retired", fix="register anew")
    if request.run_id is not None and transaction.value("run_key", (request.run_id,)) is None:
        return NotFound(f"there is no run '{request.run_id}'")
    return None


def _share(chosen: Iterator[tuple[Row, Spend]], limit: int) -> list[tuple[Row, Spend]]:
    return [pair for _, pair in zip(range(limit), chosen, strict=False)]


def _by_key(row: Row) -> int:
    return int(row["key"])

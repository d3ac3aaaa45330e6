"""The trainer's side of the queue."""

from collections.abc import Iterable, Sequence
from functools import partial

from tau.domain.ids import RolloutId, RunId, WorkerId, attempt_id, rollout_id
from tau.domain.rollout import (
    Outcome,
    RolloutCounts,
    RolloutKind,
    RolloutRequest,
    RolloutResult,
    RolloutStatus,
    Submission,
)
from tau.domain.spend import Spend
from tau.errors import NotFound
from tau.ports.clock import Clock
from tau.stores import budgets, codec, leases, rows
from tau.stores.outcomes import prepared
from tau.stores.sqlite import contents
from tau.stores.sqlite.connection import Row, SqliteStatements
from tau.stores.sqlite.database import SqliteDatabase
from tau.stores.sqlite.outcomes import complete
from tau.stores.sqlite.ready import oldest_ready
from tau.stores.sqlite.runs import driver_key, run_row
from tau.stores.sqlite.transaction import SqliteTransaction
from tau.stores.submissions import NewRow, keys_of, new_row

_SETTLED = ("succeeded", "failed", "cancelled")
_CHUNK = 500
_COLUMNS = 14


def run_key(statements: SqliteStatements, run_id: RunId) -> int:
    """The integer key of a run; NotFound."""
    key = statements.value("run_key", (run_id,))
    if key is None:
        raise NotFound(f"there is no run '{run_id}'")
    return int(key)


class SqliteQueue:
    """See ports.store.Queue."""

    def __init__(self, database: SqliteDatabase, clock: Clock) -> None:
        """Shares both with the other roles."""
        self._database = database
        self._clock = clock
        self._observed: dict[RunId, int] = {}

    async def submit(self, run_id: RunId, submissions: Sequence[Submission]) -> Sequence[RolloutId]:
        return await self._database.write(
            lambda transaction: self._submit(transaction, run_id, submissions)
        )

    async def settle(
        self,
        run_id: RunId,
        known: Sequence[tuple[RolloutRequest, Outcome]],
        *,
        trainer: WorkerId,
    ) -> None:
        await self._database.write(
            lambda transaction: self._settle(transaction, run_id, known, trainer)
        )

    async def collect(
        self, run_id: RunId, rollouts: Sequence[RolloutId]
    ) -> Sequence[RolloutResult | None]:
        self._observed[run_id] = self._database.signals.count(run_id)
        keys = keys_of(run_id, rollouts)
        found: dict[int, RolloutResult] = {}
        missing: set[int] = set()
        for start in range(0, len(keys) or 1, _CHUNK):
            chunk = keys[start : start + _CHUNK]
            settled, unknown = await self._database.read(
                partial(_collect, run_id=run_id, keys=chunk)
            )
            found |= settled
            missing |= unknown
        if missing:
            raise NotFound(f"there is no rollout '{rollout_id(run_id, min(missing))}'")
        return [found.get(key) for key in keys]

    async def counts(self, run_id: RunId) -> RolloutCounts:
        self._observed[run_id] = self._database.signals.count(run_id)
        return await self._database.read(lambda statements: tally(statements, run_id))

    async def wait_settled(self, run_id: RunId, *, timeout_s: float) -> bool:
        signals = self._database.signals
        happened = await signals.wait(run_id, self._observed.get(run_id, 0), timeout_s)
        self._observed[run_id] = signals.count(run_id)
        return happened

    async def cancel(self, run_id: RunId, *, in_flight: bool = False) -> int:
        def operation(transaction: SqliteTransaction) -> int:
            run = run_key(transaction, run_id)
            queued = transaction.tuples("queued_rollouts", (run,))
            number = cancel_queued(transaction, run_id, run, queued, self._clock.unix_ms())
            if in_flight:
                held = transaction.rows("held_of_run", (run,))
                number += _cancel_held(transaction, held, self._clock.unix_ms())
            return number

        return await self._database.write(operation)

    async def requeue_failed(self, run_id: RunId, rollouts: Sequence[RolloutId]) -> int:
        keys = keys_of(run_id, rollouts)

        def operation(transaction: SqliteTransaction) -> int:
            run = run_key(transaction, run_id)
            failed = transaction.tuples("failed_among", (run, codec.text(keys)))
            chosen = codec.text(sorted({key for (key,) in failed}))
            number = len({key for (key,) in failed})
            if number:
                transaction.run("delete_results", (chosen,))
                transaction.run("requeue_rollouts", (chosen, self._clock.unix_ms()))
                transaction.move(run, RolloutStatus.FAILED, RolloutStatus.REQUEUING, number)
                transaction.claimable = True
            return number

        return await self._database.write(operation)

    async def refused(self, run_id: RunId) -> Sequence[str]:
        def query(statements: SqliteStatements) -> tuple[str, ...]:
            run = statements.row("run_budget", (run_id,))
            if run is None:
                raise NotFound(f"there is no run '{run_id}'")
            row = oldest_ready(statements, run["key"], self._clock.monotonic_ms())
            return () if row is None else budgets.refusals(run, budgets.reserve(row))

        return await self._database.read(query)

    async def next_ready_ms(self, run_id: RunId) -> int | None:
        def query(statements: SqliteStatements) -> int | None:
            run = run_key(statements, run_id)
            if statements.row("first_ready", (run,)) is not None:
                return 0
            due = statements.value("next_delayed", (run,))
            return None if due is None else max(0, due - self._clock.monotonic_ms())

        return await self._database.read(query)

    def _submit(
        self, transaction: SqliteTransaction, run_id: RunId, submissions: Sequence[Submission]
    ) -> list[RolloutId]:
        run = run_key(transaction, run_id)
        now = self._clock.unix_ms()
        requests = [submission.request for submission in submissions]
        by_hash = {request.resources.hash: request.resources for request in requests}
        resources = {
            digest: contents.store_resources(transaction, value)
            for digest, value in by_hash.items()
        }
        examples = contents.store_examples(
            transaction, [request.example for request in requests if request.example is not None]
        )
        new = [new_row(submission, run, resources, examples, now) for submission in submissions]
        first = 1 + (transaction.value("last_rollout") or 0)
        before = transaction.connection.total_changes()
        values = [value for key, row in enumerate(new, first) for value in (key, *row, now)]
        transaction.many("insert_rollout", values, _COLUMNS)
        inserted = transaction.connection.total_changes() - before
        if inserted:
            transaction.move(run, None, RolloutStatus.QUEUING, inserted)
            transaction.claimable = True
        keys: Iterable[int] = range(first, first + len(new))
        if inserted < len(new):
            keys = [_existing_key(transaction, row) for row in new]
        return [rollout_id(run_id, key) for key in keys]

    def _settle(
        self,
        transaction: SqliteTransaction,
        run_id: RunId,
        known: Sequence[tuple[RolloutRequest, Outcome]],
        trainer: WorkerId,
    ) -> None:
        """Queue, claim and complete in one go, so that nobody else can come between."""
        run = run_row(transaction, run_id)
        worker = driver_key(transaction, run, trainer)
        first = 1 + (transaction.value("last_rollout") or 0)
        free = [Submission(request=request, reserve=Spend()) for request, _ in known]
        ids = self._submit(transaction, run_id, free)
        ended = [
            (key, prepared(attempt_id(name, 1), outcome))
            for key, name, (_, outcome) in zip(keys_of(run_id, ids), ids, known, strict=True)
            if key >= first
        ]
        if not ended:
            return
        now = self._clock.unix_ms()
        keys = [key for key, _ in ended]
        transaction.run("begin_attempts", (codec.text([(key, worker) for key in keys]), now))
        transaction.run("begin_rollouts", (codec.text(keys), now))
        transaction.move(run["key"], RolloutStatus.QUEUING, RolloutStatus.RUNNING, len(keys))
        for refused in complete(transaction, [record for _, record in ended], self._clock):
            if refused is not None:
                raise refused


def _existing_key(transaction: SqliteTransaction, row: NewRow) -> int:
    run, kind, resources, example, subject, ordinal = row[:6]
    if kind == RolloutKind.EVALUATE:
        return int(transaction.value("rollout_by_evaluation", (run, resources, example, ordinal)))
    return int(transaction.value("rollout_by_proposal", (run, resources, subject, ordinal)))


def tally(statements: SqliteStatements, run_id: RunId) -> RolloutCounts:
    """The counters of a run; NotFound."""
    row = statements.row("tally", (run_id,))
    if row is None:
        raise NotFound(f"there is no run '{run_id}'")
    return rows.counts(row)


def cancel_queued(
    transaction: SqliteTransaction,
    run_id: RunId,
    run: int,
    queued: Sequence[tuple[int, str]],
    unix_ms: int,
) -> int:
    """Cancel waiting rollouts, given as (key, status); how many."""
    if not queued:
        return 0
    failure = codec.text(leases.CANCELLED)
    keys = codec.text([key for key, _ in queued])
    transaction.run("cancel_rollouts", (keys, failure, unix_ms))
    for _, status in queued:
        transaction.move(run, status, RolloutStatus.CANCELLED)
    transaction.settled.add(run_id)
    return len(queued)


def _cancel_held(transaction: SqliteTransaction, held: Sequence[Row], unix_ms: int) -> int:
    for attempt in held:
        leases.end_attempt(transaction, attempt, leases.cancelled(), unix_ms)
    by_run = [(attempt["rollout"], attempt["rollout_status"]) for attempt in held]
    if held:
        cancel_queued(transaction, held[0]["run_id"], held[0]["run"], by_run, unix_ms)
    return len(held)


def _collect(
    statements: SqliteStatements, run_id: RunId, keys: Sequence[int]
) -> tuple[dict[int, RolloutResult], set[int]]:
    """Settled results by key, and the keys nobody knows."""
    run = run_key(statements, run_id)
    asked = set(keys)
    settled = {}
    known = set()
    for row in statements.rows("collect", (codec.text(sorted(asked)),)):
        if row["run"] == run:
            known.add(row["key"])
            if row["status"] in _SETTLED:
                settled[row["key"]] = rows.result(row, run_id)
    return settled, asked - known

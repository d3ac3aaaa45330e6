"""The trainer's side of the queue."""

import asyncio
from collections.abc import Sequence

from tau.domain.ids import RolloutId, RunId, WorkerId, attempt_id, rollout_id
from tau.domain.rollout import (
    SETTLED,
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
from tau.stores import budgets, codec, leases, rows
from tau.stores.outcomes import end, prepared
from tau.stores.postgres.contents import store_examples, store_resources
from tau.stores.postgres.database import PostgresDatabase
from tau.stores.postgres.holding import hold_live, hold_named
from tau.stores.postgres.runs import check_driver, run_key, run_row
from tau.stores.postgres.statements import PostgresStatements
from tau.stores.postgres.transaction import PostgresTransaction
from tau.stores.rows import Row, worker_key
from tau.stores.submissions import NewRow, keys_of, new_row

_CHUNK = 500
_SUBMITTED_AT_ONCE = 5000


class PostgresQueue:
    """See ports.store.Queue."""

    def __init__(self, database: PostgresDatabase) -> None:
        """Shares the database with the other roles."""
        self._database = database
        self._observed: dict[RunId, int] = {}
        self._progress: dict[RunId, tuple[str, int]] = {}

    async def submit(self, run_id: RunId, submissions: Sequence[Submission]) -> Sequence[RolloutId]:
        return await self._database.write(
            lambda transaction: _submit(transaction, run_id, submissions)
        )

    async def settle(
        self,
        run_id: RunId,
        known: Sequence[tuple[RolloutRequest, Outcome]],
        *,
        trainer: WorkerId,
    ) -> None:
        await self._database.write(lambda transaction: _settle(transaction, run_id, known, trainer))

    async def collect(
        self, run_id: RunId, rollouts: Sequence[RolloutId]
    ) -> Sequence[RolloutResult | None]:
        self._observe(run_id)
        keys = keys_of(run_id, rollouts)
        found: dict[int, RolloutResult] = {}
        missing: set[int] = set()
        for start in range(0, len(keys) or 1, _CHUNK):
            chunk = keys[start : start + _CHUNK]
            settled, unknown = await self._database.read(
                lambda statements, chunk=chunk: _collect(statements, run_id, chunk)  # type: ignore[misc]
            )
            found |= settled
            missing |= unknown
        if missing:
            raise NotFound(f"there is no rollout '{rollout_id(run_id, min(missing))}'")
        return [found.get(key) for key in keys]

    async def counts(self, run_id: RunId) -> RolloutCounts:
        self._observe(run_id)

        async def query(statements: PostgresStatements) -> RolloutCounts:
            self._progress[run_id] = await _progress(statements, run_id)
            return await tally(statements, run_id)

        return await self._database.read(query)

    async def wait_settled(self, run_id: RunId, *, timeout_s: float) -> bool:
        signals = self._database.notices.signals
        self._database.notices.listen()
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout_s
        seen = self._observed.get(run_id, 0)
        while True:
            pause_s = max(0.0, min(self._database.poll_interval_s, end - loop.time()))
            happened = await signals.wait(run_id, seen, pause_s)
            if happened or await self._moved(run_id):
                self._observe(run_id)
                return True
            if loop.time() >= end:
                return False

    async def cancel(self, run_id: RunId, *, in_flight: bool = False) -> int:
        async def operation(transaction: PostgresTransaction) -> int:
            run = await run_key(transaction, run_id)
            queued = await transaction.tuples("queued_rollouts", run)
            number = await cancel_queued(transaction, run_id, run, queued)
            if in_flight:
                held = await hold_live(transaction, "held_of_run", run)
                number += _cancel_held(transaction, held)
            return number

        return await self._database.write(operation)

    async def requeue_failed(self, run_id: RunId, rollouts: Sequence[RolloutId]) -> int:
        keys = keys_of(run_id, rollouts)

        async def operation(transaction: PostgresTransaction) -> int:
            run = await run_key(transaction, run_id)
            failed = [row["key"] for row in await transaction.tuples("failed_among", run, keys)]
            if failed:
                await transaction.tuples("requeue_rollouts", failed, transaction.moment.unix_ms())
                transaction.move(run, RolloutStatus.FAILED, RolloutStatus.REQUEUING, len(failed))
                transaction.claimable = True
            return len(failed)

        return await self._database.write(operation)

    async def refused(self, run_id: RunId) -> Sequence[str]:
        async def query(statements: PostgresStatements) -> tuple[str, ...]:
            run = await statements.row("run_budget", run_id)
            if run is None:
                raise NotFound(f"there is no run '{run_id}'")
            now_ms = (await self._database.now(statements)).monotonic_ms()
            row = await statements.row("first_ready", run["key"], now_ms, 0)
            return () if row is None else budgets.refusals(run, budgets.reserve(row))

        return await self._database.read(query)

    async def next_ready_ms(self, run_id: RunId) -> int | None:
        async def query(statements: PostgresStatements) -> int | None:
            run = await run_key(statements, run_id)
            due: int | None = await statements.value("next_ready", run)
            if due is None:
                return None
            return max(0, due - (await self._database.now(statements)).monotonic_ms())

        return await self._database.read(query)

    def _observe(self, run_id: RunId) -> None:
        self._observed[run_id] = self._database.notices.signals.count(run_id)

    async def _moved(self, run_id: RunId) -> bool:
        """Whether something settled since somebody last looked; notices may be lost."""
        found = await self._database.read(lambda statements: _progress(statements, run_id))
        before = self._progress.setdefault(run_id, found)
        self._progress[run_id] = found
        return found != before


async def tally(statements: PostgresStatements, run_id: RunId) -> RolloutCounts:
    """The counters of a run; NotFound."""
    row = await statements.row("tally", run_id)
    if row is None:
        raise NotFound(f"there is no run '{run_id}'")
    return rows.counts(row)


async def cancel_queued(
    transaction: PostgresTransaction, run_id: RunId, run: int, queued: Sequence[Row]
) -> int:
    """Cancel waiting rollouts, given as rows of key and status; how many."""
    if not queued:
        return 0
    keys = [row["key"] for row in queued]
    failure = codec.text(leases.CANCELLED)
    await transaction.tuples("cancel_rollouts", run, keys, failure, transaction.moment.unix_ms())
    for row in queued:
        transaction.move(run, row["status"], RolloutStatus.CANCELLED)
    transaction.settled.add(run_id)
    return len(queued)


async def _progress(statements: PostgresStatements, run_id: RunId) -> tuple[str, int]:
    row = await statements.row("progress", run_id)
    return ("", 0) if row is None else (row["status"], row["settled"])


def _cancel_held(transaction: PostgresTransaction, held: Sequence[Row]) -> int:
    now = transaction.moment.unix_ms()
    failure = codec.text(leases.CANCELLED)
    for row in held:
        leases.end_attempt(transaction, row, leases.cancelled(), now)
        transaction.settle_later(
            (row["rollout"], RolloutStatus.CANCELLED, row["counted"], None, failure, 0, now),
            (None, None, None),
        )
        transaction.move(row["run"], row["rollout_status"], RolloutStatus.CANCELLED)
        transaction.settled.add(row["run_id"])
    return len(held)


async def _settle(
    transaction: PostgresTransaction,
    run_id: RunId,
    known: Sequence[tuple[RolloutRequest, Outcome]],
    trainer: WorkerId,
) -> None:
    """Queue, claim and complete in one go, so that nobody else can come between."""
    await transaction.tuples("hold_run", run_id)
    run = await run_row(transaction, run_id)
    await check_driver(transaction, run, trainer)
    worker = worker_key(trainer)
    before = await transaction.value("last_request") or 0
    free = [Submission(request=request, reserve=Spend()) for request, _ in known]
    ids = await _submit(transaction, run_id, free)
    keys = keys_of(run_id, ids)
    new = [
        (key, prepared(attempt_id(name, 1), outcome))
        for key, name, (_, outcome) in zip(keys, ids, known, strict=True)
        if key > before
    ]
    if not new:
        return
    moment, number = transaction.moment, len(new)
    own, made = [run["key"]] * number, [key for key, _ in new]
    await transaction.tuples("begin", own, made, [worker] * number, moment.unix_ms())
    transaction.move(run["key"], RolloutStatus.QUEUING, RolloutStatus.RUNNING, number)
    held = await hold_named(transaction, [record.attempt for _, record in new])
    for _, record in new:
        end(transaction, record, held[record.attempt], moment)


async def _submit(
    transaction: PostgresTransaction, run_id: RunId, submissions: Sequence[Submission]
) -> list[RolloutId]:
    run = await run_key(transaction, run_id)
    now = transaction.moment.unix_ms()
    requests = [submission.request for submission in submissions]
    resources = await store_resources(transaction, [one.resources for one in requests])
    examples = await store_examples(
        transaction, [one.example for one in requests if one.example is not None]
    )
    by_hash = {one.resources.hash: resources[one.resources.hash] for one in requests}
    new = [new_row(submission, run, by_hash, examples, now) for submission in submissions]
    keys: list[int] = []
    for start in range(0, len(new), _SUBMITTED_AT_ONCE):
        chunk = new[start : start + _SUBMITTED_AT_ONCE]
        columns = map(list, zip(*chunk, strict=True))
        inserted = await transaction.tuples("insert_rollouts", *columns)
        if inserted:
            transaction.move(run, None, RolloutStatus.QUEUING, len(inserted))
            transaction.claimable = True
        if len(inserted) == len(chunk):
            keys += sorted(row["key"] for row in inserted)
        else:
            keys += await _known_keys(transaction, run, chunk)
    return [rollout_id(run_id, key) for key in keys]


async def _known_keys(
    transaction: PostgresTransaction, run: int, new: Sequence[NewRow]
) -> list[int]:
    """The keys of rollouts that are all there by now, in order."""
    found: dict[tuple[str, int, object, int], int] = {}
    for kind, statement, subject in (
        (RolloutKind.EVALUATE, "evaluation_keys", 3),
        (RolloutKind.PROPOSE, "proposal_keys", 4),
    ):
        asked = [(row[2], row[subject], row[5]) for row in new if row[1] == kind]
        if asked:
            columns = map(list, zip(*asked, strict=True))
            for row in await transaction.tuples(statement, run, *columns):
                found[kind, row[1], row[2], row[3]] = row[0]
    return [
        found[row[1], row[2], row[3] if row[1] == RolloutKind.EVALUATE else row[4], row[5]]
        for row in new
    ]


async def _collect(
    statements: PostgresStatements, run_id: RunId, keys: Sequence[int]
) -> tuple[dict[int, RolloutResult], set[int]]:
    """Settled results by key, and the keys nobody knows."""
    run = await run_key(statements, run_id)
    asked = set(keys)
    settled = {}
    known = set()
    for row in await statements.rows("collect", sorted(asked)):
        if row["run"] == run:
            known.add(row["key"])
            if row["status"] in SETTLED:
                settled[row["key"]] = rows.result(row, run_id)
    return settled, asked - known

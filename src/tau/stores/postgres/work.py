"""The worker's side: claims, heartbeats and outcomes, all fenced."""

import asyncio
from collections.abc import Sequence

from tau.domain.ids import AttemptId, ResourcesHash, RunId, WorkerId
from tau.domain.resources import Resources
from tau.domain.rollout import ClaimedRollout, Outcome
from tau.domain.span import Span
from tau.domain.spend import Spend
from tau.domain.worker import ProcessIdentity, WorkerRecord, WorkerRole
from tau.errors import NotFound, StoreError, StoreUnavailable
from tau.stores import budgets, codec, leases, outcomes, rows
from tau.stores.postgres import claims, successes
from tau.stores.postgres.batches import Batch
from tau.stores.postgres.claims import PostgresClaimRequest
from tau.stores.postgres.database import Operation, PostgresDatabase
from tau.stores.postgres.holding import give_up_worker, hold_all, hold_named
from tau.stores.postgres.liveness import SharedLiveness
from tau.stores.postgres.marks import Marks
from tau.stores.postgres.statements import PostgresStatements, storable
from tau.stores.postgres.transaction import PostgresTransaction
from tau.stores.rows import Row
from tau.stores.signals import READY

_FEW = 100
"""Claims of fewer rollouts are put together with others where that takes one commit's time."""


class PostgresWork:
    """See ports.store.Work."""

    def __init__(self, database: PostgresDatabase, liveness: SharedLiveness) -> None:
        """Shares both with the other roles."""
        self._database = database
        self._liveness = liveness
        self._marks = Marks()
        self._ends: Batch[outcomes.Record, None] = Batch(
            database,
            self._complete,
            opening=lambda records: successes.opening(records, database.clock),
        )
        self._claims: Batch[PostgresClaimRequest, list[ClaimedRollout]] = Batch(
            database,
            lambda transaction, requests: claims.take(transaction, requests, self._marks),
            opening=lambda requests: claims.opening(requests, database.clock, self._marks),
            undo=self._give_back,
            before=self._let_others_ask,
        )
        self._claimed_for: set[RunId | None] = set()
        self._in_doubt: set[AttemptId] = set()
        self._look: asyncio.Task[tuple[bool, int | None]] | None = None
        self._told_at = -1

    async def aclose(self) -> None:
        """Serve what was asked."""
        await self._ends.aclose()
        await self._claims.aclose()

    async def register(
        self,
        *,
        name: str,
        role: WorkerRole,
        process: ProcessIdentity,
        lease_ms: int,
        offers: Sequence[str] = (),
    ) -> WorkerRecord:
        async def operation(transaction: PostgresTransaction) -> WorkerRecord:
            moment = transaction.moment
            row = await transaction.row(
                "insert_worker", storable(name), role, storable(process.host), process.boot_id,
                process.pid_namespace, process.pid, process.started_ticks, lease_ms,
                moment.unix_ms(), moment.monotonic_ms(), codec.text(list(offers)),
            )  # fmt: skip
            assert row is not None
            return rows.worker(row)

        return await self._database.write(operation)

    async def claim(
        self, worker: WorkerId, *, limit: int, run_id: RunId | None = None
    ) -> Sequence[ClaimedRollout]:
        self._claimed_for.add(run_id)
        return await self._claims.ask(PostgresClaimRequest(worker, limit, run_id))

    async def wait_ready(self, *, timeout_s: float) -> bool:
        signals = self._database.notices.signals
        self._database.notices.listen()
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout_s
        while True:
            seen = signals.count(READY)
            ready, due_ms = await self._looked()
            if ready and self._told_at != seen:
                self._told_at = seen
                return True
            left_s = end - loop.time()
            pause_s = self._database.poll_interval_s
            if due_ms is not None and not ready:
                pause_s = min(pause_s, due_ms / 1000)
            if await signals.wait(READY, seen, max(0.0, min(pause_s, left_s))):
                return True
            if ready and pause_s < left_s:
                return True  # told before and still there: somebody else's claim has to come
            if loop.time() >= end:
                return False

    async def beat(self, workers: Sequence[WorkerId]) -> Sequence[WorkerId]:
        keys = [rows.worker_key(worker) for worker in workers]
        asked = [key for key in keys if key is not None]

        async def operation(transaction: PostgresTransaction) -> set[int]:
            moment = transaction.moment
            beaten = await transaction.tuples(
                "beat_workers", asked, moment.monotonic_ms(), moment.unix_ms()
            )
            return {row["key"] for row in beaten}

        live = await self._database.write(operation)
        return [worker for worker, key in zip(workers, keys, strict=True) if key not in live]

    async def complete(self, attempt: AttemptId, outcome: Outcome) -> None:
        record = outcomes.prepared(attempt, outcome)
        try:
            await self._ends.ask(record)
        except StoreUnavailable:
            self._in_doubt.add(attempt)
            raise
        self._in_doubt.discard(attempt)

    async def release(self, attempts: Sequence[AttemptId], *, spent: Spend | None = None) -> None:
        await self._database.write(
            lambda transaction: _release(transaction, attempts, spent or Spend())
        )

    async def append_spans(self, attempt: AttemptId, spans: Sequence[Span]) -> None:
        async def operation(transaction: PostgresTransaction) -> None:
            held = (await hold_all(transaction, [attempt]))[attempt]
            if not outcomes.is_live(held):
                raise outcomes.lease_lost(attempt, held)
            outcomes.store_spans(transaction, held, spans)
            last = (held["last_sequence"] or 0) + len(spans)
            await transaction.tuples("number_spans", held["rollout"], held["n"], last or None)

        await self._database.write(operation)

    async def resources(self, resources: ResourcesHash) -> Resources:
        async def query(statements: PostgresStatements) -> Resources:
            row = await statements.row("resources_by_hash", resources)
            if row is None:
                raise NotFound(f"there are no resources {resources[:12]}")
            return rows.resources(row)

        return await self._database.read(query)

    async def reap(self) -> int:
        first = self._liveness.first_look

        async def query(statements: PostgresStatements) -> list[Row]:
            self._liveness.tell(await self._database.now(statements))
            return await statements.rows("live_workers")

        workers = await self._database.read(query)
        self._liveness.look()
        suspects = {
            worker["key"]: leases.gone() if first and self._liveness.dead(worker) else leases.lost()
            for worker in workers
            if (first and self._liveness.dead(worker)) or self._liveness.expired(worker)
        }
        if first:
            await self._database.write(_prune)
        return sum([await self._give_up(key, end) for key, end in suspects.items()])

    async def retire(self, workers: Sequence[WorkerId]) -> None:
        keys = sorted(key for key in map(rows.worker_key, workers) if key is not None)

        async def operation(transaction: PostgresTransaction) -> None:
            for key in keys:
                row = await transaction.row("lock_worker", key)
                if row is not None and row["state"] == "live":
                    await give_up_worker(transaction, key, "retired", leases.released(Spend()))

        await self._database.write(operation)

    async def _complete(
        self, transaction: PostgresTransaction, records: Sequence[outcomes.Record]
    ) -> list[StoreError | None]:
        """Write outcomes; what is not accepted is answered with the reason, its spend booked."""
        answers: list[StoreError | None] = [None] * len(records)
        done = successes.recorded(transaction)
        left: dict[int, outcomes.Record] = {}
        for number, record in enumerate(records):
            if record.attempt in done:
                done.remove(record.attempt)  # a second outcome in the same turn comes too late
            else:
                left[number] = record
        held = await hold_named(transaction, [record.attempt for record in left.values()])
        for number, record in left.items():
            answers[number] = await self._end(transaction, record, held.get(record.attempt))
        return answers

    async def _end(
        self, transaction: PostgresTransaction, record: outcomes.Record, row: Row | None
    ) -> StoreError | None:
        """Write an outcome, or say why not."""
        if row is None:
            return outcomes.unknown(record.attempt)
        if outcomes.is_live(row):
            outcomes.end(transaction, record, row, transaction.moment)
            row["live"] = None  # a second outcome in the same turn comes too late
            return None
        if await self._stands(transaction, record, row):
            return None
        leases.book_late(transaction, row, record.outcome.spent)
        return outcomes.lease_lost(record.attempt, row)

    async def _stands(
        self, transaction: PostgresTransaction, record: outcomes.Record, row: Row
    ) -> bool:
        """Whether this very outcome was recorded when the answer to it was lost."""
        if record.attempt not in self._in_doubt:
            return False
        found = await transaction.row("recorded", row["rollout"], row["n"])
        if found is None:
            return False
        return found["digest"] is None or found["digest"] == record.result[-1]

    async def _let_others_ask(self, requests: Sequence[PostgresClaimRequest]) -> None:
        """A few claims wait for outcomes under way: their workers will want more, too."""
        if sum(request.limit for request in requests) < _FEW:
            await self._ends.quiet()

    def _give_back(self, taken: list[ClaimedRollout]) -> Operation[None] | None:
        """Claims whose caller was cancelled go back, as nobody will ever complete them."""
        attempts = [claim.attempt_id for claim in taken]
        if not attempts:
            return None
        return lambda transaction: _release(transaction, attempts, Spend())

    async def _give_up(self, worker: int, end: leases.End) -> int:
        async def operation(transaction: PostgresTransaction) -> int:
            row = await transaction.row("lock_worker", worker)
            if row is None or row["state"] != "live":
                return 0
            self._liveness.tell(transaction.moment)
            if end.counted and not self._liveness.expired(row):
                return 0  # it has beaten since we looked
            return await give_up_worker(transaction, worker, "lost", end)

        return await self._database.write(operation)

    async def _looked(self) -> tuple[bool, int | None]:
        """Whether something can be claimed, else in how many milliseconds; one look for all."""
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(self._database.read(self._something_ready))
        return await asyncio.shield(self._look)

    async def _something_ready(self, statements: PostgresStatements) -> tuple[bool, int | None]:
        wanted = self._claimed_for or {None}
        names = None if None in wanted else [name for name in wanted if name is not None]
        now_ms = (await self._database.now(statements)).monotonic_ms()
        due: list[int] = []
        for run in await statements.rows("running_runs", names):
            row = None
            for low in {self._marks.low(run["key"]): None, 0: None}:  # a mark is only a hint
                row = row or await statements.row("first_ready", run["key"], now_ms, low)
            if row is None:
                next_ms = await statements.value("next_ready", run["key"])
                due += [] if next_ms is None else [max(1, next_ms - now_ms)]
            elif not budgets.refusals(run, budgets.reserve(row)):
                return True, None
        return False, min(due, default=None)


async def _release(
    transaction: PostgresTransaction, attempts: Sequence[AttemptId], spent: Spend
) -> None:
    held = await hold_all(transaction, attempts)
    for attempt in dict.fromkeys(attempts):
        if outcomes.is_live(held[attempt]):
            end = leases.released(spent)
            leases.take_away(transaction, held[attempt], end, transaction.moment.unix_ms())
            spent = Spend()


async def _prune(transaction: PostgresTransaction) -> None:
    await transaction.tuples("prune_receipts")

"""The worker's side: claims, heartbeats and outcomes, all fenced."""

import asyncio
from collections.abc import Sequence

from tau.domain.ids import AttemptId, ResourcesHash, RunId, WorkerId
from tau.domain.resources import Resources
from tau.domain.rollout import ClaimedRollout, Outcome
from tau.domain.span import Span
from tau.domain.spend import Spend
from tau.domain.worker import ProcessIdentity, WorkerRecord, WorkerRole
from tau.errors import NotFound, StoreError
from tau.ports.clock import Clock
from tau.ports.processes import Processes
from tau.stores import budgets, codec, leases, rows
from tau.stores.liveness import Liveness
from tau.stores.outcomes import Record, is_live, lease_lost, prepared, store_spans
from tau.stores.signals import READY
from tau.stores.sqlite import outcomes
from tau.stores.sqlite.claims import Claims, SqliteClaimRequest
from tau.stores.sqlite.connection import Row, SqliteStatements, Value
from tau.stores.sqlite.database import SqliteDatabase
from tau.stores.sqlite.machine import refuse_another
from tau.stores.sqlite.outcomes import held_attempt
from tau.stores.sqlite.ready import oldest_ready
from tau.stores.sqlite.surrender import give_up_worker
from tau.stores.sqlite.transaction import SqliteTransaction


class SqliteWork:
    """See ports.store.Work."""

    def __init__(
        self, database: SqliteDatabase, clock: Clock, liveness: Liveness, processes: Processes
    ) -> None:
        """Shares all of them with the other roles."""
        self._database = database
        self._clock = clock
        self._processes = processes
        self._liveness = liveness
        self._claims = Claims(clock)
        self._claimed_for: set[RunId | None] = set()
        self._told_at = -1

    async def register(
        self,
        *,
        name: str,
        role: WorkerRole,
        process: ProcessIdentity,
        lease_ms: int,
        offers: Sequence[str] = (),
    ) -> WorkerRecord:
        def operation(transaction: SqliteTransaction) -> WorkerRecord:
            refuse_another(transaction, process, self._clock.unix_ms())
            row: dict[str, Value] = {
                "name": name,
                "role": role,
                "offers": codec.text(list(offers)),
                "host": process.host,
                "boot_id": process.boot_id,
                "pid_namespace": process.pid_namespace,
                "pid": process.pid,
                "started_ticks": process.started_ticks,
                "lease_ms": lease_ms,
                "unix_ms": self._clock.unix_ms(),
                "now": self._clock.monotonic_ms(),
            }
            key = transaction.value("insert_worker", row)
            found = transaction.row("worker", (key,))
            assert found is not None
            return rows.worker(found)

        return await self._database.write(operation)

    async def claim(
        self, worker: WorkerId, *, limit: int, run_id: RunId | None = None
    ) -> Sequence[ClaimedRollout]:
        self._claimed_for.add(run_id)
        return await self._database.write_together(
            self._claims.take, SqliteClaimRequest(worker, limit, run_id), undo=self._give_back
        )

    async def wait_ready(self, *, timeout_s: float) -> bool:
        signals = self._database.signals
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout_s
        seen = signals.count(READY)
        if await self._database.read(self._something_ready):
            if self._told_at != seen:
                self._told_at = seen
                return True
            # Told before and still there, so somebody else's claim has to come: do not spin.
            pause = min(self._database.poll_interval_s, timeout_s)
            if await signals.wait(READY, seen, pause) or pause < timeout_s:
                return True
        return await signals.wait(READY, seen, max(0.0, end - loop.time()))

    async def beat(self, workers: Sequence[WorkerId]) -> Sequence[WorkerId]:
        keys = [rows.worker_key(worker) for worker in workers]
        asked = codec.text([key for key in keys if key is not None])

        def operation(transaction: SqliteTransaction) -> set[int]:
            live = {key for (key,) in transaction.tuples("live_among", (asked,))}
            if live:
                now = (self._clock.monotonic_ms(), self._clock.unix_ms())
                transaction.run("beat_workers", (asked, *now))
            return live

        live = await self._database.write(operation)
        return [worker for worker, key in zip(workers, keys, strict=True) if key not in live]

    async def complete(self, attempt: AttemptId, outcome: Outcome) -> None:
        record = prepared(attempt, outcome)
        await self._database.write_together(self._complete, record)

    async def release(self, attempts: Sequence[AttemptId], *, spent: Spend | None = None) -> None:
        def operation(transaction: SqliteTransaction) -> None:
            self._release(transaction, attempts, spent or Spend())

        await self._database.write(operation)

    async def append_spans(self, attempt: AttemptId, spans: Sequence[Span]) -> None:
        def operation(transaction: SqliteTransaction) -> None:
            held = held_attempt(transaction, attempt)
            if not is_live(held):
                raise lease_lost(attempt, held)
            store_spans(transaction, held, spans)

        await self._database.write(operation)

    async def resources(self, resources: ResourcesHash) -> Resources:
        def query(statements: SqliteStatements) -> Resources:
            row = statements.row("resources_by_hash", (resources,))
            if row is None:
                raise NotFound(f"there are no resources {resources[:12]}")
            return rows.resources(row)

        return await self._database.read(query)

    async def reap(self) -> int:
        first = self._liveness.first_look
        here, now = self._processes.this(), self._clock.unix_ms()

        def operation(statements: SqliteStatements) -> Sequence[Row]:
            refuse_another(statements, here, now)
            return statements.rows("live_workers")

        workers = await self._database.read(operation)
        self._liveness.look()
        gone = self._gone(workers, first=first)
        suspects = {
            worker["key"]: leases.gone() if worker["key"] in gone else leases.lost()
            for worker in workers
            if worker["key"] in gone or self._liveness.expired(worker)
        }
        if not suspects:
            return 0
        return await self._database.write(lambda transaction: self._give_up(transaction, suspects))

    async def retire(self, workers: Sequence[WorkerId]) -> None:
        keys = [rows.worker_key(worker) for worker in workers]

        def operation(transaction: SqliteTransaction) -> None:
            now = self._clock.unix_ms()
            for key in keys:
                if key is not None and transaction.value("worker_state", (key,)) == "live":
                    end = leases.released(Spend())
                    give_up_worker(transaction, key, "retired", end, now)

        await self._database.write(operation)

    def _complete(
        self, transaction: SqliteTransaction, records: list[Record]
    ) -> list[StoreError | None]:
        return outcomes.complete(transaction, records, self._clock)

    def _give_back(self, claims: Sequence[ClaimedRollout]) -> "outcomes.Operation | None":
        """Claims whose caller was cancelled go back, as nobody will ever complete them."""
        attempts = [claim.attempt_id for claim in claims]
        if not attempts:
            return None
        return lambda transaction: self._release(transaction, attempts, Spend())

    def _release(
        self, transaction: SqliteTransaction, attempts: Sequence[AttemptId], spent: Spend
    ) -> None:
        now = self._clock.unix_ms()
        for attempt in attempts:
            held = held_attempt(transaction, attempt)
            if is_live(held):
                leases.take_away(transaction, held, leases.released(spent), now)
                spent = Spend()

    def _gone(self, workers: Sequence[Row], *, first: bool) -> set[int]:
        """Those whose process is gone; each process is asked after once, however many it hosts."""
        judge = self._liveness.dead if first else self._liveness.other_boot
        known: dict[ProcessIdentity, bool] = {}
        gone = set()
        for worker in workers:
            process = rows.process(worker)
            if process not in known:
                known[process] = judge(worker)
            if known[process]:
                gone.add(worker["key"])
        return gone

    def _give_up(self, transaction: SqliteTransaction, suspects: dict[int, leases.End]) -> int:
        number = 0
        now = self._clock.unix_ms()
        for key, end in suspects.items():
            worker = transaction.row("worker", (key,))
            if worker is None or worker["state"] != "live":
                continue
            if end.counted and not self._liveness.expired(worker):
                continue  # it has beaten since we looked
            number += give_up_worker(transaction, key, "lost", end, now)
        return number

    def _something_ready(self, statements: SqliteStatements) -> bool:
        wanted = self._claimed_for or {None}
        now_ms = self._clock.monotonic_ms()
        for run in statements.rows("running_runs"):
            if None not in wanted and run["id"] not in wanted:
                continue
            row = oldest_ready(statements, run["key"], now_ms)
            if row is not None and not budgets.refusals(run, budgets.reserve(row)):
                return True
        return False

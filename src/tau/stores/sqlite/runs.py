"""The ledger of runs."""

from collections.abc import Sequence
from dataclasses import asdict

from tau.domain import transitions
from tau.domain.ids import RunId, WorkerId
from tau.domain.json import canonical
from tau.domain.run import Run, RunStatus, StopReason
from tau.domain.spend import Budget
from tau.errors import Conflict, LeaseLost, NotFound, RunActive
from tau.ports.clock import Clock
from tau.stores import leases, rows
from tau.stores.liveness import Liveness
from tau.stores.sqlite.connection import Row, SqliteStatements, Value
from tau.stores.sqlite.database import SqliteDatabase
from tau.stores.sqlite.surrender import give_up_worker
from tau.stores.sqlite.transaction import SqliteTransaction


def run_row(statements: SqliteStatements, run_id: str) -> Row:
    """The row of a run; NotFound."""
    row = statements.row("run_by_id", {"id": run_id})
    if row is None:
        raise NotFound(f"there is no run '{run_id}'")
    return row


def driver_key(transaction: SqliteTransaction, run: Row, trainer: WorkerId) -> int:
    """The key of `trainer` if it drives `run` and is live; LeaseLost."""
    key = rows.worker_key(trainer)
    if key is None or run["trainer"] != key:
        raise LeaseLost(f"{trainer} does not drive run '{run['id']}'")
    if transaction.value("worker_state", (key,)) != "live":
        raise LeaseLost(f"{trainer} was given up as dead")
    return key


class SqliteRuns:
    """See ports.store.Runs."""

    def __init__(self, database: SqliteDatabase, clock: Clock, liveness: Liveness) -> None:
        """Shares all three with the other roles."""
        self._database = database
        self._clock = clock
        self._liveness = liveness

    async def create(self, run: Run) -> Run:
        content = canonical(dict(run.config)).decode()
        row: dict[str, Value] = {
            "id": run.id,
            "config_hash": run.config_hash,
            "model_ref": run.model_ref,
            "seed": str(run.seed),
            "algorithm": run.algorithm,
            "config": content,
            "now": self._clock.unix_ms(),
            "active_s": run.active_s,
            **_limits(run.budget, run.max_attempts),
        }
        row["digest"] = rows.run_digest(row)

        def operation(transaction: SqliteTransaction) -> Run:
            if transaction.value("run_key", (run.id,)) is not None:
                raise Conflict(f"there is a run '{run.id}' already")
            key = transaction.value("insert_run", row)
            transaction.run("insert_tally", {"run": key, **asdict(run.spent)})
            return rows.run(run_row(transaction, run.id))

        return await self._database.write(operation)

    async def get(self, run_id: RunId) -> Run:
        return await self._database.read(lambda statements: rows.run(run_row(statements, run_id)))

    async def find(self, config_hash: str) -> Sequence[Run]:
        return await self._database.read(
            lambda statements: [
                rows.run(row)
                for row in statements.rows("runs_by_config", {"config_hash": config_hash})
            ]
        )

    async def adopt(
        self, run_id: RunId, trainer: WorkerId, *, budget: Budget, max_attempts: int
    ) -> Run:
        limits = _limits(budget, max_attempts)
        return await self._database.write(
            lambda transaction: self._adopt(transaction, run_id, trainer, limits)
        )

    async def set_status(
        self,
        run_id: RunId,
        status: RunStatus,
        *,
        trainer: WorkerId | None = None,
        reason: StopReason | None = None,
        detail: str | None = None,
    ) -> Run:
        def operation(transaction: SqliteTransaction) -> Run:
            row = run_row(transaction, run_id)
            if trainer is not None:
                driver_key(transaction, row, trainer)
            old = RunStatus(row["status"])
            if old is not status:
                transitions.check(transitions.RUN, f"run '{run_id}'", old, status)
            change = {
                "key": row["key"],
                "status": status,
                "reason": reason,
                "detail": detail,
                "now": self._clock.unix_ms(),
            }
            transaction.run("update_run_status", change)
            transaction.claimable = True
            transaction.settled.add(run_id)
            transaction.flush()
            return rows.run(run_row(transaction, run_id))

        return await self._database.write(operation)

    async def book_time(self, run_id: RunId, *, trainer: WorkerId, active_s: float) -> None:
        def operation(transaction: SqliteTransaction) -> None:
            row = run_row(transaction, run_id)
            driver_key(transaction, row, trainer)
            transaction.run("add_run_time", (row["key"], active_s, self._clock.unix_ms()))

        await self._database.write(operation)

    async def mark_reported(self, run_id: RunId) -> None:
        def operation(transaction: SqliteTransaction) -> None:
            transaction.run("mark_reported", (run_row(transaction, run_id)["key"],))

        await self._database.write(operation)

    def _adopt(
        self,
        transaction: SqliteTransaction,
        run_id: RunId,
        trainer: WorkerId,
        limits: dict[str, Value],
    ) -> Run:
        row = run_row(transaction, run_id)
        key = rows.worker_key(trainer)
        if key is None or transaction.value("worker_state", (key,)) != "live":
            raise LeaseLost(f"{trainer} is no live worker")
        old = RunStatus(row["status"])
        if old is not RunStatus.RUNNING:
            transitions.check(transitions.RUN, f"run '{run_id}'", old, RunStatus.RUNNING)
        self._refuse_if_driven(transaction, row, key)
        now = self._clock.unix_ms()
        for worker in transaction.rows("live_workers"):
            if worker["key"] != key and self._liveness.gone(worker):
                give_up_worker(transaction, worker["key"], "lost", leases.gone(), now)
        driver: dict[str, Value] = {"key": row["key"], "trainer": key, "now": now}
        transaction.run("update_run_driver", driver | limits)
        transaction.claimable = True
        transaction.settled.add(run_id)
        transaction.flush()
        return rows.run(run_row(transaction, run_id))

    def _refuse_if_driven(self, transaction: SqliteTransaction, run: Row, trainer: int) -> None:
        if run["trainer"] in (None, trainer) or run["status"] not in ("running", "paused"):
            return
        driver = transaction.row("worker", (run["trainer"],))
        if driver is None or driver["state"] != "live" or self._liveness.gone(driver):
            return
        raise RunActive(
            f"run '{run['id']}' is being driven by another process",
            where=f"process {driver['pid']} on {driver['host']}",
            fix="let it finish, stop it, or join it as a worker",
        )


def _limits(budget: Budget, max_attempts: int) -> dict[str, Value]:
    return {
        "limit_rollouts": budget.rollouts,
        "limit_calls": budget.calls,
        "limit_tokens": budget.tokens,
        "limit_cost": budget.cost_nano_usd,
        "limit_seconds": budget.seconds,
        "max_attempts": max_attempts,
    }

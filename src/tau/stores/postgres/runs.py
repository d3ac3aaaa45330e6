"""The ledger of runs."""

from collections.abc import Sequence

from tau.domain import transitions
from tau.domain.ids import RunId, WorkerId
from tau.domain.json import canonical
from tau.domain.run import Run, RunStatus, StopReason
from tau.domain.spend import Budget
from tau.errors import Conflict, LeaseLost, NotFound, RunActive
from tau.stores import leases, rows
from tau.stores.postgres.database import PostgresDatabase
from tau.stores.postgres.holding import give_up_worker
from tau.stores.postgres.liveness import SharedLiveness
from tau.stores.postgres.statements import PostgresStatements, storable
from tau.stores.postgres.transaction import PostgresTransaction
from tau.stores.rows import Row


async def run_row(statements: PostgresStatements, run_id: str) -> Row:
    """The row of a run; NotFound."""
    row = await statements.row("run_by_id", run_id)
    if row is None:
        raise NotFound(f"there is no run '{run_id}'")
    return row


async def run_key(statements: PostgresStatements, run_id: str) -> int:
    """The integer key of a run; NotFound."""
    key = await statements.value("run_key", run_id)
    if key is None:
        raise NotFound(f"there is no run '{run_id}'")
    return int(key)


async def driven_run(transaction: PostgresTransaction, run_id: RunId, trainer: WorkerId) -> Row:
    """The row of a run that `trainer` drives, and goes on driving until the commit; LeaseLost."""
    await transaction.tuples("hold_run", run_id)
    row = await run_row(transaction, run_id)
    await check_driver(transaction, row, trainer)
    return row


async def check_driver(transaction: PostgresTransaction, run: Row, trainer: WorkerId) -> None:
    """Raise LeaseLost unless `trainer` drives `run` and is live."""
    key = rows.worker_key(trainer)
    if key is None or run["trainer"] != key:
        raise LeaseLost(f"{trainer} does not drive run '{run['id']}'")
    if await transaction.value("worker_state", key) != "live":
        raise LeaseLost(f"{trainer} was given up as dead")


class PostgresRuns:
    """See ports.store.Runs."""

    def __init__(self, database: PostgresDatabase, liveness: SharedLiveness) -> None:
        """Shares both with the other roles."""
        self._database = database
        self._liveness = liveness

    async def create(self, run: Run) -> Run:
        row = {
            "id": run.id,
            "config_hash": run.config_hash,
            "model_ref": storable(run.model_ref),
            "seed": str(run.seed),
            "algorithm": run.algorithm,
            "config": canonical(dict(run.config)).decode(),
        }
        digest = rows.run_digest(row)
        limits = _limits(run.budget, run.max_attempts)

        async def operation(transaction: PostgresTransaction) -> Run:
            now = transaction.moment.unix_ms()
            key = await transaction.value(
                "insert_run", *row.values(), *limits, now, run.active_s, digest
            )
            if key is None:
                raise Conflict(f"there is a run '{run.id}' already")
            spent = run.spent
            await transaction.tuples(
                "insert_tally",
                key,
                spent.rollouts,
                spent.calls,
                spent.tokens,
                spent.cost_nano_usd,
                spent.assumed_tokens,
                spent.assumed_cost_nano_usd,
            )
            return rows.run(await run_row(transaction, run.id))

        return await self._database.write(operation)

    async def get(self, run_id: RunId) -> Run:
        async def query(statements: PostgresStatements) -> Run:
            return rows.run(await run_row(statements, run_id))

        return await self._database.read(query)

    async def find(self, config_hash: str) -> Sequence[Run]:
        async def query(statements: PostgresStatements) -> list[Run]:
            return [rows.run(row) for row in await statements.rows("runs_by_config", config_hash)]

        return await self._database.read(query)

    async def adopt(
        self, run_id: RunId, trainer: WorkerId, *, budget: Budget, max_attempts: int
    ) -> Run:
        async def look(statements: PostgresStatements) -> list[Row]:
            self._liveness.tell(await self._database.now(statements))
            await self._check_free(statements, run_id, trainer)
            return await statements.rows("live_workers")

        async def operation(transaction: PostgresTransaction) -> Run:
            await transaction.tuples("lock_run", run_id)
            self._liveness.tell(transaction.moment)
            row = await self._check_free(transaction, run_id, trainer)
            now = transaction.moment.unix_ms()
            limits = _limits(budget, max_attempts)
            await transaction.tuples(
                "update_run_driver", row["key"], rows.worker_key(trainer), *limits, now
            )
            transaction.claimable = True
            transaction.settled.add(run_id)
            return rows.run(await run_row(transaction, run_id))

        for worker in await self._database.read(look):
            if worker["key"] != rows.worker_key(trainer) and self._liveness.gone(worker):
                await self._give_up(worker["key"])
        return await self._database.write(operation)

    async def set_status(
        self,
        run_id: RunId,
        status: RunStatus,
        *,
        trainer: WorkerId | None = None,
        reason: StopReason | None = None,
        detail: str | None = None,
    ) -> Run:
        async def operation(transaction: PostgresTransaction) -> Run:
            await transaction.tuples("lock_run", run_id)
            row = await run_row(transaction, run_id)
            if trainer is not None:
                await check_driver(transaction, row, trainer)
            old = RunStatus(row["status"])
            if old is not status:
                transitions.check(transitions.RUN, f"run '{run_id}'", old, status)
            now = transaction.moment.unix_ms()
            await transaction.tuples(
                "update_run_status", row["key"], status, reason, storable(detail), now
            )
            transaction.claimable = True
            transaction.settled.add(run_id)
            return rows.run(await run_row(transaction, run_id))

        return await self._database.write(operation)

    async def book_time(self, run_id: RunId, *, trainer: WorkerId, active_s: float) -> None:
        async def operation(transaction: PostgresTransaction) -> None:
            await transaction.tuples("lock_run", run_id)
            row = await run_row(transaction, run_id)
            await check_driver(transaction, row, trainer)
            now = transaction.moment.unix_ms()
            await transaction.tuples("add_run_time", row["key"], active_s, now)

        await self._database.write(operation)

    async def mark_reported(self, run_id: RunId) -> None:
        async def operation(transaction: PostgresTransaction) -> None:
            row = await run_row(transaction, run_id)
            await transaction.tuples("mark_reported", row["key"])

        await self._database.write(operation)

    async def _give_up(self, worker: int) -> None:
        async def operation(transaction: PostgresTransaction) -> None:
            row = await transaction.row("lock_worker", worker)
            self._liveness.tell(transaction.moment)
            if row is not None and row["state"] == "live" and self._liveness.gone(row):
                await give_up_worker(transaction, worker, "lost", leases.gone())

        await self._database.write(operation)

    async def _check_free(
        self, statements: PostgresStatements, run_id: RunId, trainer: WorkerId
    ) -> Row:
        """The run's row; refuse where it is over, the trainer is no more, or another one drives."""
        run = await run_row(statements, run_id)
        key = rows.worker_key(trainer)
        if key is None or await statements.value("worker_state", key) != "live":
            raise LeaseLost(f"{trainer} is no live worker")
        old = RunStatus(run["status"])
        if old is not RunStatus.RUNNING:
            transitions.check(transitions.RUN, f"run '{run_id}'", old, RunStatus.RUNNING)
        if run["trainer"] in (None, key) or run["status"] not in ("running", "paused"):
            return run
        driver = await statements.row("worker", run["trainer"])
        if driver is None or driver["state"] != "live" or self._liveness.gone(driver):
            return run
        raise RunActive(
            f"run '{run['id']}' is being driven by another process",
            where=f"process {driver['pid']} on {driver['host']}",
            fix="let it finish, stop it, or join it as a worker: tau worker",
        )


def _limits(
    budget: Budget, max_attempts: int
) -> tuple[int | None, int | None, int | None, int | None, float | None, int]:
    return (
        budget.rollouts,
        budget.calls,
        budget.tokens,
        budget.cost_nano_usd,
        budget.seconds,
        max_attempts,
    )

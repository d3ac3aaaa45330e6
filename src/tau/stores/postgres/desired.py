"""What is desired of runs."""

from dataclasses import replace

from tau.domain.actions import ControlState, DesiredState
from tau.domain.ids import RunId
from tau.stores.desired import desired_state, overtaken, values
from tau.stores.postgres.database import PostgresDatabase
from tau.stores.postgres.runs import run_key
from tau.stores.postgres.statements import PostgresStatements, storable
from tau.stores.postgres.transaction import PostgresTransaction


class PostgresDesiredStates:
    """See ports.store.DesiredStates."""

    def __init__(self, database: PostgresDatabase) -> None:
        """Shares the database with the other roles."""
        self._database = database

    async def put(
        self,
        run_id: RunId,
        state: ControlState,
        *,
        checkpoint: bytes | None = None,
        after: int | None = None,
    ) -> DesiredState:
        kept = replace(
            state,
            principal=storable(state.principal) or "",
            reason=storable(state.reason),
            rollback_checkpoint=storable(state.rollback_checkpoint),
        )

        async def operation(transaction: PostgresTransaction) -> DesiredState:
            key = await run_key(transaction, run_id)
            put = (key, *values(kept, checkpoint, after))
            if await transaction.value("put_desired_state", *put) is None:
                raise overtaken(run_id)
            return desired_state((await transaction.rows("desired_state", run_id))[0], run_id)

        return await self._database.write(operation)

    async def find(self, run_id: RunId) -> DesiredState | None:
        async def query(statements: PostgresStatements) -> DesiredState | None:
            await run_key(statements, run_id)
            row = await statements.row("desired_state", run_id)
            return None if row is None else desired_state(row, run_id)

        return await self._database.read(query)

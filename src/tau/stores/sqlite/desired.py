"""What is desired of runs."""

from tau.domain.actions import ControlState, DesiredState
from tau.domain.ids import RunId
from tau.stores.desired import desired_state, overtaken, values
from tau.stores.sqlite.connection import SqliteStatements
from tau.stores.sqlite.database import SqliteDatabase
from tau.stores.sqlite.queue import run_key
from tau.stores.sqlite.transaction import SqliteTransaction


class SqliteDesiredStates:
    """See ports.store.DesiredStates."""

    def __init__(self, database: SqliteDatabase) -> None:
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
        def operation(transaction: SqliteTransaction) -> DesiredState:
            key = run_key(transaction, run_id)
            put = (key, *values(state, checkpoint, after))
            if transaction.value("put_desired_state", put) is None:
                raise overtaken(run_id)
            return desired_state(transaction.rows("desired_state", (run_id,))[0], run_id)

        return await self._database.write(operation)

    async def find(self, run_id: RunId) -> DesiredState | None:
        def query(statements: SqliteStatements) -> DesiredState | None:
            run_key(statements, run_id)
            row = statements.row("desired_state", (run_id,))
            return None if row is None else desired_state(row, run_id)

        return await self._database.read(query)

"""Publication of resources versions, and checkpoints of algorithms."""

from collections.abc import Sequence

from tau.domain.checkpoint import Checkpoint
from tau.domain.ids import RolloutId, RunId, WorkerId, version_id
from tau.domain.resources import Resources, ResourcesVersion
from tau.errors import NotFound
from tau.ports.clock import Clock
from tau.stores import codec, rows
from tau.stores.naming import newest_whole
from tau.stores.sqlite.connection import Row, SqliteStatements
from tau.stores.sqlite.contents import store_resources
from tau.stores.sqlite.database import SqliteDatabase
from tau.stores.sqlite.queue import cancel_queued, run_key
from tau.stores.sqlite.runs import driver_key, run_row
from tau.stores.sqlite.transaction import SqliteTransaction
from tau.stores.submissions import keys_of

_KEPT_CHECKPOINTS = 5


class SqliteResources:
    """See ports.store.ResourcesLedger."""

    def __init__(self, database: SqliteDatabase, clock: Clock) -> None:
        """Shares both with the other roles."""
        self._database = database
        self._clock = clock

    async def publish(self, resources: Resources, *, run_id: RunId | None) -> ResourcesVersion:
        def operation(transaction: SqliteTransaction) -> ResourcesVersion:
            run = None if run_id is None else run_key(transaction, run_id)
            number = publish(transaction, resources, run, self._clock.unix_ms())
            return rows.version(version_row(transaction, number))

        return await self._database.write(operation)

    async def latest(self) -> ResourcesVersion | None:
        def query(statements: SqliteStatements) -> ResourcesVersion | None:
            row = statements.row("versions", (1, 0))
            return None if row is None else rows.version(row)

        return await self._database.read(query)

    async def version(self, number: int) -> ResourcesVersion:
        return await self._database.read(
            lambda statements: rows.version(version_row(statements, number))
        )


class SqliteCheckpoints:
    """See ports.store.Checkpoints."""

    def __init__(self, database: SqliteDatabase, clock: Clock) -> None:
        """Shares both with the other roles."""
        self._database = database
        self._clock = clock

    async def save(
        self,
        checkpoint: Checkpoint,
        *,
        trainer: WorkerId,
        candidates: Sequence[Resources] = (),
        publish: Resources | None = None,
        drop: Sequence[RolloutId] = (),
        rewind: bool = False,
    ) -> Checkpoint:
        digest = checkpoint.hash
        state = codec.packed(dict(checkpoint.state))
        dropped = codec.text(keys_of(checkpoint.run_id, drop))

        def operation(transaction: SqliteTransaction) -> Checkpoint:
            run = run_row(transaction, checkpoint.run_id)
            driver_key(transaction, run, trainer)
            now = self._clock.unix_ms()
            if rewind:
                transaction.run("abandon_candidates", (run["key"], checkpoint.waves))
                transaction.run("retire_proposals", (run["key"],))
            for candidate in candidates:
                key = store_resources(transaction, candidate)
                transaction.run("insert_candidate", (run["key"], key, checkpoint.waves))
            best = store_resources(transaction, checkpoint.best)
            row = (
                run["key"], checkpoint.algorithm, checkpoint.waves, checkpoint.rollouts,
                state, best, now, digest,
            )  # fmt: skip
            transaction.run("insert_checkpoint", row)
            transaction.run("prune_checkpoints", (run["key"], _KEPT_CHECKPOINTS))
            if publish is not None:
                _publish(transaction, publish, run["key"], now, anew=rewind)
            queued = transaction.tuples("queued_among", (run["key"], dropped))
            cancel_queued(transaction, checkpoint.run_id, run["key"], queued, now)
            return rows.checkpoint(transaction.rows("checkpoints", (checkpoint.run_id,))[0])

        return await self._database.write(operation)

    async def latest(self, run_id: RunId) -> Checkpoint | None:
        def query(statements: SqliteStatements) -> Checkpoint | None:
            run_key(statements, run_id)
            return newest_whole(statements.rows("checkpoints", (run_id,)))

        return await self._database.read(query)


def publish(
    transaction: SqliteTransaction,
    resources: Resources,
    run: int | None,
    unix_ms: int,
    *,
    anew: bool = False,
) -> int:
    """Make `resources` the next version, unless known and not wanted `anew`; its number."""
    key = store_resources(transaction, resources)
    known = None if anew else transaction.value("published", (key,))
    if known is not None:
        return int(known)
    return int(transaction.value("insert_version", (key, run, unix_ms)))


_publish = publish


def version_row(statements: SqliteStatements, number: int) -> Row:
    """The row of one publication; NotFound."""
    row = statements.row("version", (number,))
    if row is None:
        raise NotFound(f"there is no {version_id(number)}")
    return row

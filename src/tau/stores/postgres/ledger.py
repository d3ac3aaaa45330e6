"""Publications, checkpoints, aliases, verdicts, policies and seals."""

from collections.abc import Mapping, Sequence

from tau.domain.access import CarriedPolicy
from tau.domain.checkpoint import Checkpoint
from tau.domain.decision import Verdict
from tau.domain.ids import RolloutId, RunId, WorkerId, version_id
from tau.domain.json import Json
from tau.domain.resources import Alias, Resources, ResourcesVersion
from tau.errors import NotFound
from tau.stores import codec, naming, rows
from tau.stores.postgres import schema
from tau.stores.postgres.contents import store_resources
from tau.stores.postgres.database import PostgresDatabase
from tau.stores.postgres.queue import cancel_queued
from tau.stores.postgres.runs import driven_run, run_key
from tau.stores.postgres.statements import PostgresStatements, storable
from tau.stores.postgres.transaction import PostgresTransaction
from tau.stores.rows import Row
from tau.stores.submissions import keys_of

_KEPT_CHECKPOINTS = 5
_SEAL = "seal:"


class PostgresResources:
    """See ports.store.ResourcesLedger."""

    def __init__(self, database: PostgresDatabase) -> None:
        """Shares the database with the other roles."""
        self._database = database

    async def publish(self, resources: Resources, *, run_id: RunId | None) -> ResourcesVersion:
        async def operation(transaction: PostgresTransaction) -> ResourcesVersion:
            run = None if run_id is None else await run_key(transaction, run_id)
            number = await _publish(transaction, resources, run)
            return rows.version(await version_row(transaction, number))

        return await self._database.write(operation)

    async def latest(self) -> ResourcesVersion | None:
        async def query(statements: PostgresStatements) -> ResourcesVersion | None:
            row = await statements.row("versions", 1, 0)
            return None if row is None else rows.version(row)

        return await self._database.read(query)

    async def version(self, number: int) -> ResourcesVersion:
        async def query(statements: PostgresStatements) -> ResourcesVersion:
            return rows.version(await version_row(statements, number))

        return await self._database.read(query)


class PostgresCheckpoints:
    """See ports.store.Checkpoints."""

    def __init__(self, database: PostgresDatabase) -> None:
        """Shares the database with the other roles."""
        self._database = database

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
        dropped = keys_of(checkpoint.run_id, drop)

        async def operation(transaction: PostgresTransaction) -> Checkpoint:
            run = (await driven_run(transaction, checkpoint.run_id, trainer))["key"]
            now = transaction.moment.unix_ms()
            if rewind:
                await transaction.tuples("abandon_candidates", run, checkpoint.waves)
                await transaction.tuples("retire_proposals", run)
            keys = await store_resources(transaction, [*candidates, checkpoint.best])
            chosen = [keys[candidate.hash] for candidate in candidates]
            if chosen:
                await transaction.tuples("insert_candidates", run, chosen, checkpoint.waves)
            await transaction.tuples(
                "insert_checkpoint", run, checkpoint.algorithm, checkpoint.waves,
                checkpoint.rollouts, state, keys[checkpoint.best.hash], now, digest,
            )  # fmt: skip
            await transaction.tuples("prune_checkpoints", run, _KEPT_CHECKPOINTS)
            if publish is not None:
                await _publish(transaction, publish, run, anew=rewind)
            queued = await transaction.tuples("queued_among", run, dropped)
            await cancel_queued(transaction, checkpoint.run_id, run, queued)
            return rows.checkpoint((await transaction.rows("checkpoints", checkpoint.run_id))[0])

        return await self._database.write(operation)

    async def latest(self, run_id: RunId) -> Checkpoint | None:
        async def query(statements: PostgresStatements) -> Checkpoint | None:
            await run_key(statements, run_id)
            return naming.newest_whole(await statements.rows("checkpoints", run_id))

        return await self._database.read(query)


class PostgresAliases:
    """See ports.store.Aliases."""

    def __init__(self, database: PostgresDatabase) -> None:
        """Shares the database with the other roles."""
        self._database = database

    async def point(
        self,
        name: str,
        number: int,
        *,
        principal: str,
        reason: str = "",
        evidence: Mapping[str, Json] | None = None,
    ) -> Alias:
        naming.check_name(name)
        content = codec.text(dict(evidence or {}))
        texts = [storable(text) or "" for text in (name, principal, reason)]

        async def operation(transaction: PostgresTransaction) -> Alias:
            await version_row(transaction, number)
            now = transaction.moment.unix_ms()
            kept, who, why = texts
            digest = naming.alias_digest(kept, number, who, why, content, now)
            await transaction.tuples("insert_alias", kept, number, who, why, content, now, digest)
            return naming.alias((await transaction.rows("alias_history", kept, 1, 0))[0])

        return await self._database.write(operation)

    async def find(self, name: str) -> Alias:
        async def query(statements: PostgresStatements) -> Alias:
            found = await statements.rows("alias_history", storable(name), 1, 0)
            if not found:
                known = ", ".join([row["name"] for row in await statements.rows("aliases")])
                raise NotFound(
                    f"there is no alias '{name}'",
                    fix=f"known: {known}" if known else "make one with: tau promote",
                )
            return naming.alias(found[0])

        return await self._database.read(query)

    async def current(self) -> Sequence[Alias]:
        async def query(statements: PostgresStatements) -> list[Alias]:
            return [naming.alias(row) for row in await statements.rows("aliases")]

        return await self._database.read(query)

    async def history(
        self, name: str | None = None, *, limit: int = 50, offset: int = 0
    ) -> Sequence[Alias]:
        async def query(statements: PostgresStatements) -> list[Alias]:
            found = await statements.rows("alias_history", storable(name), limit, offset)
            return [naming.alias(row) for row in found]

        return await self._database.read(query)


class PostgresVerdicts:
    """See ports.store.Verdicts."""

    def __init__(self, database: PostgresDatabase) -> None:
        """Shares the database with the other roles."""
        self._database = database

    async def save(self, verdict: Verdict, *, trainer: WorkerId) -> Verdict:
        evidence = codec.text(dict(verdict.evidence))
        caveats = codec.text(list(verdict.caveats))
        decision = verdict.decision and str(verdict.decision)

        async def operation(transaction: PostgresTransaction) -> Verdict:
            run = await driven_run(transaction, verdict.run_id, trainer)
            best = await store_resources(transaction, [verdict.resources])
            now = transaction.moment.unix_ms()
            digest = naming.verdict_digest(
                verdict.run_id, verdict.resources.hash, decision, evidence, caveats, now
            )
            await transaction.tuples(
                "save_verdict", run["key"], best[verdict.resources.hash], decision, evidence,
                caveats, now, digest,
            )  # fmt: skip
            return naming.read_verdict((await transaction.rows("verdict", verdict.run_id))[0])

        return await self._database.write(operation)

    async def find(self, run_id: RunId) -> Verdict | None:
        async def query(statements: PostgresStatements) -> Verdict | None:
            await run_key(statements, run_id)
            row = await statements.row("verdict", run_id)
            return None if row is None else naming.read_verdict(row)

        return await self._database.read(query)


class PostgresPolicies:
    """See ports.store.Policies."""

    def __init__(self, database: PostgresDatabase) -> None:
        """Shares the database with the other roles."""
        self._database = database

    async def install(
        self, document: Mapping[str, Json], *, principal: str, reason: str = ""
    ) -> CarriedPolicy:
        content = codec.text(dict(document))
        who, why = (storable(text) or "" for text in (principal, reason))

        async def operation(transaction: PostgresTransaction) -> CarriedPolicy:
            await transaction.tuples("lock_publications")
            held = await transaction.row("policy")
            number = held["number"] + 1 if held else 1
            now = transaction.moment.unix_ms()
            digest = naming.policy_digest(number, content, who, why, now)
            await transaction.tuples("insert_policy", number, content, who, why, now, digest)
            await transaction.tuples("set_oldest", str(schema.CARRIES))
            return naming.policy((await transaction.rows("policy"))[0])

        return await self._database.write(operation)

    async def current(self) -> CarriedPolicy | None:
        async def query(statements: PostgresStatements) -> CarriedPolicy | None:
            row = await statements.row("policy")
            return None if row is None else naming.policy(row)

        return await self._database.read(query)


class PostgresSeals:
    """See ports.store.Seals."""

    def __init__(self, database: PostgresDatabase) -> None:
        """Shares the database with the other roles."""
        self._database = database

    async def keep(self, name: str, value: str) -> None:
        async def operation(transaction: PostgresTransaction) -> None:
            await transaction.tuples("set_meta", _SEAL + name, value)

        await self._database.write(operation)

    async def find(self, name: str) -> str | None:
        async def query(statements: PostgresStatements) -> str | None:
            found: str | None = await statements.value("meta", _SEAL + name)
            return found

        return await self._database.read(query)


async def version_row(statements: PostgresStatements, number: int) -> Row:
    """The row of one publication; NotFound."""
    row = await statements.row("version", number)
    if row is None:
        raise NotFound(f"there is no {version_id(number)}")
    return row


async def _publish(
    transaction: PostgresTransaction, resources: Resources, run: int | None, *, anew: bool = False
) -> int:
    """Make `resources` the next version, unless known and not wanted `anew`; its number."""
    key = (await store_resources(transaction, [resources]))[resources.hash]
    await transaction.tuples("lock_publications")
    known = None if anew else await transaction.value("published", key)
    if known is not None:
        return int(known)
    now = transaction.moment.unix_ms()
    return int(await transaction.value("insert_version", key, run, now))

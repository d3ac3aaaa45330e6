"""Aliases of publications, what runs recommended, and who may do what."""

from collections.abc import Mapping, Sequence

from tau.domain.access import CarriedPolicy
from tau.domain.decision import Verdict
from tau.domain.ids import RunId, WorkerId
from tau.domain.json import Json
from tau.domain.resources import Alias
from tau.errors import NotFound
from tau.ports.clock import Clock
from tau.stores import codec
from tau.stores.naming import (
    alias,
    alias_digest,
    check_name,
    policy,
    policy_digest,
    read_verdict,
    verdict_digest,
)
from tau.stores.sqlite.connection import SqliteStatements
from tau.stores.sqlite.contents import store_resources
from tau.stores.sqlite.database import SqliteDatabase
from tau.stores.sqlite.ledger import version_row
from tau.stores.sqlite.queue import run_key
from tau.stores.sqlite.runs import driver_key, run_row
from tau.stores.sqlite.transaction import SqliteTransaction


class SqliteAliases:
    """See ports.store.Aliases."""

    def __init__(self, database: SqliteDatabase, clock: Clock) -> None:
        """Shares both with the other roles."""
        self._database = database
        self._clock = clock

    async def point(
        self,
        name: str,
        number: int,
        *,
        principal: str,
        reason: str = "",
        evidence: Mapping[str, Json] | None = None,
    ) -> Alias:
        check_name(name)
        content = codec.text(dict(evidence or {}))

        def operation(transaction: SqliteTransaction) -> Alias:
            version_row(transaction, number)
            now = self._clock.unix_ms()
            digest = alias_digest(name, number, principal, reason, content, now)
            row = (name, number, principal, reason, content, now, digest)
            transaction.run("insert_alias", row)
            return alias(transaction.rows("alias_history", (name, 1, 0))[0])

        return await self._database.write(operation)

    async def find(self, name: str) -> Alias:
        def query(statements: SqliteStatements) -> Alias:
            found = statements.rows("alias_history", (name, 1, 0))
            if not found:
                known = ", ".join(row["name"] for row in statements.rows("aliases"))
                raise NotFound(
                    f"there is no alias '{name}'",
                    fix=f"known: {known}" if known else "make one with: tau promote",
                )
            return alias(found[0])

        return await self._database.read(query)

    async def current(self) -> Sequence[Alias]:
        return await self._database.read(
            lambda statements: [alias(row) for row in statements.rows("aliases")]
        )

    async def history(
        self, name: str | None = None, *, limit: int = 50, offset: int = 0
    ) -> Sequence[Alias]:
        return await self._database.read(
            lambda statements: [
                alias(row) for row in statements.rows("alias_history", (name, limit, offset))
            ]
        )


class SqliteVerdicts:
    """See ports.store.Verdicts."""

    def __init__(self, database: SqliteDatabase, clock: Clock) -> None:
        """Shares both with the other roles."""
        self._database = database
        self._clock = clock

    async def save(self, verdict: Verdict, *, trainer: WorkerId) -> Verdict:
        evidence = codec.text(dict(verdict.evidence))
        caveats = codec.text(list(verdict.caveats))
        decision = verdict.decision and str(verdict.decision)

        def operation(transaction: SqliteTransaction) -> Verdict:
            run = run_row(transaction, verdict.run_id)
            driver_key(transaction, run, trainer)
            best = store_resources(transaction, verdict.resources)
            now = self._clock.unix_ms()
            digest = verdict_digest(
                verdict.run_id, verdict.resources.hash, decision, evidence, caveats, now
            )
            row = (run["key"], best, decision, evidence, caveats, now, digest)
            transaction.run("save_verdict", row)
            return read_verdict(transaction.rows("verdict", (verdict.run_id,))[0])

        return await self._database.write(operation)

    async def find(self, run_id: RunId) -> Verdict | None:
        def query(statements: SqliteStatements) -> Verdict | None:
            run_key(statements, run_id)
            row = statements.row("verdict", (run_id,))
            return None if row is None else read_verdict(row)

        return await self._database.read(query)


class SqlitePolicies:
    """See ports.store.Policies."""

    def __init__(self, database: SqliteDatabase, clock: Clock) -> None:
        """Shares both with the other roles."""
        self._database = database
        self._clock = clock

    async def install(
        self, document: Mapping[str, Json], *, principal: str, reason: str = ""
    ) -> CarriedPolicy:
        content = codec.text(dict(document))

        def operation(transaction: SqliteTransaction) -> CarriedPolicy:
            held = transaction.row("policy")
            number = held["number"] + 1 if held else 1
            now = self._clock.unix_ms()
            digest = policy_digest(number, content, principal, reason, now)
            transaction.run("insert_policy", (number, content, principal, reason, now, digest))
            return policy(transaction.rows("policy")[0])

        return await self._database.write(operation)

    async def current(self) -> CarriedPolicy | None:
        def query(statements: SqliteStatements) -> CarriedPolicy | None:
            row = statements.row("policy")
            return None if row is None else policy(row)

        return await self._database.read(query)

"""Aliases of publications, and what runs recommended."""

from collections.abc import Mapping, Sequence

from tau.domain.decision import Decision, Verdict
from tau.domain.ids import RunId, WorkerId
from tau.domain.json import Json
from tau.domain.resources import Alias
from tau.errors import InputError, NotFound
from tau.ports.clock import Clock
from tau.stores.sqlite import codec, rows
from tau.stores.sqlite.connection import Row, Statements
from tau.stores.sqlite.contents import store_resources
from tau.stores.sqlite.database import Database
from tau.stores.sqlite.ledger import version_row
from tau.stores.sqlite.queue import run_key
from tau.stores.sqlite.runs import driver_key, run_row
from tau.stores.sqlite.transaction import Transaction

_LONGEST_NAME = 100


class SqliteAliases:
    """See ports.store.Aliases."""

    def __init__(self, database: Database, clock: Clock) -> None:
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
        if not name.strip() or len(name) > _LONGEST_NAME:
            raise InputError("an alias needs a name", why=f"it has 1 to {_LONGEST_NAME} characters")
        content = codec.text(dict(evidence or {}))

        def operation(transaction: Transaction) -> Alias:
            version_row(transaction, number)
            now = self._clock.unix_ms()
            digest = _alias_digest(name, number, principal, reason, content, now)
            row = (name, number, principal, reason, content, now, digest)
            transaction.run("insert_alias", row)
            return alias(transaction.rows("alias_history", (name, 1, 0))[0])

        return await self._database.write(operation)

    async def find(self, name: str) -> Alias:
        def query(statements: Statements) -> Alias:
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

    def __init__(self, database: Database, clock: Clock) -> None:
        """Shares both with the other roles."""
        self._database = database
        self._clock = clock

    async def save(self, verdict: Verdict, *, trainer: WorkerId) -> Verdict:
        evidence = codec.text(dict(verdict.evidence))
        caveats = codec.text(list(verdict.caveats))
        decision = verdict.decision and str(verdict.decision)

        def operation(transaction: Transaction) -> Verdict:
            run = run_row(transaction, verdict.run_id)
            driver_key(transaction, run, trainer)
            best = store_resources(transaction, verdict.resources)
            now = self._clock.unix_ms()
            digest = _verdict_digest(
                verdict.run_id, verdict.resources.hash, decision, evidence, caveats, now
            )
            row = (run["key"], best, decision, evidence, caveats, now, digest)
            transaction.run("save_verdict", row)
            return read_verdict(transaction.rows("verdict", (verdict.run_id,))[0])

        return await self._database.write(operation)

    async def find(self, run_id: RunId) -> Verdict | None:
        def query(statements: Statements) -> Verdict | None:
            run_key(statements, run_id)
            row = statements.row("verdict", (run_id,))
            return None if row is None else read_verdict(row)

        return await self._database.read(query)


@rows.decoding
def alias(row: Row) -> Alias:
    """One entry of the history; StoreDamaged unless its digest is that of its content."""
    name, number, principal, reason = row["name"], row["number"], row["principal"], row["reason"]
    content, set_unix_ms = row["evidence"], row["set_unix_ms"]
    known = _alias_digest(name, number, principal, reason, content, set_unix_ms)
    if known != row["alias_digest"]:
        raise codec.damaged(f"alias '{name}'")
    return Alias(
        name=name,
        version=rows.version(row),
        principal=principal,
        set_unix_ms=set_unix_ms,
        reason=reason,
        evidence=codec.parsed(content, f"alias '{name}'"),
    )


@rows.decoding
def read_verdict(row: Row) -> Verdict:
    """What a run recommended; StoreDamaged unless its digest is that of its content."""
    run_id, decision = row["run_id"], row["decision"]
    what = f"the verdict of run {run_id}"
    known = _verdict_digest(
        run_id, row["hash"], decision, row["evidence"], row["caveats"], row["reached_unix_ms"]
    )
    if known != row["verdict_digest"]:
        raise codec.damaged(what)
    return Verdict(
        run_id=RunId(run_id),
        resources=rows.resources(row),
        decision=None if decision is None else Decision(decision),
        evidence=codec.parsed(row["evidence"], what),
        caveats=tuple(codec.parsed(row["caveats"], what)),
        reached_unix_ms=row["reached_unix_ms"],
    )


def _alias_digest(
    name: str, number: int, principal: str, reason: str, evidence: str, unix_ms: int
) -> bytes:
    return codec.digest(name, number, principal, reason, evidence, unix_ms)


def _verdict_digest(
    run: str, resources: str, decision: str | None, evidence: str, caveats: str, unix_ms: int
) -> bytes:
    return codec.digest(run, resources, decision, evidence, caveats, unix_ms)

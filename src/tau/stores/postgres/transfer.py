"""A store on a server as the source or the target of a move."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence
from typing import Self

import asyncpg

from tau.domain.rollout import SETTLED
from tau.errors import StoreUnavailable
from tau.stores.postgres import address, faults, schema
from tau.stores.postgres.sessions import PostgresAccess, PostgresSession, SessionPool
from tau.stores.postgres.statements import SQL
from tau.stores.transfer import TABLES, Line, is_flag, order_of

_PAGE = 1000
_PATIENCE_S = 10.0
_ANSWER_S = 3600.0


_TABLE_OF = {"rollout": "request", "attempt": "ended"}
_SETTLED = ("status", "attempts", "counted", "charged", "score", "failure", "duration_ms")
_ADD_RESULTS = """
UPDATE outcome AS o SET output = g.output, rewards = g.rewards, digest = g.digest
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bytea[])
  AS g (rollout, output, rewards, digest)
WHERE o.rollout = g.rollout
"""


class ServerTransfer:
    """See stores.transfer; made by `reading` or `writing`."""

    def __init__(self, session: PostgresSession, where: str) -> None:
        """Take over `session`."""
        self._session = session
        self._connection = session.connection
        self._where = where

    @classmethod
    async def reading(cls, location: str) -> Self:
        """One snapshot of the store at `location`, which may be in use.

        Raises:
            StoreError: it cannot be opened, or has another schema than this Tau's.
        """
        made = await cls._open(location, read_only=True)
        found = await schema.check(made._connection, address.parse(location))
        if found != schema.CURRENT:
            await made.aclose()
            raise StoreUnavailable(
                "there is no store of this version", where=made._where, fix="run: tau db migrate"
            )
        await made._connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return made

    @classmethod
    async def writing(cls, location: str) -> Self:
        """A new store at `location`; StoreUnavailable where there is something already."""
        made = await cls._open(location, read_only=False)
        await schema.migrate(made._connection, address.parse(location))
        await made._connection.execute("BEGIN")
        await made._connection.execute("LOCK TABLE run, worker, resources IN EXCLUSIVE MODE")
        for table in ("run", "worker", "resources"):
            if await made._connection.fetchval(f"SELECT EXISTS (SELECT 1 FROM {table})"):
                await made.aclose()
                raise StoreUnavailable(
                    "the copy's target is not empty",
                    where=made._where,
                    fix="name another schema with ?schema=NAME",
                )
        return made

    @classmethod
    async def _open(cls, location: str, *, read_only: bool) -> Self:
        access = PostgresAccess(
            address=address.parse(location), read_only=read_only, answer_s=_ANSWER_S
        )
        session = await SessionPool(access, size=1, patience_s=_PATIENCE_S).session()
        await schema.check_server(session.connection, access.address.shown, read_only=read_only)
        return cls(session, access.address.shown)

    async def in_use(self) -> int:
        return int(await self._connection.fetchval("SELECT count(*) FROM held"))

    async def lines(self, table: str) -> AsyncIterator[Sequence[Line]]:
        columns = ", ".join(TABLES[table])
        source = "run_tally" if table == "tally" else table
        query = f"SELECT {columns} FROM {source} ORDER BY {order_of(table)}"
        try:
            cursor = await self._connection.cursor(query)
            while page := await cursor.fetch(_PAGE):
                yield [tuple(row) for row in page]
        except faults.LOST as error:
            raise faults.unreachable(self._where, error) from error

    async def put(self, table: str, lines: Sequence[Line]) -> None:
        columns = list(TABLES[table])
        if table == "result":
            await self._told(
                self._connection.fetch(_ADD_RESULTS, *map(list, zip(*lines, strict=True)))
            )
            return
        if table == "policy" and lines:
            await self._told(self._connection.execute(SQL["set_oldest"], str(schema.CARRIES)))
        flags = [is_flag(table, column) for column in columns]
        rows = [
            tuple(bool(value) if flag else value for flag, value in zip(flags, line, strict=True))
            for line in lines
        ]
        if table == "worker":
            columns += ["heartbeat_ms", "state"]
            rows = [(*row, 0, "retired") for row in rows]
        elif table == "tally":
            columns.append("slot")
            rows = [(*row, 0) for row in rows]
        for place, names, records in _placed(table, columns, rows):
            await self._told(
                self._connection.copy_records_to_table(place, records=records, columns=names)
            )

    async def commit(self) -> None:
        """Keep it, with counters of keys that go on where the last row stands."""
        for table, columns in TABLES.items():
            if columns[0] == "key":
                place = _TABLE_OF.get(table, table)
                await self._connection.fetchval(
                    f"SELECT setval(pg_get_serial_sequence('{place}', 'key'), "
                    f"max(key)) FROM {place} HAVING max(key) IS NOT NULL"
                )
        await self._told(self._connection.execute("COMMIT"))

    async def aclose(self) -> None:
        """Let go of the server; without a commit nothing was kept there."""
        if not self._connection.is_closed() and self._connection.is_in_transaction():
            with contextlib.suppress(*faults.LOST):
                await self._connection.execute("ROLLBACK")
        await self._session.aclose()

    async def _told(self, asked: Awaitable[object]) -> None:
        try:
            await asked
        except faults.LOST as error:
            raise faults.unreachable(self._where, error) from error
        except asyncpg.PostgresError as error:
            raise faults.translated(error, self._where) from error


def _placed(
    table: str, columns: list[str], rows: list[Line]
) -> list[tuple[str, list[str], list[Line]]]:
    """Which rows go into which table: a rollout is a request that waits or has an outcome."""
    if table != "rollout":
        return [(_TABLE_OF.get(table, table), columns, rows)]
    at = {name: number for number, name in enumerate(columns)}
    mutable = {*_SETTLED, "updated_unix_ms"}
    asked = [name for name in columns if name not in mutable]
    reserved = [name for name in columns if name.startswith("reserve_")]
    waits = ["attempts", "counted", "charged", *reserved]

    def some(row: Line, names: Iterable[str]) -> Line:
        return tuple(row[at[name]] for name in names)

    queued = [row for row in rows if row[at["status"]] in ("queuing", "requeuing")]
    settled = [row for row in rows if row[at["status"]] in SETTLED]
    place = ("run", "key", "updated_unix_ms")
    return [
        ("request", asked, [some(row, asked) for row in rows]),
        (
            "waiting",
            ["run", "rollout", "since_unix_ms", *waits, "again"],
            [(*some(row, (*place, *waits)), row[at["status"]] == "requeuing") for row in queued],
        ),
        (
            "outcome",
            ["run", "rollout", "updated_unix_ms", *_SETTLED],
            [some(row, (*place, *_SETTLED)) for row in settled],
        ),
    ]

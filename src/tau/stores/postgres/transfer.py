"""A store on a server as the source or the target of a move."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Self

import asyncpg

from tau.errors import StoreUnavailable
from tau.stores.postgres import address, faults, schema
from tau.stores.postgres.sessions import Access, Pool, Session
from tau.stores.transfer import TABLES, Line, is_flag, order_of

_PAGE = 1000
_PATIENCE_S = 10.0
_ANSWER_S = 3600.0


class ServerTransfer:
    """See stores.transfer; made by `reading` or `writing`."""

    def __init__(self, session: Session, where: str) -> None:
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
        access = Access(address=address.parse(location), read_only=read_only, answer_s=_ANSWER_S)
        session = await Pool(access, size=1, patience_s=_PATIENCE_S).session()
        await schema.check_server(session.connection, access.address.shown, read_only=read_only)
        return cls(session, access.address.shown)

    async def in_use(self) -> int:
        found = await self._connection.fetchval(
            "SELECT count(*) FROM rollout WHERE status IN ('preparing', 'running')"
        )
        return int(found)

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
        await self._told(
            self._connection.copy_records_to_table(table, records=rows, columns=columns)
        )

    async def commit(self) -> None:
        """Keep it, with counters of keys that go on where the last row stands."""
        for table, columns in TABLES.items():
            if columns[0] == "key":
                await self._connection.fetchval(
                    f"SELECT setval(pg_get_serial_sequence('{table}', 'key'), "
                    f"max(key)) FROM {table} HAVING max(key) IS NOT NULL"
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

"""A store in a file as the source or the target of a move."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Self

import apsw

from tau.errors import StoreUnavailable
from tau.stores.sqlite import schema
from tau.stores.sqlite.connection import SqliteAccess
from tau.stores.sqlite.faults import translated
from tau.stores.sqlite.location import DatabasePath
from tau.stores.transfer import TABLES, Line, order_of

_PAGE = 1000


class FileTransfer:
    """See stores.transfer; made by `reading` or `writing`."""

    def __init__(self, connection: apsw.Connection, path: Path) -> None:
        """Take over `connection`."""
        self._connection = connection
        self._path = path
        self._unfinished = False

    @classmethod
    def reading(cls, path: Path) -> Self:
        """One snapshot of the store at `path`, which may be in use.

        Raises:
            StoreError: it cannot be opened, or has another schema than this Tau's.
        """
        place = DatabasePath(path)
        place.prepare(read_only=True)
        access = SqliteAccess(path=str(path))
        place.recognise(access)
        connection = access.reader()
        found = schema.version(connection)
        schema.check_version(found, str(path))
        if found != schema.CURRENT:
            raise StoreUnavailable(
                "the store is of an older version", where=str(path), fix="run: tau db migrate"
            )
        connection.execute("BEGIN")
        return cls(connection, path)

    @classmethod
    def writing(cls, path: Path) -> Self:
        """A new store at `path`; StoreUnavailable where something is there already."""
        if path.exists():
            raise StoreUnavailable("the copy's target exists already", where=str(path))
        place = DatabasePath(path)
        place.prepare(read_only=False)
        access = SqliteAccess(path=str(path))
        connection = access.writer()
        schema.begin_log(connection, access.prepare)
        schema.migrate(connection, str(path))
        connection.execute("BEGIN IMMEDIATE")
        made = cls(connection, path)
        made._unfinished = True
        return made

    async def in_use(self) -> int:
        query = "SELECT count(*) FROM rollout WHERE live IS NOT NULL"
        found: list[tuple[Any, ...]] = self._connection.execute(query).fetchall()
        return int(found[0][0])

    async def lines(self, table: str) -> AsyncIterator[Sequence[Line]]:
        columns = ", ".join(TABLES[table])
        query = f"SELECT {columns} FROM {table} ORDER BY {order_of(table)}"
        cursor = self._connection.execute(query)
        while page := list(islice(cursor, _PAGE)):
            yield page

    async def put(self, table: str, lines: Sequence[Line]) -> None:
        columns = list(TABLES[table])
        marks = ["?"] * len(columns)
        if table == "worker":
            columns += ["heartbeat_ms", "state"]
            marks += ["0", "'retired'"]
        statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(marks)})"
        try:
            self._connection.executemany(statement, lines).fetchall()
        except apsw.Error as error:
            raise translated(error, str(self._path), writing=True) from error

    async def commit(self) -> None:
        try:
            self._connection.execute("COMMIT")
        except apsw.Error as error:
            raise translated(error, str(self._path), writing=True) from error
        self._unfinished = False

    async def aclose(self) -> None:
        """Let go of the file; one that was not finished is removed."""
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        with contextlib.suppress(apsw.Error):
            self._connection.close()
        if self._unfinished:
            self._discard()

    def _discard(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self._path}{suffix}").unlink(missing_ok=True)

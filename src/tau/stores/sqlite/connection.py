"""Connections to one database file and the statements run on them."""

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import quote

import apsw
import orjson

from tau.stores.sqlite.statements import SQL

Value: TypeAlias = str | int | float | bytes | None
Row: TypeAlias = dict[str, Any]
Bindings: TypeAlias = Sequence[Value] | Mapping[str, Value]

_VALUES = re.compile(r"VALUES (\(\?(?:, \?)*\))")
_TOGETHER = (32, 16, 8, 4, 2, 1)

_names: dict[str, tuple[str, ...]] = {}
_whole: dict[str, "Whole"] = {}


class Whole(NamedTuple):
    """A query that answers with one JSON array, its columns, and which of them are bytes."""

    statement: str
    names: tuple[str, ...]
    blobs: tuple[str, ...]


@cache
def with_rows(statement: str, count: int) -> str | None:
    """`statement` with `count` rows in its list of VALUES; None where it takes no more than one."""
    if count == 1:
        return statement
    found = _VALUES.search(statement)
    if found is None:
        return None
    return statement[: found.end()] + f", {found[1]}" * (count - 1) + statement[found.end() :]


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteAccess:
    """How to open the file. `exclusive`: one connection only, with no shared memory beside it.

    `immutable`: nobody can write, not even the files SQLite puts beside a database to read it.
    """

    path: str
    synchronous: str = "FULL"
    vfs: str | None = None
    busy_timeout_ms: int = 30_000
    exclusive: bool = False
    immutable: bool = False

    @property
    def memory(self) -> bool:
        """It lives in this process only."""
        return self.path == ":memory:"

    @property
    def single(self) -> bool:
        """Reading and writing share one connection."""
        return self.memory or self.exclusive

    def writer(self) -> apsw.Connection:
        """A connection that may write; the file must be there."""
        flags = apsw.SQLITE_OPEN_READWRITE
        if self.memory or self.vfs is not None:
            flags |= apsw.SQLITE_OPEN_CREATE
        connection = apsw.Connection(self.path, flags, self.vfs, statementcachesize=200)
        self._settle(connection)
        if self.exclusive:
            connection.pragma("locking_mode", "EXCLUSIVE")
        return connection

    def prepare(self, connection: apsw.Connection) -> None:
        """Durability of the writer; only once the file is known to be ours."""
        if not self.memory:
            connection.pragma("journal_mode", "WAL")
        connection.pragma("synchronous", self.synchronous)
        connection.pragma("journal_size_limit", 64 * 1024 * 1024)
        connection.pragma("foreign_keys", True)
        # A statement of many rows keeps the pages it changes until it is done: in memory, as beyond
        # 64 KiB each of them would make a file of its own in the folder for temporary files.
        connection.pragma("temp_store", "MEMORY")

    def reader(self) -> apsw.Connection:
        """A connection that cannot write."""
        name = f"file:{quote(str(Path(self.path).absolute()))}?mode=ro"
        if self.immutable:
            name += "&immutable=1"
        flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
        connection = apsw.Connection(name, flags, self.vfs, statementcachesize=100)
        self._settle(connection)
        connection.pragma("query_only", True)
        return connection

    def _settle(self, connection: apsw.Connection) -> None:
        connection.set_busy_timeout(self.busy_timeout_ms)
        connection.pragma("trusted_schema", False)
        connection.pragma("cell_size_check", True)
        connection.pragma("mmap_size", 0)


class SqliteStatements:
    """Runs named statements on one connection."""

    __slots__ = ("connection",)

    def __init__(self, connection: apsw.Connection) -> None:
        """`connection` stays the caller's."""
        self.connection = connection

    def run(self, name: str, bindings: Bindings = ()) -> None:
        """Run a statement that answers nothing."""
        for _ in self.connection.execute(SQL[name], bindings):
            pass

    def many(self, name: str, values: Sequence[Value], width: int) -> None:
        """Run a statement that answers nothing for each row of `width` values.

        Rows must not touch the same place. A statement that takes its row from a list of VALUES
        takes many at once: each step gives the interpreter's lock away and has to get it back, so
        few long ones are faster.
        """
        text = SQL[name]
        start = 0
        for count in _TOGETHER:
            statement = with_rows(text, count)
            size = count * width
            while statement is not None and len(values) - start >= size:
                self.connection.execute(statement, values[start : start + size])
                start += size

    def tuples(self, name: str, bindings: Bindings = ()) -> list[tuple[Any, ...]]:
        """All rows, as they come."""
        return self.connection.execute(SQL[name], bindings).fetchall()

    def rows(self, name: str, bindings: Bindings = ()) -> list[Row]:
        """All rows, by column name."""
        cursor = self.connection.execute(SQL[name], bindings)
        first = next(cursor, None)
        if first is None:
            return []
        names = _columns(name, cursor)
        return [dict(zip(names, values, strict=True)) for values in (first, *cursor)]

    def each(self, name: str, bindings: Bindings = ()) -> Iterator[Row]:
        """One row after the other, by column name."""
        cursor = self.connection.execute(SQL[name], bindings)
        for values in cursor:
            yield dict(zip(_columns(name, cursor), values, strict=True))

    def at_once(self, name: str, bindings: Bindings = ()) -> list[Row]:
        """All rows, by column name, read in one step; numbers must be whole.

        A step for each row would give the interpreter's lock away and wait for it as often.
        """
        whole = self.whole(SQL[name], bindings)
        try:
            ((found,),) = self.connection.execute(whole.statement, bindings).fetchall()
        except apsw.TooBigError:  # each of them fits, but not all of them together
            return self.rows(name, bindings)
        rows = [dict(zip(whole.names, row, strict=True)) for row in orjson.loads(str(found))]
        for blob in whole.blobs:
            for row in rows:
                if row[blob] is not None:
                    row[blob] = bytes.fromhex(row[blob])
        return rows

    def whole(self, text: str, bindings: Bindings) -> Whole:
        """The query that answers with all that `text` would; `bindings` of the right number."""
        whole = _whole.get(text)
        if whole is None:
            columns = _columns_of(self.connection, text, bindings)
            blobs = tuple(column for column, kind in columns if kind == "BLOB")
            values = [
                f"iif({column} IS NULL, NULL, hex({column}))" if column in blobs else column
                for column, _ in columns
            ]
            statement = f"SELECT json_group_array(json_array({', '.join(values)})) FROM ({text})"
            whole = Whole(statement, tuple(column for column, _ in columns), blobs)
            _whole[text] = whole
        return whole

    def row(self, name: str, bindings: Bindings = ()) -> Row | None:
        """The first row, by column name, or None."""
        found = self.rows(name, bindings)
        return found[0] if found else None

    def value(self, name: str, bindings: Bindings = ()) -> Any:  # noqa: ANN401  (a column)
        """The first column of the first row, or None."""
        found = self.tuples(name, bindings)
        return found[0][0] if found else None


def _columns(name: str, cursor: apsw.Cursor) -> tuple[str, ...]:
    """What the columns of statement `name` are called; `cursor` stands at a row of it."""
    names = _names.get(name)
    if names is None:
        names = _names[name] = tuple(column[0] for column in cursor.get_description())
    return names


def _columns_of(
    connection: apsw.Connection, statement: str, bindings: Bindings
) -> list[tuple[str, str | None]]:
    """Names and declared types of what `statement` would answer; it is not run."""
    found: list[tuple[str, str | None]] = []

    def look(cursor: apsw.Cursor, *_: object) -> bool:
        found.extend((name, kind) for name, kind in cursor.get_description())
        return False

    cursor = connection.cursor()
    cursor.exec_trace = look
    with contextlib.suppress(apsw.ExecTraceAbort):
        cursor.execute(statement, bindings)
    return found

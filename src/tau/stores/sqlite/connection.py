"""Connections to one database file and the statements run on them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

import apsw

from tau.stores.sqlite.statements import SQL

Value: TypeAlias = str | int | float | bytes | None
Row: TypeAlias = dict[str, Any]
Bindings: TypeAlias = Sequence[Value] | Mapping[str, Value]

_names: dict[str, tuple[str, ...]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
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


class Statements:
    """Runs named statements on one connection."""

    __slots__ = ("connection",)

    def __init__(self, connection: apsw.Connection) -> None:
        """`connection` stays the caller's."""
        self.connection = connection

    def run(self, name: str, bindings: Bindings = ()) -> None:
        """Run a statement that answers nothing."""
        for _ in self.connection.execute(SQL[name], bindings):
            pass

    def many(self, name: str, rows: Iterable[Bindings]) -> list[tuple[Any, ...]]:
        """Run a statement once per row and collect what it answers."""
        return self.connection.executemany(SQL[name], rows).fetchall()

    def tuples(self, name: str, bindings: Bindings = ()) -> list[tuple[Any, ...]]:
        """All rows, as they come."""
        return self.connection.execute(SQL[name], bindings).fetchall()

    def rows(self, name: str, bindings: Bindings = ()) -> list[Row]:
        """All rows, by column name."""
        return list(self.each(name, bindings))

    def each(self, name: str, bindings: Bindings = ()) -> Iterator[Row]:
        """One row after the other, by column name."""
        cursor = self.connection.execute(SQL[name], bindings)
        names = _names.get(name)
        for values in cursor:
            if names is None:
                names = tuple(column[0] for column in cursor.get_description())
                _names[name] = names
            yield dict(zip(names, values, strict=True))

    def row(self, name: str, bindings: Bindings = ()) -> Row | None:
        """The first row, by column name, or None."""
        found = self.rows(name, bindings)
        return found[0] if found else None

    def value(self, name: str, bindings: Bindings = ()) -> Any:  # noqa: ANN401  (a column)
        """The first column of the first row, or None."""
        found = self.tuples(name, bindings)
        return found[0][0] if found else None

"""A write transaction: statements, counters, and what to tell whom once it is committed."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import apsw

from tau.stores.changes import Changes, Put
from tau.stores.sqlite.connection import Bindings, Row, SqliteStatements, Value


class SqliteTransaction(Changes, SqliteStatements):
    """What the operations of one commit share.

    Counters are summed here and written once per commit, before anything reads them. Rows put off
    with `later` are written together, before the next statement.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        """Begin with nothing changed."""
        Changes.__init__(self)
        SqliteStatements.__init__(self, connection)
        self._later: dict[str, list[Value]] = {}
        self._width: dict[str, int] = {}

    def later(self, name: str, row: Put) -> None:
        """Run a statement that answers nothing, with others of its kind, before the next one."""
        self.touched += 1
        values = self._later.get(name)
        if values is None:
            values = self._later[name] = []
            self._width[name] = len(row)
        values += row

    def flush(self) -> None:
        """Write the counters; to be called before they are read."""
        self.settle()
        rows = self.counted()
        if rows:
            self.many("add_to_tally", [*chain.from_iterable(rows)], len(rows[0]))

    def settle(self) -> None:
        """Write what was put off."""
        while self._later:
            name = next(iter(self._later))
            super().many(name, self._later.pop(name), self._width[name])

    def run(self, name: str, bindings: Bindings = ()) -> None:
        """Run a statement that answers nothing, now."""
        self.settle()
        super().run(name, bindings)

    def many(self, name: str, values: Sequence[Value], width: int) -> None:
        """Run a statement that answers nothing for each row."""
        self.settle()
        super().many(name, values, width)

    def tuples(self, name: str, bindings: Bindings = ()) -> list[tuple[Any, ...]]:
        """All rows, as they come."""
        self.settle()
        return super().tuples(name, bindings)

    def rows(self, name: str, bindings: Bindings = ()) -> list[Row]:
        """All rows, by column name."""
        self.settle()
        return super().rows(name, bindings)

    def at_once(self, name: str, bindings: Bindings = ()) -> list[Row]:
        """All rows, by column name, read in one step."""
        self.settle()
        return super().at_once(name, bindings)

    def each(self, name: str, bindings: Bindings = ()) -> Iterator[Row]:
        """One row after the other, by column name."""
        self.settle()
        return super().each(name, bindings)

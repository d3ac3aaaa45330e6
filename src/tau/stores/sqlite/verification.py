"""Checking a whole store: SQLite's own checks, every digest, and an independent recount."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw

from tau.errors import StoreDamaged, StoreVersion
from tau.stores.sqlite import schema
from tau.stores.sqlite.connection import Row, SqliteAccess, SqliteStatements
from tau.stores.sqlite.faults import translated
from tau.stores.sqlite.location import DatabasePath
from tau.stores.sqlite.statements import ABOUT
from tau.stores.verification import CONTENTS, MOST_PER_CHECK, Verification, problem

_CHECKS = tuple(sorted(name for name in ABOUT if name.startswith("check_")))


def verify(path: Path) -> Verification:
    """Check the store at `path` without changing it; it may be in use.

    Raises:
        StoreUnavailable: it cannot be opened.
        StoreVersion: it is from another version of Tau.
        StoreDamaged: it is not a Tau store, or so damaged that nothing can be read.
    """
    place = DatabasePath(path)
    place.prepare(read_only=True)
    access = SqliteAccess(path=str(path), immutable=not place.writable and not place.logged)
    place.recognise(access)
    try:
        with contextlib.closing(access.reader()) as connection:
            version = schema.version(connection)
            schema.check_version(version, str(path))
            if 0 < version < schema.CURRENT:
                raise StoreVersion(
                    "the store was written by an older Tau",
                    where=str(path),
                    why=f"its schema is version {version}, this Tau checks {schema.CURRENT}",
                    fix="migrate it, or a copy of it, with `tau db migrate`",
                )
            schema.check_tables(connection, str(path))
            connection.execute("BEGIN")
            inspection = _Inspection(SqliteStatements(connection))
            inspection.run()
            return Verification(
                location=str(path),
                schema_version=version,
                checked=inspection.checked,
                problems=tuple(inspection.problems),
            )
    except apsw.Error as error:
        found = translated(error, str(path), writing=False)
        if isinstance(found, StoreDamaged):
            found.fix = "go back to a backup"
        raise found from error


class _Inspection:
    def __init__(self, statements: SqliteStatements) -> None:
        self._statements = statements
        self.problems: list[str] = []
        self.checked = 0

    def run(self) -> None:
        """Look at everything; one damaged table does not hide the others."""
        self._pragmas()
        for name in _CHECKS:
            with self._noting(ABOUT[name]):
                found = self._statements.tuples(name)
                for (where,) in found[:MOST_PER_CHECK]:
                    self.problems.append(f"{ABOUT[name]}: {where}")
        for name, check in CONTENTS.items():
            with self._noting(ABOUT[name]):
                self._contents(name, check)

    def _pragmas(self) -> None:
        with self._noting("SQLite's integrity check"):
            connection = self._statements.connection
            for (line,) in connection.execute(f"PRAGMA integrity_check({MOST_PER_CHECK})"):
                if line != "ok":
                    self.problems.append(f"SQLite: {line}")
            for name in schema.changed_objects(connection):
                self.problems.append(f"the definition of {name} is not as Tau makes it")
            for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check"):
                self.problems.append(f"row {row} of {table} names a missing row of {parent}")

    def _contents(self, name: str, check: Callable[[Row], Any]) -> None:
        for row in self._statements.each(name):
            self.checked += 1
            if found := problem(ABOUT[name], row, check):
                self.problems.append(found)

    @contextlib.contextmanager
    def _noting(self, what: str) -> Iterator[None]:
        try:
            yield
        except (apsw.Error, UnicodeDecodeError) as error:
            self.problems.append(f"{what.rstrip('.')}: {error}")

"""Checking a whole store: SQLite's own checks, every digest, and an independent recount."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw

from tau.errors import StoreDamaged
from tau.stores import codec, naming, rows
from tau.stores.sqlite import schema
from tau.stores.sqlite.connection import Access, Row, Statements
from tau.stores.sqlite.faults import translated
from tau.stores.sqlite.location import Place
from tau.stores.sqlite.statements import ABOUT

_MOST_PER_CHECK = 20
_CHECKS = tuple(sorted(name for name in ABOUT if name.startswith("check_")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was found in a store; `checked` counts rows whose digest was computed anew."""

    location: str
    schema_version: int
    checked: int
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Nothing is wrong."""
        return not self.problems


def verify(path: Path) -> Verification:
    """Check the store at `path` without changing it; it may be in use.

    Raises:
        StoreUnavailable: it cannot be opened.
        StoreVersion: it is from another version of Tau.
        StoreDamaged: it is not a Tau store, or so damaged that nothing can be read.
    """
    place = Place(path)
    place.prepare(read_only=True)
    access = Access(path=str(path), immutable=not place.writable and not place.logged)
    place.recognise(access)
    try:
        with contextlib.closing(access.reader()) as connection:
            version = schema.version(connection)
            schema.check_version(version, str(path))
            schema.check_tables(connection, str(path))
            connection.execute("BEGIN")
            inspection = _Inspection(Statements(connection))
            inspection.run()
            return Verification(
                location=str(path),
                schema_version=version,
                checked=inspection.checked,
                problems=tuple(inspection.problems),
            )
    except apsw.Error as error:
        raise translated(error, str(path), writing=False) from error


class _Inspection:
    def __init__(self, statements: Statements) -> None:
        self._statements = statements
        self.problems: list[str] = []
        self.checked = 0

    def run(self) -> None:
        """Look at everything; one damaged table does not hide the others."""
        self._pragmas()
        for name in _CHECKS:
            with self._noting(ABOUT[name]):
                found = self._statements.tuples(name)
                for (where,) in found[:_MOST_PER_CHECK]:
                    self.problems.append(f"{ABOUT[name]}: {where}")
        for name, check in _CONTENTS.items():
            with self._noting(ABOUT[name]):
                self._contents(name, check)

    def _pragmas(self) -> None:
        with self._noting("SQLite's integrity check"):
            connection = self._statements.connection
            for (line,) in connection.execute(f"PRAGMA integrity_check({_MOST_PER_CHECK})"):
                if line != "ok":
                    self.problems.append(f"SQLite: {line}")
            for name in schema.changed_objects(connection):
                self.problems.append(f"the definition of {name} is not as Tau makes it")
            for table, row, parent, _ in connection.execute("PRAGMA foreign_key_check"):
                self.problems.append(f"row {row} of {table} names a missing row of {parent}")

    def _contents(self, name: str, check: Callable[[Row], Any]) -> None:
        for row in self._statements.each(name):
            self.checked += 1
            try:
                check(row)
            except StoreDamaged as error:
                self.problems.append(str(error))
            except (ValueError, TypeError, KeyError) as error:
                self.problems.append(f"{ABOUT[name]} {error}")

    @contextlib.contextmanager
    def _noting(self, what: str) -> Iterator[None]:
        try:
            yield
        except (apsw.Error, UnicodeDecodeError) as error:
            self.problems.append(f"{what.rstrip('.')}: {error}")


def _resources(row: Row) -> None:
    rows.resources(row)
    if codec.digest(row["hash"], row["parent"], row["content"]) != row["digest"]:
        raise codec.damaged(f"resources {row['hash'][:12]}")


def _proposal(row: Row) -> None:
    rows.proposal(row, f"rollout {row['key']}")


def _result(row: Row) -> None:
    rows.check_result(row["rollout"], row)


def _spans(row: Row) -> None:
    if len(rows.spans([row])) != row["count"]:
        raise codec.damaged(f"a block of spans of rollout {row['rollout']}", "spans are missing")


_CONTENTS: dict[str, Callable[[Row], Any]] = {
    "all_runs": rows.run,
    "all_resources": _resources,
    "all_examples": rows.example,
    "all_proposals": _proposal,
    "all_results": _result,
    "all_failures": lambda row: rows.failure(row["failure"]),
    "all_spans": _spans,
    "all_checkpoints": rows.checkpoint,
    "all_aliases": naming.alias,
    "all_verdicts": naming.read_verdict,
}

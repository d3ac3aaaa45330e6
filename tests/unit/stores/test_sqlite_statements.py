"""Many rows in few steps: each step gives the interpreter's lock away and has to get it back."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import apsw
import pytest

from tau.stores.sqlite.connection import SqliteStatements, Value
from tau.stores.sqlite.statements import SQL
from unit.stores.stores import fill


def flat(rows: Sequence[tuple[Value, Value]]) -> list[Value]:
    return [value for row in rows for value in row]


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Iterator[SqliteStatements]:
    monkeypatch.setitem(SQL, "put", "INSERT INTO t (a, b) VALUES (?, ?) ON CONFLICT DO NOTHING")
    monkeypatch.setitem(
        SQL, "set", "UPDATE t SET b = v.column2 FROM (VALUES (?, ?)) AS v WHERE t.a = v.column1"
    )
    monkeypatch.setitem(SQL, "one", "INSERT INTO t (b, a) VALUES (?2, ?1)")
    monkeypatch.setitem(SQL, "all", "SELECT a, b FROM t WHERE a >= ?1 ORDER BY a")
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB)")
    yield SqliteStatements(connection)
    connection.close()


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 63, 64, 65, 127, 128, 200])
def test_every_row_is_written_once_and_in_few_steps(
    statements: SqliteStatements, count: int
) -> None:
    steps: list[str] = []

    def trace(_: apsw.Cursor, text: str, __: object) -> bool:
        steps.append(text)
        return True

    statements.connection.exec_trace = trace

    statements.many("put", flat([(n, f"first {n}") for n in range(count)]), 2)
    assert len(steps) <= count // 32 + 5
    statements.many("put", flat([(n, "again") for n in range(count)]), 2)
    assert statements.tuples("all", (0,)) == [(n, f"first {n}") for n in range(count)]
    statements.many("set", flat([(n, n * n) for n in range(count)]), 2)

    assert statements.tuples("all", (0,)) == [(n, n * n) for n in range(count)]


def test_a_statement_without_a_list_of_rows_is_run_for_each(statements: SqliteStatements) -> None:
    statements.many("one", flat([(n, "b") for n in range(9)]), 2)

    assert statements.tuples("all", (0,)) == [(n, "b") for n in range(9)]


@pytest.mark.parametrize("from_row", [0, 3, 9])
def test_what_is_read_at_once_is_what_is_read_row_by_row(
    statements: SqliteStatements, from_row: int
) -> None:
    values = [None, b"", b"\x00\xff", bytes(range(256)), b"plain"]
    statements.many("put", flat(list(enumerate(values))), 2)
    wide = "SELECT a, b, a * 1000000007 AS big, '\"\n\u20ac' AS text FROM t WHERE a >= ?1"
    SQL["all"] = wide

    assert statements.at_once("all", (from_row,)) == statements.rows("all", (from_row,))


async def test_the_hot_queries_read_the_same_either_way(tmp_path: Path) -> None:
    await fill(tmp_path / "store.sqlite")
    connection = apsw.Connection(str(tmp_path / "store.sqlite"))
    found = SqliteStatements(connection)
    every = "[" + ",".join(f"[{key},1]" for key in range(1, 20)) + "]"

    for name, bindings in (("ready_rollouts", (1, 100)), ("held_attempts", (every,))):
        rows = found.rows(name, bindings)
        assert len(rows) >= 4
        assert found.at_once(name, bindings) == rows
    connection.close()


def test_rows_that_are_too_much_for_one_answer_are_read_one_by_one(
    statements: SqliteStatements, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SQL, "long", "SELECT b FROM t WHERE a >= ?1 ORDER BY a")
    statements.many("put", flat([(n, "x" * 300) for n in range(9)]), 2)
    statements.connection.limit(apsw.SQLITE_LIMIT_LENGTH, 1_000)

    assert statements.at_once("long", (0,)) == [{"b": "x" * 300}] * 9

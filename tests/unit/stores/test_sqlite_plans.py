"""The hot statements search by index; none scans the queue or sorts it."""

from contextlib import closing
from pathlib import Path

import apsw
import apsw.ext
import pytest

from tau.stores.sqlite.connection import SqliteStatements
from tau.stores.sqlite.statements import ABOUT, SQL
from unit.stores.stores import fill

# Statements that look at a whole table on purpose, or at tables that stay small.
WHOLE = {name for name in SQL if name.startswith(("check_", "all_"))} | {
    "number_of_runs",  # runs are few
    "prune_checkpoints",  # five a run
    "prunable",  # runs are few; by hand
    "prune_examples",  # by hand, a run at a time
    "workers",  # one row per claiming loop
    "forget_retry_times",  # once per boot, over the scheduled retries only
}
SORTED = {
    "aliases",  # one row per name
    "answer_codes",  # grouped by reason, once at a run's end
    "failed_why",  # grouped by message, over the failed only
    "unscored",  # grouped by reason, once at a run's end
    "measurements_of_resources",  # what is known of one candidate, run by run
    "candidates",  # one row per proposal of a run
    "costs",  # grouped by candidate; pages ask for it in small runs only
    "first_due",  # among retries that are due and not yet noticed
    "failures",  # grouped by class, over the failed only
    "held_by_worker",  # what one worker holds
    "stints",  # of the few hundred rollouts that settled last
}
BIG = ("rollout", "attempt", "r", "a", "result", "x", "span_block", "b", "example", "e")


@pytest.fixture
async def connection(tmp_path: Path) -> apsw.Connection:
    await fill(tmp_path / "store.sqlite")
    return apsw.Connection(str(tmp_path / "store.sqlite"))


def plan(connection: apsw.Connection, statement: str) -> list[str]:
    """The steps of a plan. The planner knows what it would know of a store in use: nothing."""
    bindings = [None] * 20
    return [str(row[3]) for row in _explained(connection, statement, bindings)]


def _explained(
    connection: apsw.Connection, statement: str, bindings: list[None]
) -> list[tuple[object, ...]]:
    count = apsw.ext.query_info(connection, statement).bindings_count
    return connection.execute(f"EXPLAIN QUERY PLAN {statement}", bindings[:count]).fetchall()


@pytest.mark.parametrize("name", sorted(set(SQL) - WHOLE))
async def test_statements_search_by_index(connection: apsw.Connection, name: str) -> None:
    with closing(connection):
        steps = plan(connection, SQL[name])
    scans = [step for step in steps for table in BIG if step.startswith(f"SCAN {table} ")]
    scans += [step for step in steps if step.removeprefix("SCAN ") in BIG]

    assert scans == [], steps
    if name not in SORTED:
        assert [step for step in steps if "TEMP B-TREE" in step] == [], steps


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("ready_rollouts", "rollout_ready"),
        ("first_ready", "rollout_ready"),
        ("promote_due", "rollout_delayed"),
        ("next_delayed", "rollout_delayed"),
        ("held_by_worker", "attempt_live"),
        ("live_workers", "worker_live"),
        ("rollout_by_evaluation", "rollout_evaluate"),
        ("rollout_by_proposal", "rollout_propose"),
        ("failures", "rollout_failed"),
        ("scored", "rollout_run"),
        ("settled", "rollout_settled"),
        ("stints", "rollout_settled"),
        ("stints", "attempt_live"),
    ],
)
async def test_partial_indexes_are_used(connection: apsw.Connection, name: str, index: str) -> None:
    with closing(connection):
        assert any(f" {index} " in f"{step} " for step in plan(connection, SQL[name]))


@pytest.mark.parametrize("name", ["ready_rollouts", "held_attempts"])
async def test_what_is_read_at_once_is_read_by_the_same_plan(
    connection: apsw.Connection, name: str
) -> None:
    with closing(connection):
        steps = set(plan(connection, SQL[name]))
        whole = SqliteStatements(connection).whole(SQL[name], [None, None])
        read = plan(connection, whole.statement)

    assert steps <= set(read)
    assert [step for step in read if "TEMP B-TREE" in step] == []


def test_every_statement_is_described() -> None:
    assert [name for name, about in ABOUT.items() if not 10 < len(about) < 200] == []

"""The version of a database file, and the way from an older one to ours."""

import time
from collections.abc import Callable, Sequence

import apsw

from tau.errors import StoreDamaged, StoreVersion
from tau.stores.sqlite.location import APPLICATION_ID
from tau.stores.sqlite.statements import migrations

CURRENT = len(migrations())

_EXPECTED = frozenset(
    {
        "schema_meta", "worker", "run", "tally", "resources", "resources_version", "example",
        "rollout", "attempt", "result", "span_block", "checkpoint", "candidate",
        "alias", "verdict", "policy", "desired_state",
    }
)  # fmt: skip


def version(connection: apsw.Connection) -> int:
    """The schema version of an open database; 0 where it is empty."""
    return int(connection.pragma("user_version"))


def check_version(found: int, where: str, *, newest: int = CURRENT) -> None:
    """Raise StoreVersion for a schema newer than ours."""
    if found > newest:
        raise StoreVersion(
            "the store was written by a newer Tau",
            where=where,
            why=f"its schema is version {found}, this Tau knows {newest}",
            fix="upgrade Tau, or name another store",
        )


def check_filled(connection: apsw.Connection, where: str) -> None:
    """Raise StoreDamaged where there is nothing at all: no older Tau leaves that."""
    if not version(connection):
        raise StoreDamaged(
            "the store is empty",
            where=where,
            why="its log was deleted before anything was moved out of it, or no run came to begin",
            fix="start the run again, which goes on from its checkpoint file where there is one; "
            "what it would bring back is told by: tau db recover",
        )


def check_tables(connection: apsw.Connection, where: str) -> None:
    """Raise StoreDamaged where tables are missing."""
    names = {
        name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type='table'")
    }
    missing = sorted(_EXPECTED - names)
    if missing:
        raise StoreDamaged(
            "the store is damaged", where=where, why=f"it has no table {', '.join(missing)}"
        )


def changed_objects(connection: apsw.Connection) -> Sequence[str]:
    """Names of tables, indexes and triggers that are not as our migrations make them.

    SQLite trusts the text of a schema: a flipped bit in it changes what queries mean, and its own
    integrity check finds nothing wrong.
    """
    fresh = apsw.Connection(":memory:")
    try:
        for script in migrations():
            fresh.execute(script)
        expected, found = _objects(fresh), _objects(connection)
    finally:
        fresh.close()
    return sorted(name for name in {*expected, *found} if expected.get(name) != found.get(name))


def _objects(connection: apsw.Connection) -> dict[str, str]:
    rows = connection.execute(
        "SELECT name, type || ' ' || tbl_name || ' ' || ifnull(sql, '') FROM sqlite_schema"
    )
    return {str(name): str(text) for name, text in rows if not name.startswith("sqlite_stat")}


def migrate(
    connection: apsw.Connection,
    where: str,
    *,
    scripts: Sequence[str] | None = None,
    before: Callable[[int], None] = lambda found: None,
) -> int:
    """Bring the schema to ours, step by step and all or nothing; returns the version it had.

    `before` is called with the old version when an existing store is about to change.
    """
    steps = migrations() if scripts is None else scripts
    found = version(connection)
    check_version(found, where, newest=len(steps))
    if found == len(steps):
        return found
    if found:
        before(found)
    connection.execute("BEGIN IMMEDIATE")
    try:
        found = version(connection)  # another process may have been faster
        check_version(found, where, newest=len(steps))
        for script in steps[found:]:
            connection.execute(script)
        connection.pragma("application_id", APPLICATION_ID)
        connection.pragma("user_version", len(steps))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return found


def begin_log(connection: apsw.Connection, prepare: Callable[[apsw.Connection], None]) -> None:
    """Switch to the write-ahead log; processes that open a new file at once take turns."""
    for patience in range(100):
        try:
            prepare(connection)
        except apsw.BusyError:
            if patience == 99:
                raise
            time.sleep(0.02)
        else:
            return

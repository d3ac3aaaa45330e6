"""What is ready in a run."""

from tau.stores.sqlite.connection import Row, SqliteStatements


def oldest_ready(statements: SqliteStatements, run: int, now_ms: int) -> Row | None:
    """The rollout of `run` that is claimed next, retries whose time has come included."""
    found = statements.rows("first_ready", (run,)) + statements.rows("first_due", (run, now_ms))
    return min(found, key=lambda row: int(row["key"]), default=None)

"""Retention: deleting what ended runs did, and keeping what they were and came to."""

import contextlib
from collections.abc import Sequence
from pathlib import Path

import apsw

from tau.stores import codec
from tau.stores.retention import PrunedRun, prunable
from tau.stores.sqlite import schema
from tau.stores.sqlite.connection import SqliteAccess, SqliteStatements
from tau.stores.sqlite.faults import translated
from tau.stores.sqlite.location import DatabasePath


def prune(
    path: Path,
    *,
    runs: Sequence[str] = (),
    before_unix_ms: int | None = None,
    dry_run: bool = True,
) -> Sequence[PrunedRun]:
    """Delete rollouts, attempts, spans, outputs and checkpoints of runs named or ended long ago.

    The runs themselves stay, with their spend, candidates, verdicts and publications. Each run is
    one transaction, so that a live run beside it waits for none for long. By age, only completed
    and cancelled runs are meant: a failed one may go on.

    Raises:
        NotFound: a run that does not exist; nothing was changed.
        InputError: a run that has not ended; nothing was changed.
        StoreError: the store cannot be used.
    """
    place = DatabasePath(path)
    place.prepare(read_only=True)
    access = SqliteAccess(path=str(path))
    place.recognise(access)
    try:
        with contextlib.closing(access.writer()) as connection:
            schema.check_version(schema.version(connection), str(path))
            schema.begin_log(connection, access.prepare)
            statements = SqliteStatements(connection)
            found = _meant(statements, runs, before_unix_ms)
            for key, _ in [] if dry_run else found:
                _delete(statements, key)
            return [run for _, run in found]
    except apsw.Error as error:
        raise translated(error, str(path), writing=True) from error


def _meant(
    statements: SqliteStatements, runs: Sequence[str], before_unix_ms: int | None
) -> list[tuple[int, PrunedRun]]:
    names = codec.text(list(runs)) if runs else None
    rows = statements.rows("prunable", (names, before_unix_ms))
    return prunable(rows, runs)


def _delete(statements: SqliteStatements, key: int) -> None:
    connection = statements.connection
    connection.execute("BEGIN IMMEDIATE")
    try:
        for name in ("spans", "results", "attempts", "rollouts", "run_checkpoints", "tally"):
            statements.run(f"prune_{name}", (key,))
        statements.run("prune_examples")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise

"""Outcomes written together, each accepted or answered with the reason why not."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from tau.domain.ids import AttemptId, RunId
from tau.errors import StoreError
from tau.ports.clock import Clock
from tau.stores import codec, leases
from tau.stores.outcomes import Record, end, is_live, lease_lost, place, unknown
from tau.stores.sqlite.connection import Row, SqliteStatements
from tau.stores.sqlite.transaction import SqliteTransaction

Operation: TypeAlias = Callable[[SqliteTransaction], object]


def complete(
    transaction: SqliteTransaction, records: Sequence[Record], clock: Clock
) -> list[StoreError | None]:
    """Write outcomes; what is not accepted is answered with the reason, its spend booked late."""
    held = _held_attempts(transaction, records)
    answers: list[StoreError | None] = []
    written: set[AttemptId] = set()
    for record in records:
        row = held.get(record.place)
        if row is None:
            answers.append(unknown(record.attempt))
            continue
        if record.attempt in written or not is_live(row):
            row = held_attempt(transaction, record.attempt)  # with everything, as it is by now
        written.add(record.attempt)
        if is_live(row):
            end(transaction, record, row, clock)
            answers.append(None)
        else:
            leases.book_late(transaction, row, record.outcome.spent)
            answers.append(lease_lost(record.attempt, row))
    return answers


def held_attempt(statements: SqliteStatements, attempt: AttemptId) -> Row:
    """An attempt with what decides about it; NotFound."""
    found = place(attempt)
    held = None if found is None else statements.row("held_attempt", found[1:])
    if found is None or held is None or held["run_id"] != found[0]:
        raise unknown(attempt)
    return held


def _held_attempts(
    statements: SqliteStatements, records: Sequence[Record]
) -> dict[tuple[RunId, int, int], Row]:
    asked = codec.text([record.place[1:] for record in records])
    return {
        (row["run_id"], row["rollout"], row["n"]): row
        for row in statements.at_once("held_attempts", (asked,))
    }

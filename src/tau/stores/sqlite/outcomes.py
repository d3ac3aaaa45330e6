"""Ends of attempts and their spans, written with everything that belongs to them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from tau.domain.failure import Failure, FailureClass
from tau.domain.ids import AttemptId, RunId, attempt_parts, rollout_key
from tau.domain.rollout import AttemptStatus, Outcome, RolloutStatus
from tau.domain.span import Span
from tau.errors import LeaseLost, NotFound, StoreError
from tau.ports.clock import Clock
from tau.stores.sqlite import codec, leases, rows
from tau.stores.sqlite.connection import Row, Statements
from tau.stores.sqlite.transaction import Transaction

Operation: TypeAlias = Callable[[Transaction], object]

_ENDS = (AttemptStatus.SUCCEEDED, AttemptStatus.FAILED, AttemptStatus.TIMEOUT)
_UNEXPLAINED = Failure(kind=FailureClass.INTERNAL, message="failed without saying why")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """An outcome as it will be stored, made ready outside the writer's thread."""

    attempt: AttemptId
    outcome: Outcome
    score: float | None
    failure: Failure | None
    output: str | None
    rewards: str
    block: bytes | None


def prepared(attempt: AttemptId, outcome: Outcome) -> Record:
    """Encode `outcome`; ValueError where it cannot be stored as it is."""
    if outcome.status not in _ENDS:
        raise ValueError(f"an attempt cannot end as {outcome.status}")
    if outcome.score is not None and not math.isfinite(outcome.score):
        raise ValueError(f"a score must be finite, got {outcome.score}")
    failure = outcome.failure
    if outcome.status is not AttemptStatus.SUCCEEDED and failure is None:
        failure = _UNEXPLAINED
    in_order = all(span.sequence == n for n, span in enumerate(outcome.spans, 1))
    return Record(
        attempt=attempt,
        outcome=outcome,
        score=None if outcome.score is None else outcome.score + 0.0,  # no negative zero
        failure=failure,
        output=None if outcome.output is None else codec.text(outcome.output),
        rewards=codec.text(outcome.rewards),
        block=codec.packed(outcome.spans) if outcome.spans and in_order else None,
    )


def complete(
    transaction: Transaction, records: Sequence[Record], clock: Clock
) -> list[StoreError | None]:
    """Write outcomes; what is not accepted is answered with the reason, its spend booked late."""
    held = _held_attempts(transaction, records)
    answers: list[StoreError | None] = []
    written: set[AttemptId] = set()
    for record in records:
        row = held.get(record.attempt)
        if row is None:
            answers.append(_unknown(record.attempt))
            continue
        if record.attempt in written:
            row = held_attempt(transaction, record.attempt)
        written.add(record.attempt)
        if is_live(row):
            _complete(transaction, record, row, clock)
            answers.append(None)
        else:
            leases.book_late(transaction, row, record.outcome.spent)
            answers.append(lease_lost(record.attempt, row))
    return answers


def _complete(transaction: Transaction, record: Record, held: Row, clock: Clock) -> None:
    outcome = record.outcome
    now = clock.unix_ms()
    succeeded = outcome.status is AttemptStatus.SUCCEEDED
    end = leases.End(
        status=outcome.status,
        failure=record.failure,
        counted=not succeeded,
        taken=False,
        spent=outcome.spent,
    )
    booked = leases.end_attempt(transaction, held, end, now)
    if held["limited"] and booked != rows.spend(held, "reserved"):
        transaction.claimable = True  # the budget may have room again
    _store_block(transaction, held, record)
    counted = held["counted"] + end.counted
    retried = outcome.retry_in_s is not None and counted < held["max_attempts"]
    if succeeded or not retried:
        _settle(transaction, held, record, counted=counted, unix_ms=now)
    else:
        delay_ms = math.ceil((outcome.retry_in_s or 0.0) * 1000)
        ready_ms = clock.monotonic_ms() + delay_ms if delay_ms > 0 else 0
        leases.requeue(
            transaction, held, counted=counted, refund=False, ready_ms=ready_ms, unix_ms=now
        )


def held_attempt(statements: Statements, attempt: AttemptId) -> Row:
    """An attempt with what decides about it; NotFound."""
    place = _place(attempt)
    held = None if place is None else statements.row("held_attempt", place[1:])
    if place is None or held is None or held["run_id"] != place[0]:
        raise _unknown(attempt)
    return held


def _held_attempts(statements: Statements, records: Sequence[Record]) -> dict[AttemptId, Row]:
    places = {record.attempt: _place(record.attempt) for record in records}
    asked = codec.text([place[1:] for place in places.values() if place is not None])
    found = {
        (row["run_id"], row["rollout"], row["n"]): row
        for row in statements.each("held_attempts", (asked,))
    }
    return {
        attempt: found[place]
        for attempt, place in places.items()
        if place is not None and place in found
    }


def _place(attempt: AttemptId) -> tuple[RunId, int, int] | None:
    """Run, rollout and number in an attempt's name."""
    parts = attempt_parts(attempt)
    rollout = rollout_key(parts[0]) if parts is not None else None
    return None if parts is None or rollout is None else (*rollout, parts[1])


def _unknown(attempt: AttemptId) -> NotFound:
    return NotFound(f"there is no attempt '{attempt}'")


def is_live(held: Row) -> bool:
    """Its worker may write: the attempt is its rollout's current one and nobody took it away."""
    return (
        held["status"] in leases.LIVE
        and held["live"] == held["n"]
        and held["worker_state"] == "live"
    )


def lease_lost(attempt: AttemptId, held: Row) -> LeaseLost:
    """Why `attempt` cannot write any more."""
    return LeaseLost(
        f"attempt '{attempt}' is over",
        why=f"it is {held['status']} and its rollout is {held['rollout_status']}",
    )


def store_spans(transaction: Transaction, rollout: int, n: int, spans: Sequence[Span]) -> None:
    """Number `spans` after those already there and store them as one block."""
    if not spans:
        return
    last = transaction.value("last_sequence", (rollout, n)) or 0
    numbers = {span.sequence: last + i for i, span in enumerate(spans, 1)}
    numbered = [
        replace(
            span,
            sequence=last + i,
            parent=None if span.parent is None else numbers.get(span.parent, span.parent),
        )
        for i, span in enumerate(spans, 1)
    ]
    _insert_block(transaction, rollout, n, last + 1, len(spans), codec.packed(numbered))


def _store_block(transaction: Transaction, held: Row, record: Record) -> None:
    spans = record.outcome.spans
    rollout, n = held["rollout"], held["n"]
    if record.block is None or held["last_sequence"] is not None:
        store_spans(transaction, rollout, n, spans)
    else:
        _insert_block(transaction, rollout, n, 1, len(spans), record.block)


def _insert_block(
    transaction: Transaction, rollout: int, n: int, first: int, count: int, data: bytes
) -> None:
    digest = rows.span_digest(rollout, n, first, data)
    transaction.later("insert_spans", (rollout, n, first, count, data, digest))


def _settle(
    transaction: Transaction, held: Row, record: Record, *, counted: int, unix_ms: int
) -> None:
    outcome = record.outcome
    key = held["rollout"]
    status = (
        RolloutStatus.SUCCEEDED
        if outcome.status is AttemptStatus.SUCCEEDED
        else RolloutStatus.FAILED
    )
    failed = None if record.failure is None else codec.text(record.failure)
    transaction.later(
        "settle_rollout", (key, status, counted, record.score, failed, outcome.duration_ms, unix_ms)
    )
    digest = rows.result_digest(key, record.score, record.output, record.rewards, failed)
    transaction.later("insert_result", (key, record.output, record.rewards, digest))
    transaction.move(held["run"], held["rollout_status"], status)
    transaction.settled.add(held["run_id"])

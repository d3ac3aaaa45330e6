"""Ends of attempts and their spans, as they are stored with everything that belongs to them."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from tau.domain.failure import Failure, FailureClass
from tau.domain.ids import AttemptId, RunId, attempt_parts, rollout_key
from tau.domain.rollout import AttemptStatus, Outcome, RolloutStatus
from tau.domain.span import Span
from tau.domain.spend import Spend
from tau.errors import LeaseLost, NotFound
from tau.ports.clock import Clock
from tau.stores import amounts, codec, leases, rows
from tau.stores.changes import Changes
from tau.stores.rows import Row

_ENDS = (AttemptStatus.SUCCEEDED, AttemptStatus.FAILED, AttemptStatus.TIMEOUT)
_UNEXPLAINED = Failure(kind=FailureClass.INTERNAL, message="failed without saying why")


class Record(NamedTuple):
    """An outcome as it will be stored, made ready outside the writer's thread.

    It says how its attempt ends, see `leases.Ending`. `place` is the attempt's run, rollout and
    number. `result` is what is kept where it settles its rollout: output, rewards, digest. `block`
    holds its spans with their digest, None where they have to be numbered anew.
    """

    attempt: AttemptId
    place: tuple[RunId, int, int]
    outcome: Outcome
    status: AttemptStatus
    failure: Failure | None
    counted: bool
    spent: Spend
    score: float | None
    failed: str | None
    result: tuple[str | None, str, bytes]
    block: tuple[bytes, bytes] | None
    taken: bool = False
    refund: bool = False


def prepared(attempt: AttemptId, outcome: Outcome) -> Record:
    """Encode `outcome`; ValueError where it cannot be stored as it is, NotFound for no attempt."""
    where = place(attempt)
    if where is None:
        raise unknown(attempt)
    if outcome.status not in _ENDS:
        raise ValueError(f"an attempt cannot end as {outcome.status}")
    if outcome.score is not None and not math.isfinite(outcome.score):
        raise ValueError(f"a score must be finite, got {outcome.score}")
    _, rollout, n = where
    failure = outcome.failure
    succeeded = outcome.status is AttemptStatus.SUCCEEDED
    if not succeeded and failure is None:
        failure = _UNEXPLAINED
    score = None if outcome.score is None else outcome.score + 0.0  # no negative zero
    failed = None if failure is None else codec.text(failure)
    output = None if outcome.output is None else codec.text(outcome.output)
    rewards = codec.text(outcome.rewards)
    digest = rows.result_digest(rollout, score, output, rewards, failed)
    block = None
    if outcome.spans and [span.sequence for span in outcome.spans] == [
        *range(1, len(outcome.spans) + 1)
    ]:
        data = _packed(outcome.spans)
        block = (data, rows.span_digest(rollout, n, 1, data))
    return Record(
        attempt,
        where,
        outcome,
        outcome.status,
        failure,
        not succeeded,
        outcome.spent,
        score,
        failed,
        (output, rewards, digest),
        block,
    )


def end(changes: Changes, record: Record, held: Row, clock: Clock) -> None:
    """Write the outcome of an attempt that is live."""
    outcome = record.outcome
    now = clock.unix_ms()
    booked = leases.end_attempt(changes, held, record, now)
    if held["limited"] and booked != amounts.reserved(held):
        changes.claimable = True  # the budget may have room again
    _store_block(changes, held, record)
    counted = held["counted"] + record.counted
    retried = outcome.retry_in_s is not None and counted < held["max_attempts"]
    if record.status is AttemptStatus.SUCCEEDED or not retried:
        _settle(changes, held, record, counted=counted, unix_ms=now)
    else:
        delay_ms = math.ceil((outcome.retry_in_s or 0.0) * 1000)
        ready_ms = clock.monotonic_ms() + delay_ms if delay_ms > 0 else 0
        leases.requeue(changes, held, counted=counted, refund=False, ready_ms=ready_ms, unix_ms=now)


def place(attempt: AttemptId) -> tuple[RunId, int, int] | None:
    """Run, rollout and number in an attempt's name."""
    parts = attempt_parts(attempt)
    rollout = rollout_key(parts[0]) if parts is not None else None
    return None if parts is None or rollout is None else (*rollout, parts[1])


def unknown(attempt: AttemptId) -> NotFound:
    """The error for a name that is none of ours."""
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


def store_spans(changes: Changes, held: Row, spans: Sequence[Span]) -> None:
    """Number `spans` after those already there and store them as one block."""
    if not spans:
        return
    last = held["last_sequence"] or 0
    numbers = {span.sequence: last + i for i, span in enumerate(spans, 1)}
    numbered = [
        replace(
            span,
            sequence=last + i,
            parent=None if span.parent is None else numbers.get(span.parent, span.parent),
        )
        for i, span in enumerate(spans, 1)
    ]
    rollout, n, data = held["rollout"], held["n"], _packed(numbered)
    digest = rows.span_digest(rollout, n, last + 1, data)
    changes.later("insert_spans", (rollout, n, last + 1, len(spans), data, digest))


def _packed(spans: Sequence[Span]) -> bytes:
    """A block; dataclasses with slots are encoded at half the speed of mappings."""
    return codec.packed(
        [
            {
                "sequence": span.sequence,
                "parent": span.parent,
                "name": span.name,
                "kind": span.kind,
                "start_unix_ns": span.start_unix_ns,
                "end_unix_ns": span.end_unix_ns,
                "attributes": span.attributes,
                "error": span.error,
            }
            for span in spans
        ]
    )


def _store_block(changes: Changes, held: Row, record: Record) -> None:
    spans = record.outcome.spans
    if record.block is None or held["last_sequence"] is not None:
        store_spans(changes, held, spans)
    else:
        changes.later("insert_spans", (held["rollout"], held["n"], 1, len(spans), *record.block))


def _settle(changes: Changes, held: Row, record: Record, *, counted: int, unix_ms: int) -> None:
    outcome = record.outcome
    key = held["rollout"]
    status = (
        RolloutStatus.SUCCEEDED
        if outcome.status is AttemptStatus.SUCCEEDED
        else RolloutStatus.FAILED
    )
    changes.settle_later(
        (key, status, counted, record.score, record.failed, outcome.duration_ms, unix_ms),
        record.result,
    )
    changes.move(held["run"], held["rollout_status"], status)
    changes.settled.add(held["run_id"])

"""Ends of attempts and their spans, as they are stored with everything that belongs to them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tau.domain.failure import Failure, FailureClass
from tau.domain.ids import AttemptId, RunId, attempt_parts, rollout_key
from tau.domain.rollout import AttemptStatus, Outcome, RolloutStatus
from tau.domain.span import Span
from tau.errors import LeaseLost, NotFound
from tau.ports.clock import Clock
from tau.stores import codec, leases, rows
from tau.stores.changes import Changes
from tau.stores.rows import Row

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
    in_order = [span.sequence for span in outcome.spans] == [*range(1, len(outcome.spans) + 1)]
    return Record(
        attempt=attempt,
        outcome=outcome,
        score=None if outcome.score is None else outcome.score + 0.0,  # no negative zero
        failure=failure,
        output=None if outcome.output is None else codec.text(outcome.output),
        rewards=codec.text(outcome.rewards),
        block=_packed(outcome.spans) if outcome.spans and in_order else None,
    )


def end(changes: Changes, record: Record, held: Row, clock: Clock) -> None:
    """Write the outcome of an attempt that is live."""
    outcome = record.outcome
    now = clock.unix_ms()
    succeeded = outcome.status is AttemptStatus.SUCCEEDED
    ended = leases.End(
        status=outcome.status,
        failure=record.failure,
        counted=not succeeded,
        taken=False,
        spent=outcome.spent,
    )
    booked = leases.end_attempt(changes, held, ended, now)
    if held["limited"] and booked != rows.spend(held, "reserved"):
        changes.claimable = True  # the budget may have room again
    _store_block(changes, held, record)
    counted = held["counted"] + ended.counted
    retried = outcome.retry_in_s is not None and counted < held["max_attempts"]
    if succeeded or not retried:
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
    place = (held["rollout"], held["n"])
    _insert_block(changes, *place, last + 1, len(spans), _packed(numbered))


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
    rollout, n = held["rollout"], held["n"]
    if record.block is None or held["last_sequence"] is not None:
        store_spans(changes, held, spans)
    else:
        _insert_block(changes, rollout, n, 1, len(spans), record.block)


def _insert_block(
    changes: Changes, rollout: int, n: int, first: int, count: int, data: bytes
) -> None:
    digest = rows.span_digest(rollout, n, first, data)
    changes.later("insert_spans", (rollout, n, first, count, data, digest))


def _settle(changes: Changes, held: Row, record: Record, *, counted: int, unix_ms: int) -> None:
    outcome = record.outcome
    key = held["rollout"]
    status = (
        RolloutStatus.SUCCEEDED
        if outcome.status is AttemptStatus.SUCCEEDED
        else RolloutStatus.FAILED
    )
    failed = None if record.failure is None else codec.text(record.failure)
    changes.later(
        "settle_rollout", (key, status, counted, record.score, failed, outcome.duration_ms, unix_ms)
    )
    digest = rows.result_digest(key, record.score, record.output, record.rewards, failed)
    changes.later("insert_result", (key, record.output, record.rewards, digest))
    changes.move(held["run"], held["rollout_status"], status)
    changes.settled.add(held["run_id"])


def digest_of(record: Record, held: Row) -> bytes:
    """The digest of the result that `record` leaves behind where it settles its rollout."""
    failed = None if record.failure is None else codec.text(record.failure)
    return rows.result_digest(held["rollout"], record.score, record.output, record.rewards, failed)

"""What becomes of an attempt and its rollout: ended by its worker, given back, or taken away."""

from dataclasses import dataclass, replace
from typing import Protocol

from tau.domain.failure import Failure, FailureClass
from tau.domain.rollout import AttemptStatus, RolloutStatus
from tau.domain.spend import Spend
from tau.stores import amounts, codec, rows
from tau.stores.changes import Changes
from tau.stores.rows import Row

LOST = Failure(kind=FailureClass.WORKER_LOST, message="worker heartbeat timeout")
GONE = Failure(kind=FailureClass.WORKER_LOST, message="worker process is gone")
RELEASED = Failure(kind=FailureClass.CANCELLED, message="given back by its worker")
CANCELLED = Failure(kind=FailureClass.CANCELLED, message="cancelled")
LIVE = ("preparing", "running")


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How an attempt ends.

    `counted` towards the run's `max_attempts`. `taken` from its worker, who may still report what
    it really spent. `spent` None: nobody knows, so what was reserved counts as spent.
    """

    status: AttemptStatus
    failure: Failure | None
    counted: bool
    taken: bool
    spent: Spend | None
    refund: bool = False


class AttemptEnding(Protocol):
    """What `End` says, said by whoever knows it."""

    @property
    def status(self) -> AttemptStatus:
        """How the attempt ends."""

    @property
    def failure(self) -> Failure | None:
        """Why."""

    @property
    def counted(self) -> bool:
        """Towards the run's `max_attempts`."""

    @property
    def taken(self) -> bool:
        """From its worker."""

    @property
    def spent(self) -> Spend | None:
        """None where nobody knows."""

    @property
    def refund(self) -> bool:
        """The rollout is not counted as spent."""


def lost() -> End:
    """The worker was silent for longer than its lease."""
    return End(status=AttemptStatus.TIMEOUT, failure=LOST, counted=True, taken=True, spent=None)


def gone() -> End:
    """The worker's whole process is gone, which says nothing about the rollout."""
    return End(
        status=AttemptStatus.UNRESPONSIVE, failure=GONE, counted=False, taken=True, spent=None
    )


def released(spent: Spend) -> End:
    """The worker gave the attempt back."""
    return End(
        status=AttemptStatus.FAILED,
        failure=RELEASED,
        counted=False,
        taken=True,
        spent=spent,
        refund=True,
    )


def cancelled() -> End:
    """The rollout was cancelled under the worker's hands."""
    return End(
        status=AttemptStatus.FAILED, failure=CANCELLED, counted=False, taken=True, spent=None
    )


def end_attempt(changes: Changes, held: Row, end: AttemptEnding, unix_ms: int) -> Spend:
    """Write the attempt's end and settle its reservation; returns what was booked."""
    reserved = amounts.reserved(held)
    real = amounts.all_assumed(reserved) if end.spent is None else end.spent
    booked = Spend(
        rollouts=0 if end.refund else reserved.rollouts,  # a rollout is counted here, not reported
        calls=real.calls,
        tokens=real.tokens,
        cost_nano_usd=real.cost_nano_usd,
        assumed_tokens=real.assumed_tokens,
        assumed_cost_nano_usd=real.assumed_cost_nano_usd,
    )
    changes.later(
        "end_attempt",
        (
            held["rollout"],
            held["n"],
            end.status,
            end.counted,
            unix_ms,
            None if end.failure is None else codec.text(end.failure),
            booked.rollouts,
            booked.calls,
            booked.tokens,
            booked.cost_nano_usd,
            end.spent is None,
            end.taken,
        ),
    )
    changes.reserve(held["run"], reserved, times=-1)
    changes.spend(held["run"], booked)
    return booked


def requeue(
    changes: Changes, held: Row, *, counted: int, refund: bool, ready_ms: int, unix_ms: int
) -> None:
    """Put the rollout back, ready at monotonic `ready_ms` (0 = now)."""
    charged = 0 if refund and held["reserved_rollouts"] else 1
    changes.later("requeue_rollout", (held["rollout"], counted, charged, ready_ms, unix_ms))
    changes.move(held["run"], held["rollout_status"], RolloutStatus.REQUEUING)
    if ready_ms:
        changes.due_ms.append(ready_ms)
    else:
        changes.claimable = True


def fail(changes: Changes, held: Row, *, counted: int, failure: Failure, unix_ms: int) -> None:
    """Settle the rollout as failed without an output."""
    failed = codec.text(failure)
    key = held["rollout"]
    digest = rows.result_digest(key, None, None, "[]", failed)
    changes.settle_later(
        (key, RolloutStatus.FAILED, counted, None, failed, 0, unix_ms), (None, "[]", digest)
    )
    changes.move(held["run"], held["rollout_status"], RolloutStatus.FAILED)
    changes.settled.add(held["run_id"])
    changes.claimable = True  # the budget may have room again


def take_away(changes: Changes, held: Row, end: End, unix_ms: int) -> None:
    """End an attempt that produced nothing and requeue its rollout, or fail it at its limit."""
    end_attempt(changes, held, end, unix_ms)
    counted = held["counted"] + end.counted
    if end.failure is not None and end.counted and counted >= held["max_attempts"]:
        fail(changes, held, counted=counted, failure=end.failure, unix_ms=unix_ms)
    else:
        requeue(changes, held, counted=counted, refund=end.refund, ready_ms=0, unix_ms=unix_ms)


def book_late(changes: Changes, held: Row, spent: Spend) -> None:
    """Book what an attempt really spent after it had been taken from its worker; once."""
    if not held["taken"] or held["late_calls"] is not None:
        return
    before = amounts.spent(held)
    if held["assumed"]:
        before = amounts.all_assumed(before)
    kept = Spend(rollouts=before.rollouts) if held["assumed"] else before
    changes.later(
        "book_late",
        (
            held["rollout"],
            held["n"],
            kept.calls,
            kept.tokens,
            kept.cost_nano_usd,
            spent.calls,
            spent.tokens,
            spent.cost_nano_usd,
        ),
    )
    late = replace(spent, rollouts=0)
    changes.spend(held["run"], before, times=-1)
    changes.spend(held["run"], kept + late)
    changes.claimable = True

"""What a store holds, as the model of its meaning sees it."""

from dataclasses import dataclass, field
from itertools import pairwise

from tau.domain.failure import FailureClass
from tau.domain.ids import AttemptId, RolloutId, WorkerId, attempt_id
from tau.domain.rollout import AttemptStatus, RolloutStatus, Submission
from tau.domain.run import Run, RunStatus
from tau.domain.spend import Spend
from tau.domain.worker import ProcessIdentity, WorkerRole

NOTHING = Spend()
LIVE = (AttemptStatus.PREPARING, AttemptStatus.RUNNING)
WAITING = (RolloutStatus.QUEUING, RolloutStatus.REQUEUING)


@dataclass(slots=True)
class Try:
    """One attempt. `assumed`: what it spent is what it had reserved, nobody knows better yet."""

    rollout: "Unit"
    n: int
    worker: WorkerId
    reserved: Spend
    status: AttemptStatus = AttemptStatus.RUNNING
    spent: Spend = NOTHING
    late: Spend | None = None
    assumed: bool = False
    taken: bool = False
    spans: int = 0

    @property
    def id(self) -> AttemptId:
        """Its name."""
        return attempt_id(self.rollout.id, self.n)

    @property
    def live(self) -> bool:
        """Its worker may still write."""
        return self.status in LIVE


@dataclass(slots=True)
class Unit:
    """One rollout."""

    id: RolloutId
    run: "Drive"
    submission: Submission
    status: RolloutStatus = RolloutStatus.QUEUING
    tries: list[Try] = field(default_factory=list)
    counted: int = 0
    charged: bool = False
    ready_ms: int = 0
    score: float | None = None
    failure: FailureClass | None = None

    @property
    def spent(self) -> Spend:
        """Everything booked to its attempts."""
        return sum((t.spent + (t.late or NOTHING) for t in self.tries), NOTHING)


@dataclass(slots=True)
class Hand:
    """One worker or trainer."""

    id: WorkerId
    role: WorkerRole
    process: ProcessIdentity
    lease_ms: int
    heartbeat_ms: int
    given_up: bool = False


@dataclass(slots=True)
class Drive:
    """One run."""

    run: Run
    status: RunStatus = RunStatus.RUNNING
    trainer: WorkerId | None = None
    spent: Spend = NOTHING
    reserved: Spend = NOTHING
    active_s: float = 0.0
    waves: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Watch:
    """When an open store's reaper ran; it forgets when the store is closed."""

    looks_ms: list[int] = field(default_factory=list)

    def deadline(self, hand: Hand) -> int:
        """The last instant of a lease.

        A reaper that came later than a lease after its last visit stood still, and so may the
        heartbeat have: the lease begins anew, unless the reaper was that late the time before too.
        """
        since, late = hand.heartbeat_ms, False
        for before, now in pairwise(self.looks_ms):
            was_late, late = late, now - before > hand.lease_ms
            if late and not was_late:
                since = max(since, now)
        return since + hand.lease_ms

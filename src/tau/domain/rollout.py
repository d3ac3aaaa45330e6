"""Rollouts and attempts: units of work, tries at them, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from tau.domain.dataset import Example
from tau.domain.failure import PROMPT_LED, Failure, FailureClass
from tau.domain.ids import AttemptId, ResourcesHash, RolloutId, RunId
from tau.domain.json import Json, content_hash
from tau.domain.quick import quickly_made
from tau.domain.resources import Resources
from tau.domain.reward import Reward
from tau.domain.span import Span
from tau.domain.spend import Spend

REUSED_FROM = "reused_from"
REUSED_USD = "reused_usd"
"""In an output's metadata: the rollout that it was taken over from, and what that one cost."""


class RolloutKind(StrEnum):
    """Measure resources on an example, or ask a model for better resources."""

    EVALUATE = "evaluate"
    PROPOSE = "propose"


class RolloutStatus(StrEnum):
    """See domain/transitions."""

    QUEUING = "queuing"
    PREPARING = "preparing"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REQUEUING = "requeuing"


class AttemptStatus(StrEnum):
    """See domain/transitions."""

    PREPARING = "preparing"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMEOUT = "timeout"
    UNRESPONSIVE = "unresponsive"


SETTLED = frozenset({RolloutStatus.SUCCEEDED, RolloutStatus.FAILED, RolloutStatus.CANCELLED})
"""Statuses a trainer stops waiting at; a failed rollout can still be requeued on request."""


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutRequest:
    """What an algorithm asks for.

    *evaluate*: `resources` on `example`, independent try `replicate` (from 0).
    *propose*: the JSON `proposal` for the reflection model, with `resources` as the parent; `slot`
    keeps equal sibling requests apart.
    `reusable`: what a probe measured of the same may answer it. Never so where it is evidence for
    a claim, which must be fresh.
    """

    kind: RolloutKind
    resources: Resources
    example: Example | None = None
    replicate: int = 0
    proposal: Json = None
    slot: int = 0
    reusable: bool = field(default=False, compare=False)

    @property
    def subject(self) -> str:
        """Example id of an evaluation, hash of the request for a proposal."""
        return self.example.id if self.example else content_hash(self.proposal)

    @property
    def key(self) -> tuple[str, ResourcesHash, str, int]:
        """The identity within a run: kind, resources, subject, and replicate or slot."""
        ordinal = self.replicate if self.kind is RolloutKind.EVALUATE else self.slot
        return (self.kind, self.resources.hash, self.subject, ordinal)


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A request with what one attempt at it may spend at most (`rollouts` is 1)."""

    request: RolloutRequest
    reserve: Spend = field(default_factory=lambda: Spend(rollouts=1))


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedRollout:
    """An attempt handed to a worker; `attempt_id` must come with every later write.

    `attempt` numbers it from 1; `counted` are the earlier ones that count as failed.
    """

    attempt_id: AttemptId
    rollout_id: RolloutId
    run_id: RunId
    attempt: int
    kind: RolloutKind
    resources: ResourcesHash
    example: Example | None
    replicate: int
    proposal: Json
    slot: int
    reserved: Spend
    counted: int = 0


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What an executor produced. `text` is what graders read by default.

    `value` is structured output where there is any. `reason_codes` and `blocked_events` feed the
    safety rewards. `metadata` is small and for people.
    """

    text: str
    value: Json = None
    finish_reason: str | None = None
    reason_codes: tuple[str, ...] = ()
    blocked_events: int = 0
    metadata: Mapping[str, Json] = field(default_factory=dict)


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an attempt ended, written in one transaction with everything that belongs to it.

    `status` is succeeded, failed or timeout. `retry_in_s` is only for a failure: None makes it
    final, else the rollout goes back to the queue and is ready after that many seconds.
    `score` is the primary reward after safety, None where unscored.
    """

    status: AttemptStatus
    output: Output | None = None
    rewards: tuple[Reward, ...] = ()
    score: float | None = None
    failure: Failure | None = None
    retry_in_s: float | None = None
    spans: tuple[Span, ...] = ()
    spent: Spend = field(default_factory=Spend)
    duration_ms: int = 0


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutResult:
    """A settled rollout as it is told to an algorithm.

    `status` is succeeded, failed or cancelled. A succeeded rollout with `score` None is unscored.
    """

    request: RolloutRequest
    rollout_id: RolloutId | None
    status: RolloutStatus
    output: Output | None = None
    rewards: tuple[Reward, ...] = ()
    score: float | None = None
    failure: Failure | None = None
    spent: Spend = field(default_factory=Spend)
    attempts: int = 0
    duration_ms: int = 0

    @property
    def missing(self) -> bool:
        """No score is known: it must not enter a mean, and it is not a zero."""
        return self.score is None

    @property
    def reused(self) -> bool:
        """Another run's evaluation, taken over at no cost; see `reused_outcome`."""
        return self.output is not None and REUSED_FROM in self.output.metadata

    @property
    def cost_usd(self) -> float:
        """What it cost to make, whichever run paid for it."""
        told = self.output.metadata.get(REUSED_USD) if self.output is not None else None
        return float(told) if isinstance(told, int | float) else self.spent.cost_usd

    @property
    def compared_score(self) -> float | None:
        """As prompts are compared: 0 where the prompt itself led to there being no answer."""
        kind = self.failure.kind if self.failure else None
        return compared_score(self.status, self.score, kind)


def reused_outcome(result: RolloutResult) -> Outcome | None:
    """A scored result as one that another run takes over: it says whose it is and what it cost."""
    if result.status is not RolloutStatus.SUCCEEDED or result.output is None:
        return None
    told: dict[str, Json] = {REUSED_FROM: result.rollout_id, REUSED_USD: result.cost_usd}
    return Outcome(
        status=AttemptStatus.SUCCEEDED,
        output=replace(result.output, metadata={**result.output.metadata, **told}),
        rewards=result.rewards,
        score=result.score,
        duration_ms=result.duration_ms,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutCounts:
    """How many rollouts of a run are in each status."""

    by_status: Mapping[RolloutStatus, int]

    def __getitem__(self, status: RolloutStatus) -> int:
        """The number in `status`, 0 where none."""
        return self.by_status.get(status, 0)

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.by_status.values())

    @property
    def settled(self) -> int:
        """Succeeded, failed and cancelled together."""
        return sum(self[status] for status in SETTLED)

    @property
    def in_flight(self) -> int:
        """Held by a worker."""
        return self[RolloutStatus.PREPARING] + self[RolloutStatus.RUNNING]

    @property
    def waiting(self) -> int:
        """Queued for the first time or again."""
        return self[RolloutStatus.QUEUING] + self[RolloutStatus.REQUEUING]


def compared_score(
    status: RolloutStatus, score: float | None, failure: FailureClass | None
) -> float | None:
    """The score of a settled rollout as prompts are compared, at most 1; None where missing."""
    if score is not None:
        return min(1.0, score)
    return 0.0 if status is RolloutStatus.FAILED and failure in PROMPT_LED else None

"""Reading what is in a store; nothing here changes anything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from tau.domain.dataset import Split
from tau.domain.failure import Failure, FailureClass
from tau.domain.ids import AttemptId, ExampleId, ResourcesHash, RolloutId, RunId, WorkerId
from tau.domain.resources import Resources, ResourcesVersion
from tau.domain.rollout import (
    AttemptStatus,
    RolloutCounts,
    RolloutKind,
    RolloutResult,
    RolloutStatus,
    compared_score,
)
from tau.domain.run import Run, RunStatus
from tau.domain.span import Span
from tau.domain.spend import Spend
from tau.domain.worker import WorkerRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutFilter:
    """None means any. `ids` that do not exist are simply absent from the answer."""

    run: RunId | None = None
    statuses: frozenset[RolloutStatus] | None = None
    kinds: frozenset[RolloutKind] | None = None
    splits: frozenset[Split] | None = None
    ids: tuple[RolloutId, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutRow:
    """One line of a rollout listing, without contents."""

    id: RolloutId
    run_id: RunId
    kind: RolloutKind
    status: RolloutStatus
    split: Split | None
    attempts: int
    score: float | None
    failure: Failure | None
    spent: Spend
    duration_ms: int
    updated_unix_ms: int


class SettledRow(NamedTuple):
    """One settled rollout as small as can be: displays hold a hundred thousand of them.

    `number` is its integer key (ids.rollout_id), `failure` a failure class; `calls`, `tokens` and
    `cost_nano_usd` are those of all its attempts, late ones too; `gated`: safety's hard gate shut.
    `codes` are the output's reason codes; `why`, cut at 300 characters, is what there is to say of
    a failure or of an evaluation without a score, '' where nothing graded it, else None.
    """

    number: int
    updated_unix_ms: int
    kind: RolloutKind
    status: RolloutStatus
    split: Split | None
    resources: str
    example: str | None
    replicate: int
    score: float | None
    failure: str | None
    attempts: int
    duration_ms: int
    calls: int
    tokens: int
    cost_nano_usd: int
    gated: bool = False
    codes: tuple[str, ...] = ()
    why: str | None = None

    @property
    def compared_score(self) -> float | None:
        """As prompts are compared, see domain.rollout.compared_score."""
        kind = FailureClass(self.failure) if self.failure is not None else None
        return compared_score(self.status, self.score, kind)


class Stint(NamedTuple):
    """One attempt as who worked when; `ended_unix_ms` is None while it is in flight."""

    rollout_id: RolloutId
    n: int
    worker_name: str
    status: AttemptStatus
    started_unix_ms: int
    ended_unix_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptView:
    """One try with what happened inside. `late_spent` was booked after the lease was lost."""

    id: AttemptId
    n: int
    status: AttemptStatus
    worker: WorkerId | None
    worker_name: str
    started_unix_ms: int
    ended_unix_ms: int | None
    failure: Failure | None
    spent: Spend
    late_spent: Spend
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutView:
    """Everything about one rollout."""

    result: RolloutResult
    run_id: RunId
    created_unix_ms: int
    updated_unix_ms: int
    attempts: tuple[AttemptView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreSummary:
    """Scores of one (resources, split) in a run: enough for a mean and its interval.

    `scores` are those of scored rollouts in submission order, `examples` what each is of;
    `unscored` succeeded without a score, `failed` and `cancelled` never produced one.
    """

    split: Split
    resources: str
    scores: tuple[float, ...] = ()
    examples: tuple[str, ...] = ()
    unscored: int = 0
    failed: int = 0
    cancelled: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One evaluation as a point of a comparison: no content, only what it was and what it gave.

    `score` is None while it is not settled, and where it is missing; `failure` is the class of a
    failed one. One that was `reused` is another run's, and counts once where runs are pooled.
    """

    rollout_id: RolloutId
    run_id: RunId
    resources: ResourcesHash
    example: ExampleId
    split: Split
    replicate: int
    status: RolloutStatus
    score: float | None
    failure: FailureClass | None = None
    reused: bool = False

    @property
    def compared_score(self) -> float | None:
        """As prompts are compared, see domain.rollout.compared_score."""
        return compared_score(self.status, self.score, self.failure)


class MeanCost(NamedTuple):
    """What a scored evaluation of resources on a split costs in the mean, over `rows` of them.

    `nano_usd` is 0 where no price is known, `output_tokens` None where the executor tells none. Of
    reused evaluations it is what they cost the run that made them. `gated`: safety's
    hard gate shut.
    """

    resources: str
    split: Split
    rows: int
    duration_ms: float
    nano_usd: float
    output_tokens: float | None
    gated: bool = False


class FailedWhy(NamedTuple):
    """One message of failed rollouts of a kind, with its class and how many it befell."""

    kind: RolloutKind
    failure: str
    message: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfalls:
    """What a run lacks, by reason with how many, the most frequent first.

    `unscored` are reasons of evaluations that succeeded without a score ('' where nothing graded
    them), `failed` what rollouts of any kind failed of; of each only the most frequent few.
    `answers` counts outputs of evaluations by their reason codes.
    """

    unscored: Mapping[str, int] = field(default_factory=dict)
    failed: tuple[FailedWhy, ...] = ()
    answers: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateRecord:
    """Resources that a run's algorithm has proposed, in the `wave`-th wave (from 1).

    `abandoned` ones came after a checkpoint that the run was rolled back to.
    """

    resources: Resources
    wave: int
    abandoned: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFacts:
    """What `tau doctor` and backups tell about a store."""

    backend: str
    location: str
    schema_version: int
    runs: int
    rollouts: int
    size_bytes: int | None = None
    details: Mapping[str, str] = field(default_factory=dict)


class Insights(Protocol):
    """Read-only queries; every one is short, and paged where it can be long."""

    async def facts(self) -> StoreFacts:
        """Size and version."""
        ...

    async def runs(
        self, *, status: RunStatus | None = None, limit: int = 50, offset: int = 0
    ) -> Sequence[Run]:
        """Newest first."""
        ...

    async def run(self, run_id: RunId) -> Run:
        """One run; NotFound."""
        ...

    async def counts(self, run_id: RunId | None = None) -> RolloutCounts:
        """From counters, not by scanning; of one run or of all."""
        ...

    async def rollouts(
        self, where: RolloutFilter, *, limit: int = 50, offset: int = 0, newest_first: bool = False
    ) -> Sequence[RolloutRow]:
        """In submission order, or newest first."""
        ...

    async def settled(
        self, run_id: RunId, *, since_unix_ms: int = 0, after: int = 0, limit: int = 5000
    ) -> Sequence[SettledRow]:
        """Settled rollouts in order of (updated_unix_ms, number), those beyond the given place.

        Following a run by it is cheap; clocks can jump, so totals are to be compared with `counts`.
        """
        ...

    async def stints(self, run_id: RunId, *, limit: int = 200) -> Sequence[Stint]:
        """Attempts at the `limit` rollouts settled last and at those in flight, oldest first."""
        ...

    async def rollout(self, rollout_id: RolloutId) -> RolloutView:
        """One rollout with its attempts and spans; NotFound."""
        ...

    async def scores(self, run_id: RunId) -> Sequence[ScoreSummary]:
        """Per split and resources, in order of first submission."""
        ...

    async def measurements(
        self, *, run: RunId | None = None, resources: ResourcesHash | None = None
    ) -> Sequence[Measurement]:
        """Evaluations of a run, of some resources in any run, or of both, in submission order.

        Raises:
            NotFound: no such run.
            ValueError: neither is given.
        """
        ...

    async def reused(self, run_id: RunId) -> int:
        """How many evaluations of a run were taken over from other runs instead of being made."""
        ...

    async def costs(self, run_id: RunId) -> Sequence[MeanCost]:
        """By resources and split; reads every output, so ask for it where it is shown."""
        ...

    async def failures(self, run_id: RunId) -> Mapping[str, int]:
        """Final failures of a run's rollouts by failure class."""
        ...

    async def shortfalls(self, run_id: RunId) -> Shortfalls:
        """Why evaluations of a run have no score, or hardly an answer, and why rollouts failed.

        Reads every output: whoever follows a run has the same in `settled`.
        """
        ...

    async def workers(self, *, include_retired: bool = False) -> Sequence[WorkerRecord]:
        """In order of registration."""
        ...

    async def versions(self, *, limit: int = 50, offset: int = 0) -> Sequence[ResourcesVersion]:
        """Newest first."""
        ...

    async def candidates(
        self, run_id: RunId, *, limit: int = 50, offset: int = 0
    ) -> Sequence[CandidateRecord]:
        """In order of their waves, abandoned ones too."""
        ...

    async def resources(self, hash_prefix: str) -> Resources:
        """By hash or a unique prefix of it; NotFound, Conflict."""
        ...

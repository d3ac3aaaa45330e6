"""What the JSON API answers with, and takes: routes make these, OpenAPI describes them."""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict


class _Document(BaseModel):
    """Fields may be added."""

    model_config = ConfigDict(extra="allow")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpentBody:
    """What a run has used."""

    rollouts: int
    calls: int
    tokens: int
    cost_usd: float
    assumed_tokens: int
    assumed_cost_usd: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetBody:
    """What a run may use; null where there is no limit."""

    rollouts: int | None
    calls: int | None
    tokens: int | None
    cost_usd: float | None
    seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBody:
    """One run; `condition` is the word that the pages show."""

    id: str
    status: str
    condition: str
    algorithm: str
    model_ref: str
    seed: int
    created_unix_ms: int
    updated_unix_ms: int
    stop_reason: str | None
    spent: SpentBody
    budget: BudgetBody


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsDocument:
    """GET /api/v1/runs."""

    runs: list[RunBody]
    next_offset: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreBody:
    """Baseline or best on a split: the mean over its examples with its 95 % interval."""

    resources: str
    baseline: bool
    split: str
    mean: float
    low: float
    high: float
    scored: int
    unscored: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDocument:
    """GET /api/v1/runs/{run}."""

    run: RunBody
    counts: dict[str, int]
    failures: dict[str, int]
    unscored_reasons: dict[str, int]
    failed_reasons: dict[str, int]
    answers: dict[str, int]
    missing: list[str]
    decision: str | None
    scores: list[ScoreBody]
    complete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateBody:
    """One candidate, without texts; `means` by split."""

    resources: str
    parent: str | None
    wave: int
    abandoned: bool
    means: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidatesDocument:
    """GET /api/v1/runs/{run}/candidates."""

    candidates: list[CandidateBody]
    unusable_answers: dict[str, int]
    next_offset: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveDocument:
    """GET /api/v1/runs/{run}/curve: rows of rollouts, mean, low, high."""

    best: list[list[float]]
    candidates: list[dict[str, Any]]
    baseline: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutsPage:
    """GET /api/v1/runs/{run}/rollouts."""

    rollouts: list[dict[str, Any]]
    next_offset: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardBody:
    """What one grader gave."""

    name: str
    score: float | None
    passed: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptBody:
    """One try."""

    attempt_id: str
    status: str
    worker: str
    started_unix_ms: int
    ended_unix_ms: int | None
    spans: int
    tokens: int
    cost_usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutDocument:
    """GET /api/v1/rollouts/{rollout}, without texts."""

    rollout_id: str
    run_id: str
    status: str
    score: float | None
    failure: str | None
    unusable: str | None
    rewards: list[RewardBody]
    attempts: list[AttemptBody]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerBody:
    """Who is registered; `process` is host and process id."""

    name: str
    role: str
    process: str
    offers: list[str]
    in_flight: int
    heartbeat_unix_ms: int
    lease_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkersDocument:
    """GET /api/v1/workers."""

    workers: list[WorkerBody]


class ControlBody(BaseModel):
    """Why, for a rollback where to, and which run is meant: another one is left alone."""

    run_id: str | None = None
    reason: str | None = None
    checkpoint: str | None = None


class ControlDocument(_Document):
    """What came of a control."""

    action: str
    principal: str
    idempotent: bool | None

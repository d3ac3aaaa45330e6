"""What the JSON API answers with, and takes, as its OpenAPI document tells it."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class _Document(BaseModel):
    """Fields may be added."""

    model_config = ConfigDict(extra="allow")


class RunBody(_Document):
    """One run."""

    id: str
    status: str
    algorithm: str
    model_ref: str
    seed: int
    created_unix_ms: int
    updated_unix_ms: int
    stop_reason: str | None
    spent: dict[str, float]
    budget: dict[str, float | None]


class RunsDocument(_Document):
    """GET /api/v1/runs."""

    runs: list[RunBody]
    next_offset: int | None


class RunDocument(_Document):
    """GET /api/v1/runs/{run}."""

    run: RunBody
    counts: dict[str, int]
    failures: dict[str, int]
    unscored_reasons: dict[str, int]
    failed_reasons: dict[str, int]
    answers: dict[str, int]
    missing: list[str]
    decision: str | None
    scores: list[dict[str, Any]]


class CandidatesDocument(_Document):
    """GET /api/v1/runs/{run}/candidates."""

    candidates: list[dict[str, Any]]
    unusable_answers: dict[str, int]
    next_offset: int | None


class CurveDocument(_Document):
    """GET /api/v1/runs/{run}/curve: rows of rollouts, mean, low, high."""

    best: list[list[float]]
    candidates: list[dict[str, Any]]
    baseline: float | None


class RolloutsPage(_Document):
    """GET /api/v1/runs/{run}/rollouts."""

    rollouts: list[dict[str, Any]]
    next_offset: int | None


class RolloutDocument(_Document):
    """GET /api/v1/rollouts/{rollout}, without texts."""

    rollout_id: str
    run_id: str
    status: str
    score: float | None
    unusable: str | None
    rewards: list[dict[str, Any]]
    attempts: list[dict[str, Any]]


class WorkersDocument(_Document):
    """GET /api/v1/workers."""

    workers: list[dict[str, Any]]


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

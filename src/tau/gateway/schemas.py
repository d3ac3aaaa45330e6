"""The shapes of the contract's documents, for OpenAPI; tests hold the answers to them."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class ApiModel(BaseModel):
    """Fields may be added; none is renamed, removed or retyped."""

    model_config = ConfigDict(extra="allow")


class ErrorBody(ApiModel):
    """What went wrong."""

    type: str
    code: str
    message: str
    fix: str | None = None


class ErrorDocument(ApiModel):
    """An error."""

    error: ErrorBody


class Envelope(ApiModel):
    """What every document of the contract begins with."""

    schema_version: int = 1
    generated_unix_ms: int


class TrainingModel(ApiModel):
    """`status.json`."""

    status_path: str
    status_present: bool
    updated_unix_ms: int | None
    run_state: str
    model_ref: str | None
    store_path: str | None
    total_rollouts: int
    succeeded: int
    failed: int
    cancelled: int
    diagnostics: list[str]


class Health(ApiModel):
    """How the run is."""

    health_state: str = Field(pattern="^(unknown|healthy|degraded|failing)$")
    health_reason: str
    rollout_gate: str = Field(pattern="^(pass|hold)$")
    queue_depth: int
    failure_streak: int
    last_cycle_failed: int
    last_cycle_completed: int
    processed_case_count: int
    control_audit_count: int


class LastAction(ApiModel):
    """The last lifecycle action."""

    action: str
    principal: str
    reason: str | None
    lifecycle_state: str
    timestamp_unix_ms: int


class ControlModel(ApiModel):
    """What is wanted of the run, and what the caller may ask for."""

    mode: str
    paused: bool
    allowed_actions: list[str]
    last_action: LastAction | None


class State(ApiModel):
    """Where everything is."""

    store_path: str
    store_present: bool
    state_dir: str
    run_id: str | None
    diagnostics: list[str]


class Widget(ApiModel):
    """One part of a dashboard."""

    widget_id: str
    kind: str
    title: str
    query_key: str
    refresh_interval_ms: int
    last_case_key: str | None
    updated_unix_ms: int


class AlertModel(ApiModel):
    """Something to look at."""

    code: str
    severity: str = Field(pattern="^(info|warning|critical)$")
    message: str
    suggested_command: str | None


class Cycle(ApiModel):
    """A slice of the time in which work settled."""

    timestamp_unix_ms: int
    duration_ms: int
    completed: int
    failed: int
    cancelled: int
    cost_usd: float
    tokens: int


class QueueTimeline(ApiModel):
    """The last cycles and the counts per reason."""

    cycle_count: int
    reason_counts: dict[str, int]
    queue_depth: int
    in_flight: int
    recent_cycles: list[Cycle]


class HealthDocument(Envelope):
    """GET /dashboard/health."""

    health: Health
    training: TrainingModel
    control: ControlModel
    state: State


class WidgetsDocument(Envelope):
    """GET /dashboard/widgets."""

    widgets: list[Widget]
    training: TrainingModel
    state: State


class TimelineDocument(Envelope):
    """GET /dashboard/queue-timeline."""

    queue_timeline: QueueTimeline
    health: Health
    training: TrainingModel
    state: State


class AlertsDocument(Envelope):
    """GET /dashboard/alerts."""

    alerts: list[AlertModel]
    health: Health
    training: TrainingModel
    state: State


class ActionBody(BaseModel):
    """What to do, why, and which run is meant: another one is left alone."""

    action: str
    reason: str | None = None
    run_id: str | None = None


class ActionResult(Envelope):
    """POST /dashboard/actions."""

    action: str
    accepted: bool
    health: Health
    control: ControlModel


class GatewayStatusDocument(Envelope):
    """GET /gateway/status."""

    service: dict[str, Any]
    auth: dict[str, Any]
    training: TrainingModel
    endpoints: dict[str, str]


class TrainingDocument(Envelope):
    """GET /gateway/training/status."""

    training: TrainingModel


class RolloutRecord(ApiModel):
    """One rollout of a listing."""

    rollout_id: str
    status: str
    mode: str
    steps: int
    reward: float | None
    duration_ms: int | None
    updated_unix_ms: int
    unusable: str | None


class RolloutsDocument(Envelope):
    """GET /gateway/training/rollouts."""

    page: int
    per_page: int
    total_records: int
    total_pages: int
    invalid_records: int
    records: list[RolloutRecord]
    diagnostics: list[str]


class SessionBody(BaseModel):
    """The password."""

    password: str


class SessionDocument(ApiModel):
    """A token for an hour."""

    access_token: str
    token_type: str
    expires_unix_ms: int
    expires_in_seconds: int

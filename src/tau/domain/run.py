"""Runs: one invocation of the prompt-optimization mode each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tau.domain.ids import RunId, WorkerId
from tau.domain.json import Json
from tau.domain.spend import Budget, Spend


class RunStatus(StrEnum):
    """See domain/transitions; only completed and cancelled are final."""

    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StopReason(StrEnum):
    """Why a run is not running."""

    FINISHED = "finished"
    BUDGET = "budget"
    TIME_LIMIT = "time_limit"
    NO_PROGRESS = "no_progress"
    NOTHING_SCORED = "nothing_scored"
    NOT_SEARCHED = "not_searched"
    SIGNAL = "signal"
    OPERATOR = "operator"
    ERROR = "error"
    CRASH = "crash"


CAME_TO_NOTHING = (StopReason.NOTHING_SCORED, StopReason.NOT_SEARCHED)
"""Endings of runs that went through to the end and have no result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run. `config_hash` covers the semantic fields, dataset bytes, model and seed.

    `config` is the snapshot a later start or reader needs; it never holds a key. `max_attempts`
    bounds the counted attempts of each rollout (failures and lost workers while the run was live;
    not attempts revoked because the whole process was gone). `active_s` is the time spent running.
    `spent` and `reserved` are maintained by the store. `reported`: somebody got its
    final report.
    """

    id: RunId
    config_hash: str
    model_ref: str
    seed: int
    algorithm: str
    config: Mapping[str, Json]
    budget: Budget = field(default_factory=Budget)
    max_attempts: int = 5
    status: RunStatus = RunStatus.RUNNING
    stop_reason: StopReason | None = None
    stop_detail: str | None = None
    created_unix_ms: int = 0
    updated_unix_ms: int = 0
    active_s: float = 0.0
    trainer: WorkerId | None = None
    reported: bool = False
    spent: Spend = field(default_factory=Spend)
    reserved: Spend = field(default_factory=Spend)

    @property
    def unfinished(self) -> bool:
        """It has stopped and can go on; one that came to nothing can't: a new run has to."""
        stopped = self.status in (RunStatus.PAUSED, RunStatus.FAILED)
        return stopped and self.stop_reason not in CAME_TO_NOTHING

    @property
    def over(self) -> bool:
        """It neither runs nor can go on."""
        return self.status is not RunStatus.RUNNING and not self.unfinished

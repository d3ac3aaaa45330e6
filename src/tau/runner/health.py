"""How the workers of a process are doing, as a value for status and dashboard."""

from dataclasses import dataclass, field
from enum import StrEnum

from tau.domain.ids import AttemptId


class RunnerState(StrEnum):
    """What the workers are doing as a whole."""

    WORKING = "working"
    WAITING_FOR_STORE = "waiting_for_store"
    HALTED = "halted"
    DRAINING = "draining"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerHealth:
    """One look at the runner.

    `reason` says why the state is not plainly working. `unwritten` are finished outcomes held in
    memory until the store takes them. `lost` are attempts whose lease had gone when they ended.
    `left_behind` are executions that ignored their cancellation. `claim_failures` and `restarts`
    count since the start.
    """

    state: RunnerState
    reason: str | None = None
    in_flight: int = 0
    unwritten: int = 0
    completed: int = 0
    failed: int = 0
    lost: int = 0
    left_behind: int = 0
    claim_failures: int = 0
    restarts: int = 0


@dataclass(slots=True, kw_only=True)
class Tally:
    """What the workers of a process count together; of one event loop."""

    completed: int = 0
    failed: int = 0
    lost: int = 0
    claim_failures: int = 0
    restarts: int = 0
    unwritten: set[AttemptId] = field(default_factory=set)
    store_error: str | None = None
    """Why the store's last answer was an error, None once it answers again."""
    restart_reason: str | None = None
    """Why a worker was last restarted."""
    completed_before: int = 0
    """How many were completed then."""

    def restarted(self, reason: str) -> None:
        """Count a worker that could not go on."""
        self.restarts += 1
        self.restart_reason, self.completed_before = reason, self.completed

    @property
    def worker_error(self) -> str | None:
        """Why a worker was last restarted, None once something has been completed since."""
        return self.restart_reason if self.completed == self.completed_before else None

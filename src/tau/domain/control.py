"""Lifecycle control: what operators can ask of a run, and what stands in its state file."""

from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    """The five lifecycle commands."""

    STATUS = "status"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    ROLLBACK = "rollback"

    @property
    def key(self) -> str:
        """What RBAC policies name it by."""
        return f"control:rl:{self}"


class LifecycleState(StrEnum):
    """What is wanted of the run; a missing state file means running."""

    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    ROLLBACK_REQUESTED = "rollback_requested"


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlState:
    """The content of `control-state.json`.

    `last_action` is an `Action` or what the run itself did (start, finish, rollback_done).
    `rollback_checkpoint` is the path given with the rollback, kept until it is carried out;
    `rollback_hash` that of the copy which the command made of it. `run_id` is the run the state
    was written for, where known.
    """

    lifecycle_state: LifecycleState
    last_action: str
    principal: str
    updated_unix_ms: int
    rollback_checkpoint: str | None = None
    rollback_hash: str | None = None
    run_id: str | None = None
    reason: str | None = None

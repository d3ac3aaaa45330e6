"""Lifecycle control: what operators can ask of a run, and what stands in its state file."""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import assert_never


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
        return record_of(self).permission


class LifecycleState(StrEnum):
    """What is wanted of the run; a missing state file means running."""

    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    ROLLBACK_REQUESTED = "rollback_requested"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRecord:
    """All that is fixed about one action; what needs a run's state is asked where that is known.

    `desired_state` is None for an action that changes nothing. `done` says what it did;
    `undriven` what that means where no process drives the run, `ended` where the run is over.
    """

    permission: str
    desired_state: LifecycleState | None
    label: str
    done: str
    undriven: str
    ended: str


_STATUS = ActionRecord(
    permission="control:rl:status",
    desired_state=None,
    label="Status",
    done="nothing was changed",
    undriven="nobody drives the run",
    ended="the run has ended",
)
_PAUSE = ActionRecord(
    permission="control:rl:pause",
    desired_state=LifecycleState.PAUSED,
    label="Pause",
    done="paused: no more rollouts are claimed; calls in flight finish and are recorded",
    undriven="nobody drives the run; its next start is refused until it is resumed",
    ended="the run has ended: there is nothing to hold, its next start is a new run",
)
_RESUME = ActionRecord(
    permission="control:rl:resume",
    desired_state=LifecycleState.RUNNING,
    label="Resume",
    done="resumed",
    undriven="nobody drives the run; start it again, or use: tau resume --run",
    ended="the run has ended: its next start is a new run",
)
_CANCEL = ActionRecord(
    permission="control:rl:cancel",
    desired_state=LifecycleState.CANCELLED,
    label="Cancel",
    done="cancelled: what is queued is dropped; calls in flight finish and are recorded",
    undriven="nobody drives the run; it has ended",
    ended="nobody drives the run; it has ended",
)
_ROLLBACK = ActionRecord(
    permission="control:rl:rollback",
    desired_state=LifecycleState.ROLLBACK_REQUESTED,
    label="Roll back",
    done="rollback requested: it is carried out at the next wave boundary",
    undriven="nobody drives the run; its next start carries it out",
    ended="nobody drives the run; its next start carries it out",
)


def record_of(action: Action) -> ActionRecord:
    """The record of an action; a new one without a record fails the type check here."""
    match action:
        case Action.STATUS:
            return _STATUS
        case Action.PAUSE:
            return _PAUSE
        case Action.RESUME:
            return _RESUME
        case Action.CANCEL:
            return _CANCEL
        case Action.ROLLBACK:
            return _ROLLBACK
        case _:
            assert_never(action)


STEERING = tuple(action for action in Action if record_of(action).desired_state is not None)
"""The actions that change what is desired of a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlState:
    """The content of `control-state.json`.

    `last_action` is an `Action` or what the run itself did (start, finish, rollback_done).
    `rollback_checkpoint` is the path given with the rollback, kept until it is carried out;
    `rollback_hash` that of the copy which the command made of it. `run_id` is the run the state
    was written for, where known. `store_sequence` is that of the store's record which it has taken
    in, 0 before any.
    """

    lifecycle_state: LifecycleState
    last_action: str
    principal: str
    updated_unix_ms: int
    rollback_checkpoint: str | None = None
    rollback_hash: str | None = None
    run_id: str | None = None
    reason: str | None = None
    store_sequence: int = 0

    def says_the_same(self, other: "ControlState") -> bool:
        """Whether it is the same word of the same person at the same time, wherever it is kept."""
        return replace(self, run_id=None, store_sequence=0) == replace(
            other, run_id=None, store_sequence=0
        )

    def asks_nothing_new(self, before: "ControlState | None") -> bool:
        """Whether state and rollback target were so already; no state file means running."""
        prior = before.lifecycle_state if before else LifecycleState.RUNNING
        target = before.rollback_checkpoint if before else None
        return prior is self.lifecycle_state and target == self.rollback_checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredState:
    """What is desired of a run, as its store carries it.

    `sequence` counts the changes from 1. `checkpoint` is the content of the checkpoint file that a
    requested rollback goes back to.
    """

    sequence: int
    state: ControlState
    checkpoint: bytes | None = field(default=None, repr=False)

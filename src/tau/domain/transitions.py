"""The three state machines, as tables. Every store enforces exactly these."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from tau.domain.rollout import AttemptStatus, RolloutStatus
from tau.domain.run import RunStatus
from tau.errors import IllegalTransition

ROLLOUT: Mapping[RolloutStatus, frozenset[RolloutStatus]] = {
    RolloutStatus.QUEUING: frozenset(
        {
            RolloutStatus.PREPARING,
            RolloutStatus.RUNNING,
            RolloutStatus.CANCELLED,
            RolloutStatus.REQUEUING,
        }
    ),
    RolloutStatus.PREPARING: frozenset(
        {
            RolloutStatus.RUNNING,
            RolloutStatus.FAILED,
            RolloutStatus.CANCELLED,
            RolloutStatus.REQUEUING,
        }
    ),
    RolloutStatus.RUNNING: frozenset(
        {
            RolloutStatus.SUCCEEDED,
            RolloutStatus.FAILED,
            RolloutStatus.CANCELLED,
            RolloutStatus.REQUEUING,
        }
    ),
    RolloutStatus.FAILED: frozenset({RolloutStatus.REQUEUING, RolloutStatus.CANCELLED}),
    RolloutStatus.REQUEUING: frozenset(
        {RolloutStatus.PREPARING, RolloutStatus.RUNNING, RolloutStatus.CANCELLED}
    ),
    RolloutStatus.SUCCEEDED: frozenset(),
    RolloutStatus.CANCELLED: frozenset(),
}

_ATTEMPT_ENDS = frozenset(
    {
        AttemptStatus.FAILED,
        AttemptStatus.SUCCEEDED,
        AttemptStatus.TIMEOUT,
        AttemptStatus.UNRESPONSIVE,
    }
)

ATTEMPT: Mapping[AttemptStatus, frozenset[AttemptStatus]] = {
    AttemptStatus.PREPARING: _ATTEMPT_ENDS | {AttemptStatus.RUNNING},
    AttemptStatus.RUNNING: _ATTEMPT_ENDS,
    AttemptStatus.SUCCEEDED: frozenset(),
    AttemptStatus.FAILED: frozenset(),
    AttemptStatus.TIMEOUT: frozenset(),
    AttemptStatus.UNRESPONSIVE: frozenset(),
}

_RUN_ENDS = frozenset({RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED})

RUN: Mapping[RunStatus, frozenset[RunStatus]] = {
    RunStatus.RUNNING: _RUN_ENDS | {RunStatus.PAUSED},
    RunStatus.PAUSED: _RUN_ENDS | {RunStatus.RUNNING},
    # A run stopped by a signal, a crash, a time limit or its budget goes on when started again.
    RunStatus.FAILED: frozenset({RunStatus.RUNNING, RunStatus.CANCELLED}),
    RunStatus.COMPLETED: frozenset(),
    RunStatus.CANCELLED: frozenset(),
}


Status = TypeVar("Status", bound=StrEnum)


def check(table: Mapping[Status, frozenset[Status]], what: str, old: Status, new: Status) -> None:
    """Raise IllegalTransition unless `table` allows `old` to become `new`."""
    if new not in table[old]:
        legal = ", ".join(sorted(table[old])) or "nothing: it is final"
        raise IllegalTransition(
            f"{what} cannot go from {old} to {new}", why=f"{old} allows {legal}"
        )

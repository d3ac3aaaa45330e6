"""How a run is: what the store says of it, and whether its own trainer lives."""

from collections.abc import Iterable
from enum import StrEnum

from tau.domain.rollout import RolloutStatus
from tau.domain.run import Run, RunStatus, StopReason
from tau.domain.worker import WorkerRecord, WorkerRole

_STARTING_MS = 5_000


class Condition(StrEnum):
    """One word for people, the same on pages, in answers to programs and in the terminal."""

    RUNNING = "running"
    PAUSED = "paused"
    CRASHED = "crashed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DONE = "done"

    @property
    def needs_somebody(self) -> bool:
        """Nothing goes on with it by itself."""
        return self in (Condition.PAUSED, Condition.CRASHED, Condition.FAILED)


_ENDED = {
    RunStatus.PAUSED: Condition.PAUSED,
    RunStatus.FAILED: Condition.FAILED,
    RunStatus.CANCELLED: Condition.CANCELLED,
    RunStatus.COMPLETED: Condition.DONE,
}


_BECAUSE = {
    StopReason.FINISHED: "it came to its end",
    StopReason.BUDGET: "the budget is used up",
    StopReason.TIME_LIMIT: "the time limit is reached",
    StopReason.NO_PROGRESS: "nothing went on any more",
    StopReason.NOTHING_SCORED: "nothing could be scored",
    StopReason.NOT_SEARCHED: "no request to the reflection model was answered",
    StopReason.SIGNAL: "it was interrupted",
    StopReason.OPERATOR: "somebody stopped it",
    StopReason.ERROR: "an error ended it",
    StopReason.CRASH: "it stopped without a word",
}


def because(reason: StopReason | None) -> str:
    """Why a run is not running, as a clause; empty where nothing is known."""
    return _BECAUSE[reason] if reason else ""


def condition_of(
    run: Run, workers: Iterable[WorkerRecord], now_unix_ms: int, *, held: bool = False
) -> Condition:
    """The condition at a time. `workers` are those registered; `held`: an operator's pause holds.

    That a process of another run is there says nothing of this one.
    """
    return named(run.status, alive=driven(run, workers, now_unix_ms), held=held)


def named(status: RunStatus, *, alive: bool, held: bool = False) -> Condition:
    """The same where it is known already whether the run's trainer lives."""
    if status is not RunStatus.RUNNING:
        return _ENDED[status]
    if not alive:
        return Condition.CRASHED
    return Condition.PAUSED if held else Condition.RUNNING


def driven(run: Run, workers: Iterable[WorkerRecord], now_unix_ms: int) -> bool:
    """Whether the run's own trainer lives; one that has only just been made may still get one."""
    if run.trainer is None:
        return now_unix_ms - run.updated_unix_ms <= _STARTING_MS
    return any(
        worker.id == run.trainer
        and worker.role is WorkerRole.TRAINER
        and not worker.retired
        and now_unix_ms - worker.heartbeat_unix_ms <= worker.lease_ms
        for worker in workers
    )


_HELD_UP = {RolloutStatus.QUEUING: "not started", RolloutStatus.REQUEUING: "waiting for a restart"}


def standing(status: RolloutStatus, condition: Condition) -> str:
    """A rollout's status in words: nothing waits in a queue that nobody works on any more."""
    if status not in _HELD_UP or condition in (Condition.RUNNING, Condition.PAUSED):
        return str(status)
    if condition.needs_somebody:
        return _HELD_UP[status]
    return str(RolloutStatus.CANCELLED)

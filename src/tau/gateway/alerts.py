"""Is it well, and what needs somebody: judged from one snapshot."""

from collections.abc import Iterator
from dataclasses import dataclass

from tau.domain.actions import LifecycleState
from tau.domain.condition import Condition, condition_of, standing
from tau.domain.rollout import RolloutStatus
from tau.domain.run import Run, RunStatus, StopReason
from tau.domain.visible import line
from tau.domain.worker import WorkerRole
from tau.gateway.board import LEAST, RunScores
from tau.gateway.watch import Snapshot
from tau.reports.shortfalls import answers_text, commonest, unscored_text
from tau.reports.wording import counted

_CRITICAL_STREAK = 3
_NEAR = 0.9
_SEVERITIES = ("critical", "warning", "info")


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Something to look at. `severity` is info, warning or critical; `command` what to type."""

    code: str
    severity: str
    message: str
    command: str | None = None

    @property
    def wanting(self) -> bool:
        """Somebody has to do something; a pause is in order, and yet nothing goes on by itself."""
        return self.severity != "info" or self.command is not None


def nothing_scored(run: Run | None, board: RunScores | None) -> bool:
    """Whether enough evaluations have settled, or all there are, and not one has a score."""
    if run is None or board is None or board.scored:
        return False
    return board.lost >= (LEAST if run.status is RunStatus.RUNNING else 1)


def paused(snapshot: Snapshot) -> bool:
    """Whether an operator holds the run."""
    state = snapshot.control.state
    return state is not None and state.lifecycle_state is LifecycleState.PAUSED


def run_state(snapshot: Snapshot) -> str:
    """The run's state: the store's word, else that of `status.json`."""
    return str(snapshot.run.status) if snapshot.run else snapshot.training.run_state


def shown_state(snapshot: Snapshot, run: Run | None = None) -> str:
    """The condition of a run, the current one where none is named; without a run the file's."""
    found = run or snapshot.run
    if found is None:
        return snapshot.training.run_state
    state = snapshot.control.state
    mine = state is not None and state.run_id in (None, found.id)
    current = snapshot.run is not None and snapshot.run.id == found.id
    held = paused(snapshot) and mine and current
    return condition_of(found, snapshot.workers, snapshot.taken_unix_ms, held=held)


def shown_status(snapshot: Snapshot, run: Run, status: RolloutStatus) -> str:
    """A rollout's status in the terminal's words: nothing waits for a run that has ended."""
    return standing(status, Condition(shown_state(snapshot, run)))


def health_state(snapshot: Snapshot) -> tuple[str, str]:
    """The contract's state of health and why."""
    if paused(snapshot):
        return "degraded", "operator pause action is active"
    if snapshot.trouble is not None:
        what = line(snapshot.trouble.what)
        missing = what == "there is no store"
        return "unknown", f"{what} yet" if missing else f"the store cannot be read: {what}"
    run = snapshot.run
    if run is None:
        return "unknown", "there is no run yet"
    if run.status is RunStatus.FAILED:
        return "failing", f"the run failed: {_why(snapshot)}"
    streak = snapshot.board.failure_streak if snapshot.board else 0
    if streak >= _CRITICAL_STREAK:
        return "failing", f"the last {streak} rollouts failed"
    if nothing_scored(run, snapshot.board):
        return "failing", "nothing is scored"
    if _abandoned(snapshot):
        return "degraded", "the run's process is gone"
    if streak:
        return "degraded", "the last rollout failed"
    return "healthy", f"the run is {run.status}"


def alerts(snapshot: Snapshot) -> list[Alert]:
    """Everything that needs somebody, the worst first; where nothing does, one that says so."""
    found = sorted(_found(snapshot), key=lambda one: _SEVERITIES.index(one.severity))
    return found or [
        Alert(code="dashboard_healthy", severity="info", message="nothing needs attention")
    ]


def _found(snapshot: Snapshot) -> Iterator[Alert]:
    if snapshot.trouble is not None or snapshot.run is None:
        what = line(str(snapshot.trouble)) if snapshot.trouble else "the store holds no run yet"
        yield Alert(
            code="dashboard_state_missing",
            severity="warning",
            message=what,
            command="tau doctor" if snapshot.trouble else "tau run CFG",
        )
    yield from _lacking(snapshot)
    streak = snapshot.board.failure_streak if snapshot.board else 0
    if streak:
        yield Alert(
            code="dashboard_transport_failures",
            severity="critical" if streak >= _CRITICAL_STREAK else "warning",
            message=f"the last {streak} settled rollouts failed",
            command="tau rollouts ls --status failed --newest",
        )
    yield from _about_the_run(snapshot)
    if snapshot.control.trouble:
        yield Alert(
            code="dashboard_control_state_invalid",
            severity="critical",
            message=line(snapshot.control.trouble),
            command="tau doctor",
        )


def _about_the_run(snapshot: Snapshot) -> Iterator[Alert]:
    run, counts = snapshot.run, snapshot.counts
    if paused(snapshot):
        yield Alert(
            code="dashboard_operator_pause_active",
            severity="info",
            message="the run is paused: operator pause action is active",
            command="tau resume",
        )
    if run is None:
        failed, broken = snapshot.training.number("failed"), run_state(snapshot) == "failed"
    else:
        failed, broken = counts[RolloutStatus.FAILED], run.status is RunStatus.FAILED
    if failed or broken:
        yield Alert(
            code="dashboard_training_failures",
            severity="critical" if broken else "warning",
            message=f"the run failed: {_why(snapshot)}" if broken else _failures(snapshot, failed),
            command="tau rollouts ls --status failed",
        )
    if run is not None and run.status is RunStatus.PAUSED and not paused(snapshot):
        yield Alert(
            code="dashboard_run_stopped",
            severity="warning",
            message=f"the run stopped before its end: {_why(snapshot)}",
            command="tau resume --run",
        )
    if run is None or run.status is not RunStatus.RUNNING:
        return
    if _abandoned(snapshot):
        yield Alert(
            code="dashboard_run_process_gone",
            severity="critical",
            message="the run crashed: its process ended without a word; nothing is lost",
            command="tau resume --run",
        )
    elif counts.waiting and not counts.in_flight and not _claiming(snapshot):
        yield Alert(
            code="dashboard_queue_backlog",
            severity="warning",
            message=f"{counts.waiting} rollouts wait and no worker is there",
            command="tau run CFG",
        )
    yield from _budget(snapshot)


def _budget(snapshot: Snapshot) -> Iterator[Alert]:
    run = snapshot.run
    limit = run.budget.cost_nano_usd if run else None
    if run is not None and limit and run.spent.cost_nano_usd >= _NEAR * limit:
        yield Alert(
            code="dashboard_budget_near",
            severity="warning",
            message=f"{run.spent.cost_nano_usd / limit:.0%} of the budget is spent",
        )


def _abandoned(snapshot: Snapshot) -> bool:
    """Running, as the store has it, but its own trainer is gone."""
    return shown_state(snapshot) == Condition.CRASHED


def _failures(snapshot: Snapshot, failed: int) -> str:
    kinds = ", ".join(f"{kind} {count}" for kind, count in snapshot.failures.items())
    noun = "rollout" if failed == 1 else "rollouts"
    text = f"{failed:,} {noun} failed" + (f": {kinds}" if kinds else "")
    board = snapshot.board
    if board is not None and board.shortfalls.failed:
        most = board.shortfalls.failed[0]
        text += f"; {most.number:,} of them: {line(most.message)}"
    return text


def _lacking(snapshot: Snapshot) -> Iterator[Alert]:
    """Rows without a score, and answers that are hardly any: the run may mean less than it says."""
    run, board = snapshot.run, snapshot.board
    if run is None or board is None:
        return
    command = f"tau rollouts ls --run {run.id}"
    found = board.shortfalls
    if board.lost and not board.scored:
        yield Alert(
            code="dashboard_nothing_scored",
            severity="critical" if nothing_scored(run, board) else "warning",
            message=f"nothing is scored of {counted(board.lost, 'evaluation')}: {commonest(found)}",
            command=command,
        )
    elif unscored := unscored_text(found):
        yield Alert(
            code="dashboard_rows_unscored", severity="warning", message=unscored, command=command
        )
    if answers := answers_text(found.answers):
        yield Alert(code="dashboard_answers_lacking", severity="warning", message=answers)


def _why(snapshot: Snapshot) -> str:
    run = snapshot.run
    if run is None:
        return "see the status file"
    reason = run.stop_detail or str(run.stop_reason or StopReason.ERROR).replace("_", " ")
    return line(reason)


def _claiming(snapshot: Snapshot) -> bool:
    """Whether any live worker would take work from the queue."""
    return any(worker.role is WorkerRole.WORKER for worker in snapshot.workers)

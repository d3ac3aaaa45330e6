"""What a snapshot means, as the JSON of the contract's section 7. Pure."""

from collections.abc import Sequence
from typing import assert_never

from tau.domain.actions import STEERING, Action, LifecycleState
from tau.domain.json import Json
from tau.domain.run import RunStatus
from tau.domain.visible import line
from tau.gateway.alerts import alerts, health_state, paused
from tau.gateway.watch import Snapshot

CYCLES = 64
_REFRESH_MS = 1000

_WIDGETS = (
    ("run-status", "status", "Run", "dashboard.health"),
    ("score", "curve", "Score against rollouts", "run.curve"),
    ("queue", "timeline", "Queue", "dashboard.queue-timeline"),
    ("spend", "meter", "Spend against budget", "run.spend"),
    ("workers", "table", "Workers", "workers"),
    ("alerts", "list", "Alerts", "dashboard.alerts"),
)


def envelope(snapshot: Snapshot, **parts: Json) -> dict[str, Json]:
    """A document of the contract: version and time first."""
    return {"schema_version": 1, "generated_unix_ms": snapshot.taken_unix_ms, **parts}


def health(snapshot: Snapshot) -> dict[str, Json]:
    """The contract's `health`."""
    state, reason = health_state(snapshot)
    board = snapshot.board
    last = board.slices(CYCLES)[-1:] if board else []
    ready = state == "healthy" and not paused(snapshot)
    return {
        "health_state": state,
        "health_reason": reason,
        "rollout_gate": "pass" if ready else "hold",
        "queue_depth": snapshot.counts.waiting,
        "failure_streak": board.failure_streak if board else 0,
        "last_cycle_failed": last[0].statuses["failed"] if last else 0,
        "last_cycle_completed": last[0].statuses["succeeded"] if last else 0,
        "processed_case_count": snapshot.counts.settled,
        "control_audit_count": snapshot.control.audit_lines,
    }


def control(snapshot: Snapshot, allowed: Sequence[str]) -> dict[str, Json]:
    """The contract's `control`; `allowed` are the actions the caller may ask for."""
    state = snapshot.control.state
    last: Json = None
    if state is not None:
        last = {
            "action": state.last_action,
            "principal": state.principal,
            "reason": state.reason,
            "lifecycle_state": str(state.lifecycle_state),
            "timestamp_unix_ms": state.updated_unix_ms,
        }
    mode = state.lifecycle_state if state else LifecycleState.RUNNING
    return {
        "mode": str(mode),
        "paused": paused(snapshot),
        "allowed_actions": list(allowed),
        "last_action": last,
        "run_alive": snapshot.control.alive,
        "diagnostics": [line(snapshot.control.trouble)] if snapshot.control.trouble else [],
    }


def state(snapshot: Snapshot, *, store: str, state_dir: str) -> dict[str, Json]:
    """Where everything is, and what of it cannot be read."""
    trouble = snapshot.trouble
    return {
        "store_path": store,
        "store_present": trouble is None,
        "state_dir": state_dir,
        "run_id": snapshot.run.id if snapshot.run else None,
        "diagnostics": [f"store_unreadable:{line(str(trouble))}"] if trouble else [],
    }


def widgets(snapshot: Snapshot) -> list[Json]:
    """The contract's `widgets`."""
    board = snapshot.board
    newest = next(board.newest(), None) if board else None
    run = snapshot.run
    last_key = f"{run.id}-r{newest.number}" if run and newest else None
    updated = newest.updated_unix_ms if newest else (run.updated_unix_ms if run else 0)
    return [
        {
            "widget_id": identity,
            "kind": kind,
            "title": title,
            "query_key": query,
            "refresh_interval_ms": _REFRESH_MS,
            "last_case_key": last_key,
            "updated_unix_ms": updated,
        }
        for identity, kind, title, query in _WIDGETS
    ]


def alert_list(snapshot: Snapshot) -> list[Json]:
    """The contract's `alerts`, with a command to type where there is one."""
    return [
        {
            "code": alert.code,
            "severity": alert.severity,
            "message": alert.message,
            "suggested_command": alert.command,
        }
        for alert in alerts(snapshot)
    ]


def queue_timeline(snapshot: Snapshot) -> dict[str, Json]:
    """The contract's `queue_timeline`: a cycle is a slice of the time in which work settled."""
    board = snapshot.board
    slices = [one for one in board.slices(CYCLES) if one.statuses] if board else []
    reasons: dict[str, Json] = {
        str(status): count for status, count in snapshot.counts.by_status.items() if count
    }
    for kind, count in snapshot.failures.items():
        reasons[f"failed:{kind}"] = count
    return {
        "cycle_count": len(slices),
        "reason_counts": reasons,
        "queue_depth": snapshot.counts.waiting,
        "in_flight": snapshot.counts.in_flight,
        "recent_cycles": [
            {
                "timestamp_unix_ms": one.start_ms,
                "duration_ms": one.width_ms,
                "completed": one.statuses["succeeded"],
                "failed": one.statuses["failed"],
                "cancelled": one.statuses["cancelled"],
                "cost_usd": sum(one.cost_nano_usd.values()) / 1e9,
                "tokens": one.tokens,
            }
            for one in slices
        ],
    }


def steps(snapshot: Snapshot) -> dict[Action, str | None]:
    """Why each action makes no sense now, None where it does; who may is another question."""
    run = snapshot.run
    nothing = "there is no run" if run is None and not snapshot.control.alive else None
    ended = run is not None and run.status in (RunStatus.COMPLETED, RunStatus.CANCELLED)
    over = nothing or (f"the run is {run.status}" if run and ended else None)
    is_paused = paused(snapshot)
    return {
        action: _senseless(action, nothing=nothing, over=over, is_paused=is_paused)
        for action in STEERING
    }


def _senseless(
    action: Action, *, nothing: str | None, over: str | None, is_paused: bool
) -> str | None:
    match action:
        case Action.STATUS:
            return None
        case Action.PAUSE:
            return over or ("it is paused already" if is_paused else None)
        case Action.RESUME:
            return nothing or (None if is_paused else over)
        case Action.CANCEL | Action.ROLLBACK:
            return over
        case _:
            assert_never(action)

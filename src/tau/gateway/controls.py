"""Controls as people use them: what would happen, why, and the command that does the same."""

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import assert_never

from tau.domain.actions import STEERING, Action, record_of
from tau.domain.rollout import RolloutCounts
from tau.gateway.answers import Refused
from tau.gateway.context import Gateway
from tau.gateway.watch import Snapshot
from tau.lifecycle.commands import Command
from tau.lifecycle.paths import StateDir

MOST_REASON = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionState:
    """One action as it stands now. `obstacle` is why it cannot be had, None where it can."""

    action: Action
    label: str
    obstacle: str | None
    effects: tuple[str, ...] = ()
    checkpoints: tuple[str, ...] = field(default_factory=tuple)


def controls(gateway: Gateway, snapshot: Snapshot, principal: str) -> list[ActionState]:
    """Every action with what it would do."""
    obstacles = gateway.obstacles(snapshot, principal)
    return [
        ActionState(
            action=action,
            label=record_of(action).label,
            obstacle=obstacles[action] or _without_checkpoint(gateway, action),
            effects=_effects(action, snapshot),
            checkpoints=tuple(checkpoints(gateway.settings.state_dir))
            if action is Action.ROLLBACK
            else (),
        )
        for action in STEERING
    ]


def checkpoints(folder: StateDir) -> dict[str, Path]:
    """The checkpoints one can go back to from here, by name; no other file is ever read."""
    known = (folder.checkpoint, folder.fallback_checkpoint)
    return {path.name: path for path in known if path.is_file()}


def command_of(
    gateway: Gateway,
    action: Action,
    principal: str,
    *,
    reason: str | None,
    checkpoint: str | None,
    run_id: str | None,
) -> Command:
    """The command that an action on the run `run_id` stands for.

    Raises:
        Refused: 400 for a checkpoint that is none of the run's own.
    """
    path = None
    if action is Action.ROLLBACK:
        path = checkpoints(gateway.settings.state_dir).get(checkpoint or "")
        if path is None:
            raise Refused(
                400, "invalid_checkpoint", "there is no such checkpoint here",
                fix="choose one of the run's own, or use the command line",
            )  # fmt: skip
    return Command(
        action=action, principal=principal, reason=reason, checkpoint=path, run_id=run_id
    )


async def run_meant(gateway: Gateway, given: str | None, *, required: bool = False) -> str | None:
    """The run that a form or a call names, else the one that is shown now; None where none is.

    Raises:
        Refused: 400 where it is `required` and not named, 409 where another run has come.
    """
    snapshot = await gateway.watch.snapshot(fresh_ms=0)
    current = snapshot.run.id if snapshot.run else None
    if given:
        if current is not None and given != current:
            raise changed_meanwhile(snapshot, given)
        return given
    if required and current is not None:
        raise Refused(
            400, "run_missing", "the form does not say which run it means", fix="load it again"
        )
    return current


def changed_meanwhile(snapshot: Snapshot, meant: str) -> Refused:
    """The refusal of a control that means another run than the current one."""
    now = snapshot.run.id if snapshot.run else "none"
    return Refused(
        409,
        "run_changed",
        f"the run changed meanwhile: {now} is the current one, not {meant[:80]}",
        fix="look at the current run, then ask again",
    )


def shell_commands(gateway: Gateway, control: ActionState, run_id: str | None) -> list[str]:
    """What to type for each choice that a control leaves."""
    return [
        shell_command(gateway, control.action, checkpoint=one, run_id=run_id)
        for one in control.checkpoints or (None,)
    ]


def shell_command(
    gateway: Gateway,
    action: Action,
    *,
    reason: str | None = None,
    checkpoint: str | None = None,
    run_id: str | None = None,
) -> str:
    """What to type for the same effect, on the same run."""
    words = ["tau", str(action)]
    if action is Action.ROLLBACK:
        folder = gateway.settings.state_dir
        words.append(str(checkpoints(folder).get(checkpoint or "", folder.fallback_checkpoint)))
    words += ["--state-dir", str(gateway.settings.state_dir.root)]
    if run_id:
        words += ["--run-id", run_id]
    if reason:
        words += ["--reason", reason]
    return shlex.join(words)


def _without_checkpoint(gateway: Gateway, action: Action) -> str | None:
    if action is Action.ROLLBACK and not checkpoints(gateway.settings.state_dir):
        return "there is no checkpoint to go back to"
    return None


def _effects(action: Action, snapshot: Snapshot) -> tuple[str, ...]:
    counts = snapshot.counts
    match action:
        case Action.STATUS:
            return ()
        case Action.PAUSE:
            return (
                f"{_rollouts(counts.in_flight)} in flight will finish; they are billed.",
                f"{_rollouts(counts.waiting)} stay queued until it is resumed.",
            )
        case Action.RESUME:
            alive = snapshot.control.alive
            goes_on = (
                "The run goes on at once." if alive else "Nobody drives the run: start it again."
            )
            return (goes_on, f"{_rollouts(counts.waiting)} are queued.")
        case Action.CANCEL:
            return (
                _cancelled(counts),
                "This is final: a cancelled run never goes on. What has finished is kept.",
            )
        case Action.ROLLBACK:
            return (
                "The run stops at the end of its wave and goes on from the checkpoint.",
                "Its best resources are published as a new version.",
                "Candidates made since stay visible as abandoned; what they cost is spent.",
            )
        case _:
            assert_never(action)


def _cancelled(counts: RolloutCounts) -> str:
    return f"{_rollouts(counts.waiting)} queued and {counts.in_flight} in flight are cancelled."


def _rollouts(count: int) -> str:
    return f"{count:,} rollout" if count == 1 else f"{count:,} rollouts"

"""Resume after a crash: find out what happened, and what can be restored."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tau.domain.actions import Action, ControlState, LifecycleState
from tau.domain.json import Json
from tau.domain.run import CAME_TO_NOTHING
from tau.errors import ControlError, FileError, RecoveryRefused
from tau.files.documents import read_document
from tau.lifecycle.audit import AuditTrail
from tau.lifecycle.chain import REPAIR, AuditLine
from tau.lifecycle.checkpoint_file import CheckpointFile, load_checkpoint
from tau.lifecycle.paths import StateDir

PRIMARY = "primary"
FALLBACK = "fallback"
UNUSED = "no run has used this folder"
ENDED = frozenset({"completed", "failed", "cancelled"})
"""Run states that are no crash."""
_COMMANDS = frozenset(str(action) for action in Action)
_OURS = _COMMANDS | {REPAIR}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What a resume found. `prior_lifecycle_state` is `missing` where there was no state file."""

    crash_detected: bool
    prior_lifecycle_state: str
    prior_training_state: str | None
    replayed_actions: tuple[str, ...]
    checkpoint_source: str | None = None
    checkpoint: CheckpointFile | None = None
    diagnostics: tuple[str, ...] = ()

    def report(self, *, now_unix_ms: int, principal: str) -> dict[str, Json]:
        """The content of `recovery-report.json`."""
        found = self.checkpoint
        return {
            "schema_version": 1,
            "recovered_at_unix_ms": now_unix_ms,
            "principal": principal,
            "crash_detected": self.crash_detected,
            "prior_lifecycle_state": self.prior_lifecycle_state,
            "prior_training_state": self.prior_training_state,
            "replayed_audit_events": len(self.replayed_actions),
            "replayed_actions": list(self.replayed_actions),
            "checkpoint_source": self.checkpoint_source,
            "checkpoint_run_id": found.run_id if found else None,
            "checkpoint_global_step": found.global_step if found else None,
            "checkpoint_optimizer_step": found.optimizer_step if found else None,
            "diagnostics": list(self.diagnostics),
        }


def recover(folder: StateDir, state: ControlState | None, *, alive: bool) -> Recovery:
    """Look, and load what a crashed run can go on from; writes nothing.

    `alive` tells that a live process drives the run: that is no crash.

    Raises:
        ControlError: the audit trail cannot be parsed; names the line.
        RecoveryRefused: a crash, and neither checkpoint can be loaded.
    """
    training_state, trouble = training_run_state(folder.status)
    lines, torn = AuditTrail(folder.audit).read()
    diagnostics = [trouble] if trouble else []
    if torn:
        diagnostics.append("the last audit line was torn off by a crash and is set aside")
    prior = str(state.lifecycle_state) if state else "missing"
    crashed = not alive and _crashed(folder, state, training_state, lines)
    source: str | None = None
    checkpoint: CheckpointFile | None = None
    if crashed:
        source, checkpoint, primary_failure = _restore(folder)
        if primary_failure:
            diagnostics.append(f"primary checkpoint load failed: {primary_failure}")
    else:
        live = "; the run is alive" if alive else ""
        if not (alive or used_by_a_run(folder, state)):
            diagnostics.append(UNUSED)
        diagnostics.append(f"no crash detected; no checkpoint restore was required{live}")
    return Recovery(
        crash_detected=crashed,
        prior_lifecycle_state=prior,
        prior_training_state=training_state,
        replayed_actions=tuple(line.action for line in lines),
        checkpoint_source=source,
        checkpoint=checkpoint,
        diagnostics=tuple(diagnostics),
    )


def used_by_a_run(folder: StateDir, state: ControlState | None) -> bool:
    """Whether a run ever used the folder; where that cannot be told, it counts as used.

    Raises:
        ControlError: the audit trail cannot be parsed; names the line.
    """
    lines, _ = AuditTrail(folder.audit).read()
    if state is not None:
        return _was_used(folder, state, lines)
    return _has_evidence(folder) or any(line.action not in _OURS for line in lines)


def training_run_state(status_path: Path) -> tuple[str | None, str | None]:
    """`run_state` of status.json, None where missing or unreadable, and what was wrong with it."""
    try:
        found = read_document(status_path)
    except FileError as error:
        return None, f"training status cannot be used: {error}"
    if found is None:
        return None, None
    run_state = found.get("run_state")
    if not isinstance(run_state, str):
        return None, f"training status '{status_path}' has no run_state"
    return run_state, None


def over_for_good(status_path: Path) -> bool:
    """Whether status.json says of its run that nothing of it is left to go on with."""
    ended, _ = training_run_state(status_path)
    if ended != "failed":
        return ended in ENDED
    found = read_document(status_path) or {}
    return found.get("stop_reason") in CAME_TO_NOTHING


def _crashed(
    folder: StateDir,
    state: ControlState | None,
    training_state: str | None,
    lines: Sequence[AuditLine],
) -> bool:
    if state is None or state.lifecycle_state not in (
        LifecycleState.RUNNING,
        LifecycleState.ROLLBACK_REQUESTED,
    ):
        return False
    if training_state in ENDED:
        return False
    return _was_used(folder, state, lines)


def _was_used(folder: StateDir, state: ControlState, lines: Sequence[AuditLine]) -> bool:
    """Whether a run ever used the folder; where that cannot be told, it counts as used.

    Our commands alone leave a state file and chained audit lines that explain it, nothing else.
    """
    if state.run_id is not None or state.last_action not in _COMMANDS:
        return True
    if _has_evidence(folder):
        return True
    explained = lines and all(line.chained and line.action in _OURS for line in lines)
    return not explained


def _has_evidence(folder: StateDir) -> bool:
    evidence = (folder.status, folder.checkpoint, folder.fallback_checkpoint)
    return any(path.exists() for path in evidence)


def _restore(folder: StateDir) -> tuple[str, CheckpointFile, str | None]:
    try:
        return PRIMARY, load_checkpoint(folder.checkpoint), None
    except ControlError as error:
        primary = error
    try:
        return FALLBACK, load_checkpoint(folder.fallback_checkpoint), str(primary)
    except ControlError as fallback:
        raise RecoveryRefused(
            "resume recovery guardrail: crash detected but checkpoint restore failed "
            f"(primary='{folder.checkpoint}' fallback='{folder.fallback_checkpoint}')",
            why=f"primary: {primary}; fallback: {fallback}",
            fix="restore a valid checkpoint file in one of the two places and resume again",
        ) from fallback

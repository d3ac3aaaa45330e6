"""The five lifecycle commands, in the contract's order of steps.

Resolve the principal, authorize, read the state, act, write the state, append the audit line. All
under the control lock of the state dir, so that two operators at once are one after the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tau.domain.control import Action, ControlState, LifecycleState
from tau.domain.json import Json
from tau.errors import AccessDenied, ControlError, FileError, PolicyInvalid, TauError
from tau.files.atomic import atomic_write, clean_orphans
from tau.files.documents import dump_document, read_document
from tau.files.lock import FileLock
from tau.lifecycle.audit import AuditEvent, AuditTrail
from tau.lifecycle.authorization import Authorizer
from tau.lifecycle.checkpoint_file import CheckpointFile, load_checkpoint
from tau.lifecycle.paths import StateDir
from tau.lifecycle.recovery import Recovery, recover
from tau.lifecycle.state import load_head, load_state, save_state, state_json
from tau.ports.clock import Clock

_LOCK_TIMEOUT_S = 10.0

_WANTED = {
    Action.PAUSE: LifecycleState.PAUSED,
    Action.RESUME: LifecycleState.RUNNING,
    Action.CANCEL: LifecycleState.CANCELLED,
    Action.ROLLBACK: LifecycleState.ROLLBACK_REQUESTED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What somebody asks for. `checkpoint` is only for a rollback."""

    action: Action
    principal: str
    checkpoint: Path | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlResult:
    """What came of it. `idempotent` is None for status; `alive` tells of a live run.

    `control_state` and `training_status` are the documents, None where there are none; `notes` say
    what could not be read of them.
    """

    folder: StateDir
    action: Action
    principal: str
    idempotent: bool | None = None
    state: ControlState | None = None
    training_status: Mapping[str, Json] | None = None
    rollback_checkpoint: str | None = None
    checkpoint_run_id: str | None = None
    recovery: Recovery | None = None
    alive: bool = False
    notes: tuple[str, ...] = field(default=())

    def document(self) -> dict[str, Json]:
        """The JSON result: the contract's fields first, null where nothing is known."""
        recovery = self.recovery
        return {
            "schema_version": 1,
            "state_dir": str(self.folder.root),
            "control_state_path": str(self.folder.control_state),
            "control_audit_path": str(self.folder.audit),
            "action": str(self.action),
            "principal": self.principal,
            "idempotent": self.idempotent,
            "rollback_checkpoint": self.rollback_checkpoint,
            "checkpoint_run_id": self.checkpoint_run_id,
            "recovery_report_path": str(self.folder.recovery_report) if recovery else None,
            "recovery_checkpoint_source": recovery.checkpoint_source if recovery else None,
            "recovery_crash_detected": recovery.crash_detected if recovery else None,
            "recovery_replayed_audit_events": len(recovery.replayed_actions) if recovery else None,
            "control_state": state_json(self.state) if self.state else None,
            "training_status": self.training_status,
            "run_alive": self.alive,
            "diagnostics": list(self.notes),
        }


class Lifecycle:
    """Carries out commands on one state dir."""

    def __init__(self, folder: StateDir, authorizer: Authorizer, clock: Clock) -> None:
        self._folder = folder
        self._authorizer = authorizer
        self._clock = clock
        self._audit = AuditTrail(folder.audit)

    def execute(self, command: Command) -> ControlResult:
        """Carry out one command.

        Raises:
            AccessDenied: the policy says no; that is audited.
            ControlError: it could not be done; audited where the audit itself can be used, and
                nothing else was changed.
        """
        if command.action is Action.STATUS:
            return self._status(command)
        self._check_folder()
        with FileLock(self._folder.control_lock).held(timeout_s=_LOCK_TIMEOUT_S):
            clean_orphans(self._folder.root)
            self._authorize(command)
            try:
                return self._act(command)
            except (ControlError, FileError) as error:
                self._note_failure(command, error)
                raise

    def _status(self, command: Command) -> ControlResult:
        """Answer whatever the files look like; nothing is written but a denial's audit line."""
        if not self._allowed_to_look(command):
            with FileLock(self._folder.control_lock).held(timeout_s=_LOCK_TIMEOUT_S):
                self._authorize(command)
        notes: list[str] = []
        state = status = None
        try:
            state = load_state(self._folder.control_state)
        except ControlError as error:
            notes.append(str(error))
        try:
            status = read_document(self._folder.status)
        except FileError as error:
            notes.append(str(error))
        return ControlResult(
            folder=self._folder,
            action=command.action,
            principal=command.principal,
            state=state,
            training_status=status,
            rollback_checkpoint=state.rollback_checkpoint if state else None,
            alive=run_is_alive(self._folder),
            notes=tuple(notes),
        )

    def _allowed_to_look(self, command: Command) -> bool:
        try:
            return self._authorizer.decide(command.principal, command.action.key).allowed
        except PolicyInvalid:
            return False

    def _authorize(self, command: Command) -> None:
        try:
            self._authorizer.require(command.principal, command.action.key)
        except (AccessDenied, PolicyInvalid) as error:
            code = error.reason_code if isinstance(error, AccessDenied) else "policy_invalid"
            self._note(command, decision="denied", reason_code=code, detail=str(error))
            raise ControlError(
                f"failed to authorize prompt-optimization lifecycle action '{command.action}'",
                why=str(error),
                fix=error.fix,
            ) from error

    def _act(self, command: Command) -> ControlResult:
        before = load_state(self._folder.control_state)
        alive = run_is_alive(self._folder)
        recovery: Recovery | None = None
        target: CheckpointFile | None = None
        if command.action is Action.ROLLBACK:
            target = self._rollback_target(command)
        elif command.action is Action.RESUME:
            recovery = recover(self._folder, before, alive=alive)
        after = self._wanted(command, before)
        idempotent = _same(before, after)
        now_ms = self._clock.unix_ms()
        if recovery is not None:
            report = recovery.report(now_unix_ms=now_ms, principal=command.principal)
            atomic_write(self._folder.recovery_report, dump_document(report))
        head = load_head(self._folder.control_state)
        save_state(self._folder.control_state, after, head)
        head = self._audit.append(self._event(command, after, idempotent, recovery))
        save_state(self._folder.control_state, after, head)
        return ControlResult(
            folder=self._folder,
            action=command.action,
            principal=command.principal,
            idempotent=idempotent,
            state=after,
            training_status=_readable(self._folder.status),
            rollback_checkpoint=after.rollback_checkpoint,
            checkpoint_run_id=_checkpoint_run(target, recovery),
            recovery=recovery,
            alive=alive,
            notes=recovery.diagnostics if recovery else (),
        )

    def _wanted(self, command: Command, before: ControlState | None) -> ControlState:
        target = str(command.checkpoint.absolute()) if command.checkpoint else None
        if command.action is Action.ROLLBACK and command.checkpoint:
            target = str(command.checkpoint)
        return ControlState(
            lifecycle_state=_WANTED[command.action],
            last_action=str(command.action),
            principal=command.principal,
            updated_unix_ms=self._clock.unix_ms(),
            rollback_checkpoint=target,
            run_id=before.run_id if before else None,
            reason=command.reason,
        )

    def _rollback_target(self, command: Command) -> CheckpointFile:
        if command.checkpoint is None:
            raise ControlError("a rollback needs the path of a checkpoint")
        try:
            return load_checkpoint(command.checkpoint)
        except ControlError as error:
            raise ControlError(
                f"failed to load rollback checkpoint '{command.checkpoint}'", why=str(error)
            ) from error

    def _event(
        self,
        command: Command,
        after: ControlState,
        idempotent: bool,
        recovery: Recovery | None,
    ) -> AuditEvent:
        return AuditEvent(
            timestamp_unix_ms=self._clock.unix_ms(),
            principal=command.principal,
            action=str(command.action),
            action_key=command.action.key,
            lifecycle_state=str(after.lifecycle_state),
            idempotent=idempotent,
            rollback_checkpoint=after.rollback_checkpoint,
            recovery_checkpoint_source=recovery.checkpoint_source if recovery else None,
            reason=command.reason,
            run_id=after.run_id,
        )

    def _note_failure(self, command: Command, error: TauError) -> None:
        """Audit a failed action, unless the audit itself cannot be read or written."""
        try:
            self._audit.read()
            self._note(command, decision="failed", reason_code=None, detail=str(error))
        except (ControlError, FileError):
            return

    def _note(
        self, command: Command, *, decision: str, reason_code: str | None, detail: str
    ) -> None:
        try:
            state = load_state(self._folder.control_state)
        except ControlError:
            state = None
        head = self._audit.append(
            AuditEvent(
                timestamp_unix_ms=self._clock.unix_ms(),
                principal=command.principal,
                action=str(command.action),
                action_key=command.action.key,
                lifecycle_state=str(state.lifecycle_state) if state else "unknown",
                idempotent=None,
                reason=command.reason,
                decision=decision,
                reason_code=reason_code,
                detail=detail,
                run_id=state.run_id if state else None,
            )
        )
        if state is not None:
            save_state(self._folder.control_state, state, head)

    def _check_folder(self) -> None:
        root = self._folder.root
        if root.exists() and not root.is_dir():
            raise ControlError(f"the state dir '{root}' is not a folder")


def run_is_alive(folder: StateDir) -> bool:
    """Whether a process holds the run lock of this state dir now."""
    if not folder.run_lock.exists():
        return False
    lock = FileLock(folder.run_lock)
    if lock.acquire():
        lock.release()
        return False
    return True


def _same(before: ControlState | None, after: ControlState) -> bool:
    prior = before.lifecycle_state if before else LifecycleState.RUNNING
    target = before.rollback_checkpoint if before else None
    return prior is after.lifecycle_state and target == after.rollback_checkpoint


def _checkpoint_run(target: CheckpointFile | None, recovery: Recovery | None) -> str | None:
    found = target or (recovery.checkpoint if recovery else None)
    return found.run_id if found else None


def _readable(path: Path) -> Mapping[str, Json] | None:
    try:
        return read_document(path)
    except FileError:
        return None

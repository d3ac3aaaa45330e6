"""The five lifecycle commands, in the contract's order of steps.

Resolve the principal, authorize, read the state, act, write the state, append the audit line. All
under the control lock of the state dir, so that two operators at once are one after the other.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tau.domain.actions import Action, ControlState, record_of
from tau.domain.ids import stands_for
from tau.domain.json import Json
from tau.errors import ControlError, FileError
from tau.files.atomic import atomic_write, undone_on_failure
from tau.files.documents import dump_document, read_bytes, read_document
from tau.files.lock import FileLock
from tau.lifecycle.asking import Asked, Desk, as_text
from tau.lifecycle.audit import REPAIR_KEY, AuditEvent, AuditHead, Repair
from tau.lifecycle.authorization import Authorizer
from tau.lifecycle.chain import REPAIR
from tau.lifecycle.checkpoint_file import CheckpointFile, load_checkpoint
from tau.lifecycle.elsewhere import Elsewhere, outlook
from tau.lifecycle.paths import StateDir
from tau.lifecycle.recovery import Recovery, recover
from tau.lifecycle.register import Register
from tau.lifecycle.state import load_state, state_json
from tau.ports.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What somebody asks for. `checkpoint` is only for a rollback.

    `run_id` is the run that is meant, where that is known: another one is left alone.
    """

    action: Action
    principal: str
    checkpoint: Path | None = None
    reason: str | None = None
    run_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlResult:
    """What came of it. `idempotent` is None for status; `alive` tells of a live run.

    `state` and `training_status` are None where there are none; `notes` say what could not be read
    of them. `head` is the audit's new head.
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
    head: AuditHead | None = None
    notes: tuple[str, ...] = ()

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

    def __init__(
        self,
        folder: StateDir,
        authorizer: Authorizer,
        clock: Clock,
        *,
        elsewhere: Callable[[], Elsewhere | None] = lambda: None,
    ) -> None:
        """`elsewhere` finds the run that is likely meant where none has used `folder`."""
        self._elsewhere = elsewhere
        self._folder = folder
        self._clock = clock
        self._register = Register(folder)
        self._desk = Desk(self._register, authorizer, clock)

    @property
    def head(self) -> AuditHead | None:
        """The audit's head after what was written here, None before."""
        return self._register.head

    def execute(self, command: Command) -> ControlResult:
        """Carry out one command.

        Raises:
            AccessDenied: the policy says no; that is audited.
            PolicyInvalid: the policy is malformed; that is audited, too.
            ControlError: it could not be done; audited where the audit itself can be used, and
                nothing else was changed.
            FileError: the folder or a file in it cannot be used; nothing was changed.
        """
        asked = _asked(command)
        self._desk.authorize(asked)
        if command.action is Action.STATUS:
            return self._status(command)
        self._check_folder()
        with self._register.held():
            try:
                plan = self._plan(command)
                self._write(command, plan)
            except (ControlError, FileError) as error:
                self._desk.note_failure(asked, error)
                raise
            return self._result(command, plan)

    def preview(self, command: Command) -> ControlResult:
        """What `execute` would come to; writes nothing, whatever the answer is.

        Raises:
            AccessDenied, PolicyInvalid, ControlError: as `execute`.
        """
        self._desk.authorize(_asked(command), note=False)
        if command.action is Action.STATUS:
            return self._status(command)
        self._check_folder()
        return self._result(command, self._plan(command))

    def repair_audit(self, principal: str, reason: str | None) -> Repair:
        """Keep the audit's original, take out what cannot be parsed, anchor the chain anew.

        Raises:
            AccessDenied, PolicyInvalid: the policy does not allow it; that is audited.
            FileError: nothing was changed.
        """
        asked = Asked(action=REPAIR, key=REPAIR_KEY, principal=principal, reason=reason)
        self._desk.authorize(asked)
        self._check_folder()
        with self._register.held():
            return self._register.repair(self._desk.attempt(asked, "allowed", None, None))

    def _status(self, command: Command) -> ControlResult:
        """Answer whatever the files look like, and write nothing."""
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
        alive = run_is_alive(self._folder)
        if not alive and (status or {}).get("run_state") == "running":
            notes.append("the run's process is gone; resume, then start the run to go on with it")
        return ControlResult(
            folder=self._folder,
            action=command.action,
            principal=command.principal,
            state=state,
            training_status=status,
            rollback_checkpoint=state.rollback_checkpoint if state else None,
            alive=alive,
            notes=tuple(notes),
        )

    def _plan(self, command: Command) -> "_Plan":
        before = self._register.state()
        _check_run(command, before, _readable(self._folder.status))
        alive = run_is_alive(self._folder)
        notes = () if alive else outlook(self._folder, command.action, before, self._elsewhere)
        recovery: Recovery | None = None
        target: CheckpointFile | None = None
        if command.action is Action.ROLLBACK:
            target = self._rollback_target(command)
        elif command.action is Action.RESUME:
            recovery = recover(self._folder, before, alive=alive)
        after = self._desired(command, before, target)
        return _Plan(
            after=after,
            idempotent=after.asks_nothing_new(before),
            alive=alive,
            recovery=recovery,
            target=target,
            notes=notes,
        )

    def _result(self, command: Command, plan: "_Plan") -> ControlResult:
        return ControlResult(
            folder=self._folder,
            action=command.action,
            principal=command.principal,
            idempotent=plan.idempotent,
            state=plan.after,
            training_status=_readable(self._folder.status),
            rollback_checkpoint=plan.after.rollback_checkpoint,
            checkpoint_run_id=_checkpoint_run(plan.target, plan.recovery),
            recovery=plan.recovery,
            alive=plan.alive,
            head=self._register.head,
            notes=plan.notes + (plan.recovery.diagnostics if plan.recovery else ()),
        )

    def _write(self, command: Command, plan: "_Plan") -> None:
        """What goes with the state first, then the state and its audit line."""
        folder, recovery = self._folder, plan.recovery
        beside: list[tuple[Path, bytes]] = []
        if recovery is not None:
            report = recovery.report(now_unix_ms=self._clock.unix_ms(), principal=command.principal)
            beside.append((folder.recovery_report, dump_document(report)))
        if command.action is Action.ROLLBACK and command.checkpoint is not None:
            beside.append((folder.requested_checkpoint, read_bytes(command.checkpoint) or b""))
        with undone_on_failure(*(path for path, _ in beside)):
            for path, data in beside:
                atomic_write(path, data)
            self._register.commit(plan.after, self._event(command, plan))

    def _desired(
        self, command: Command, before: ControlState | None, target: CheckpointFile | None
    ) -> ControlState:
        desired = record_of(command.action).desired_state
        if desired is None:
            raise ControlError(f"'{command.action}' changes nothing of a run")
        return ControlState(
            lifecycle_state=desired,
            last_action=str(command.action),
            principal=command.principal,
            updated_unix_ms=self._clock.unix_ms(),
            rollback_checkpoint=as_text(command.checkpoint) if target else None,
            rollback_hash=target.content_hash if target else None,
            run_id=before.run_id if before else None,
            reason=command.reason,
            store_sequence=before.store_sequence if before else 0,
        )

    def _rollback_target(self, command: Command) -> CheckpointFile:
        """The checkpoint to go back to; one of another algorithm or configuration is refused."""
        if command.checkpoint is None:
            raise ControlError("a rollback needs the path of a checkpoint")
        what = f"failed to load rollback checkpoint '{as_text(command.checkpoint)}'"
        try:
            found = load_checkpoint(command.checkpoint)
        except ControlError as error:
            raise ControlError(what, why=error.why, fix=error.fix) from None
        for path in (self._folder.checkpoint, self._folder.fallback_checkpoint):
            try:
                own = load_checkpoint(path)
            except ControlError:
                continue
            if why := found.differs(own):
                raise ControlError(what, why=why, fix="name a checkpoint of this run")
            break
        return found

    def _event(self, command: Command, plan: "_Plan") -> AuditEvent:
        after, recovery = plan.after, plan.recovery
        return AuditEvent(
            timestamp_unix_ms=self._clock.unix_ms(),
            principal=command.principal,
            action=str(command.action),
            action_key=command.action.key,
            lifecycle_state=str(after.lifecycle_state),
            idempotent=plan.idempotent,
            rollback_checkpoint=after.rollback_checkpoint,
            recovery_checkpoint_source=recovery.checkpoint_source if recovery else None,
            reason=command.reason,
            run_id=after.run_id,
        )

    def _check_folder(self) -> None:
        if (root := self._folder.root).exists() and not root.is_dir():
            raise ControlError(f"the state dir '{root}' is not a folder")
        self._folder.refuse_links()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What a command comes to, before anything is written."""

    after: ControlState
    idempotent: bool
    alive: bool
    recovery: Recovery | None
    target: CheckpointFile | None
    notes: tuple[str, ...] = ()


def _asked(command: Command) -> Asked:
    return Asked(
        action=str(command.action),
        key=command.action.key,
        principal=command.principal,
        reason=command.reason,
        checkpoint=command.checkpoint,
        run_id=command.run_id,
    )


def _check_run(
    command: Command, state: ControlState | None, status: Mapping[str, Json] | None
) -> None:
    """Refuse a command that means another run than the one this folder has now."""
    here = (state.run_id if state else None) or (status or {}).get("run_id")
    if command.run_id is None or here is None or stands_for(command.run_id, str(here)):
        return
    raise ControlError(
        "the run changed meanwhile",
        why=f"'{here}' is the run of this folder now, not '{command.run_id}'",
        fix="look at how it is doing, then ask again",
    )


def run_is_alive(folder: StateDir) -> bool:
    """Whether a process holds the run lock of this state dir now."""
    return FileLock(folder.run_lock).taken()


def _checkpoint_run(target: CheckpointFile | None, recovery: Recovery | None) -> str | None:
    found = target or (recovery.checkpoint if recovery else None)
    return found.run_id if found else None


def _readable(path: Path) -> Mapping[str, Json] | None:
    try:
        return read_document(path)
    except FileError:
        return None

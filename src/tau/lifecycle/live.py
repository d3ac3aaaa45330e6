"""A live run's side of lifecycle control: the lock, the desired states, the files."""

import asyncio
import contextlib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import orjson

from tau.domain.actions import Action, ControlState, DesiredState, LifecycleState
from tau.domain.checkpoint import Checkpoint
from tau.domain.resources import Resources
from tau.domain.run import Run
from tau.domain.worker import ProcessIdentity
from tau.errors import ControlError, FileError, RunActive
from tau.files.atomic import clean_orphans
from tau.files.lock import FileLock
from tau.lifecycle.audit import AuditEvent
from tau.lifecycle.authorization import START
from tau.lifecycle.checkpoint_file import CheckpointFile, load_checkpoint, save_checkpoint
from tau.lifecycle.paths import StateDir
from tau.lifecycle.projection import Projection, key_of
from tau.lifecycle.recovery import over_for_good
from tau.lifecycle.register import Register
from tau.lifecycle.state import load_state
from tau.ports.clock import Clock

_WATCH_S = 0.1
_LOCK_TRIES = 20
_LOCK_PAUSE_S = 0.05
_RETRY_S = 1.0

SIGNALLED = "signal"
ROLLED_BACK = "rollback_done"
ROLLBACK_FAILED = "rollback_failed"


class RunControl:
    """Holds the run lock of a state dir and follows its control state; implements Control.

    `principal` is who started the run: it signs what the run itself does to the files.
    """

    def __init__(self, folder: StateDir, *, principal: str, clock: Clock) -> None:
        self._folder = folder
        self._principal = principal
        self._clock = clock
        self._lock = FileLock(folder.run_lock)
        self.register = Register(folder)
        """How the files are changed here."""
        self._run: Run | None = None
        self._wanted = LifecycleState.RUNNING
        self._seen: tuple[int, int, int] | None = None
        self.trouble: str | None = None
        """Why the control state cannot be used just now; the last one read stands meanwhile."""
        self.file_trouble: str | None = None
        """Why the checkpoint files lag behind the store."""

    @property
    def folder(self) -> StateDir:
        """Where the control files are."""
        return self._folder

    async def take(self, process: ProcessIdentity) -> None:
        """Take the lock of the folder and clean what crashes left there.

        Raises:
            RunActive: another live process drives a run in this state dir.
            FileError: the folder cannot be used, or a link is in the place of a file.
        """
        self._folder.refuse_links()
        note = orjson.dumps({"pid": process.pid, "host": process.host})
        for _ in range(_LOCK_TRIES):  # a command that looks whether we live holds it for a moment
            if self._lock.acquire(note):
                clean_orphans(self._folder.root)
                return
            await asyncio.sleep(_LOCK_PAUSE_S)
        raise RunActive(
            f"a run is being driven in the state dir '{self._folder.root}'",
            where=_holder(self._lock.holder()),
            fix="let it finish, stop it, or use another --state-dir",
        )

    def release(self) -> None:
        """Let others drive runs here."""
        self._lock.release()

    def desired(self) -> ControlState | None:
        """The control state as it stands; ControlError where it cannot be used."""
        return load_state(self._folder.control_state)

    async def begin(self, run: Run, record: DesiredState | None) -> None:
        """Write that `run` is running, audited, before anything is claimed.

        `record` is what the store said when the run was chosen: what it says later holds. A
        requested rollback is left standing, for the trainer to carry out.

        Raises:
            ControlError: the state file cannot be used.
            FileError: it cannot be written.
        """
        self._run = run
        if record is not None:
            projection = Projection(self._folder, self.register, self._clock, run.id)
            await asyncio.to_thread(projection.take_in, record)
        before = self.desired()
        wanted = LifecycleState.RUNNING
        target = None
        if before and before.lifecycle_state is LifecycleState.ROLLBACK_REQUESTED:
            wanted, target = before.lifecycle_state, before.rollback_checkpoint
        await self._record(START, wanted, target=target)
        self._follow(force=True)

    async def signalled(self) -> None:
        """A signal stopped the run: what it wants is to be paused, and the next start goes on."""
        with contextlib.suppress(FileError):  # the store says it too
            await self._record(SIGNALLED, LifecycleState.PAUSED)

    async def watch(self) -> None:
        """Follow the state file until cancelled."""
        while True:
            self._follow()
            await asyncio.sleep(_WATCH_S)

    @property
    def wanted(self) -> LifecycleState:
        """The latest desired state that could be read."""
        return self._wanted

    def rollback_target(self) -> Checkpoint:
        """The checkpoint that was asked for, from the copy which the command made of it."""
        state = self.desired()
        if state is None or state.rollback_checkpoint is None:
            raise ControlError("the control state names no checkpoint to roll back to")
        name = state.rollback_checkpoint
        found = _requested(self._folder, name, state.rollback_hash)
        if found.checkpoint is None:
            raise ControlError(
                f"'{name}' was written by another program",
                why="its states mean nothing to Tau's algorithms",
            )
        run = self._run
        if run is None:
            return found.checkpoint
        if found.checkpoint.algorithm != run.algorithm:
            raise ControlError(
                f"'{name}' is one of algorithm '{found.checkpoint.algorithm}', "
                f"the run's is '{run.algorithm}'"
            )
        if found.config_hash not in (None, run.config_hash):
            raise ControlError(
                f"'{name}' belongs to run '{found.run_id}'",
                why="that run had another configuration",
            )
        return replace(found.checkpoint, run_id=run.id)

    async def rolled_back(self, failure: str | None) -> None:
        """Back to running, audited either way; waits for space where there is none."""
        action = ROLLBACK_FAILED if failure else ROLLED_BACK
        while True:
            try:
                await self._record(action, LifecycleState.RUNNING, detail=failure)
                break
            except FileError as error:
                self.trouble = str(error)
                await asyncio.sleep(_RETRY_S)
        with contextlib.suppress(OSError):
            self._folder.requested_checkpoint.unlink()
        self._follow(force=True)

    async def show_checkpoint(
        self, run: Run, checkpoint: Checkpoint, candidates: Sequence[Resources]
    ) -> None:
        """Rotate and write the checkpoint files; a full disk there must not end the run."""
        try:
            await asyncio.to_thread(
                save_checkpoint,
                self._folder.checkpoint,
                self._folder.fallback_checkpoint,
                checkpoint,
                run=run,
                candidates=candidates,
            )
        except FileError as error:
            self.file_trouble = str(error)
        else:
            self.file_trouble = None

    def _follow(self, *, force: bool = False) -> None:
        """Read the state file again if it was replaced since."""
        stamp = _stamp(self._folder.control_state)
        if stamp == self._seen and not force:
            return
        try:
            state = self.desired()
        except ControlError as error:
            self.trouble = str(error)
            return
        self.trouble = None
        self._seen = stamp
        self._wanted = state.lifecycle_state if state else LifecycleState.RUNNING

    async def _record(
        self,
        action: str,
        wanted: LifecycleState,
        *,
        target: str | None = None,
        detail: str | None = None,
    ) -> None:
        await asyncio.to_thread(self._write, action, wanted, target, detail)

    def _write(
        self, action: str, wanted: LifecycleState, target: str | None, detail: str | None
    ) -> None:
        """State and audit line, as a command writes them."""
        with self.register.held():
            try:
                before = self.desired()
            except ControlError:  # it is replaced by a whole one, which is what it needs
                before = None
            state = ControlState(
                lifecycle_state=wanted,
                last_action=action,
                principal=self._principal,
                updated_unix_ms=self._clock.unix_ms(),
                rollback_checkpoint=target,
                rollback_hash=before.rollback_hash if before and target else None,
                run_id=self._run.id if self._run else None,
                store_sequence=_taken_in(before, self._run),
            )
            event = AuditEvent(
                timestamp_unix_ms=state.updated_unix_ms,
                principal=self._principal,
                action=action,
                action_key=key_of(action),
                lifecycle_state=str(wanted),
                idempotent=before is not None and before.lifecycle_state is wanted,
                rollback_checkpoint=target,
                detail=detail,
                run_id=state.run_id,
            )
            self.register.commit(state, event)


def orphan(folder: StateDir, config_hash: str) -> CheckpointFile | None:
    """The checkpoint file of an unfinished run of this configuration, primary first.

    It lets that run go on where the store has lost it.
    """
    if over_for_good(folder.status):
        return None
    for path in (folder.checkpoint, folder.fallback_checkpoint):
        try:
            found = load_checkpoint(path)
        except ControlError:
            continue
        return found if found.checkpoint and found.config_hash == config_hash else None
    return None


def _requested(folder: StateDir, name: str, digest: str | None) -> CheckpointFile:
    """The checkpoint that a rollback was asked for; its copy, where one was made.

    Raises:
        ControlError: nothing has the content that was asked for.
    """
    if digest is None:
        return load_checkpoint(Path(name))
    for path in (folder.requested_checkpoint, Path(name)):
        with contextlib.suppress(ControlError):
            found = load_checkpoint(path)
            if found.content_hash == digest:
                return found
    raise ControlError(
        f"checkpoint '{name}' is not what was asked for",
        where=str(folder.requested_checkpoint),
        why="its copy is gone or damaged, and the file itself has another content now",
        fix="ask for the rollback again",
    )


def _taken_in(before: ControlState | None, run: Run | None) -> int:
    """The store's record that the file has taken in; of another run it is none."""
    if before is None or run is None or before.run_id != run.id:
        return 0
    return before.store_sequence


def paused_by_operator(state: ControlState | None) -> bool:
    """Whether a person paused it; a signal's pause ends with the next start."""
    return (
        state is not None
        and state.lifecycle_state is LifecycleState.PAUSED
        and state.last_action == Action.PAUSE
    )


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_ino, found.st_mtime_ns, found.st_size)


def _holder(note: bytes) -> str | None:
    try:
        found = orjson.loads(note)
        return f"process {found['pid']} on {found['host']}"
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None

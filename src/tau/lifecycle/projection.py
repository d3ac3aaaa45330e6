"""The control files of a state dir as a projection of what the store says is desired of its run.

Each side knows how far the other was: the record is numbered, and the file says which number it has
taken in. A record with a higher number is taken in, audited; else a file that says something else
was changed where no store could be reached, and becomes the next record. Where both were changed,
the record wins: it is what all machines see.
"""

import asyncio
from dataclasses import replace

from tau.domain.actions import Action, ControlState, DesiredState, LifecycleState
from tau.domain.ids import RunId
from tau.errors import Conflict, NotFound
from tau.files.atomic import atomic_write, undone_on_failure
from tau.files.documents import read_bytes
from tau.lifecycle.audit import AuditEvent
from tau.lifecycle.authorization import START, START_KEY
from tau.lifecycle.paths import StateDir
from tau.lifecycle.register import Register
from tau.ports.clock import Clock
from tau.ports.desired_states import DesiredStates

THROUGH_STORE = "taken in from the store"


def later(state: ControlState | None, record: DesiredState | None) -> ControlState | None:
    """What holds of a run: its record, unless the file has taken that in already."""
    if record is None:
        return state
    return state if state is not None and _taken_in(state, record) else record.state


class Projection:
    """Keeps the files of one run and its record in the store the same."""

    def __init__(self, folder: StateDir, register: Register, clock: Clock, run_id: RunId) -> None:
        self._folder = folder
        self._register = register
        self._clock = clock
        self._run_id = run_id

    async def agree(self, records: DesiredStates) -> None:
        """Take in the record, or make the file the next one; does nothing where both say the same.

        Raises:
            StoreError: the store cannot be used; the files are as they were.
            ControlError, FileError: the files cannot be used.
        """
        try:
            record = await records.find(self._run_id)
        except NotFound:
            return  # the store has lost the run, or never knew it
        if await asyncio.to_thread(self.take_in, record):
            return
        state = self._register.state()
        if state is None or state.run_id != self._run_id:
            return
        if record is not None and record.state.says_the_same(state):
            return
        try:
            put = await records.put(
                self._run_id,
                state,
                checkpoint=self._requested(state),
                after=record.sequence if record else 0,
            )
        except Conflict:
            return  # somebody was faster: the next look takes that in
        await asyncio.to_thread(self._number, put.sequence)

    def take_in(self, record: DesiredState | None) -> bool:
        """Make the files say what a newer record says, audited; whether there was anything to do.

        Raises:
            ControlError, FileError: the files cannot be used; they are as they were.
        """
        if record is None or _is_behind(self._register.state(), record) is False:
            return False
        with self._register.held():
            before = self._register.state()
            if not _is_behind(before, record):
                return True
            if before is not None and record.state.says_the_same(before):
                self._register.number(record.sequence)
                return True
            requested = self._folder.requested_checkpoint
            with undone_on_failure(requested):
                if record.checkpoint is not None:
                    atomic_write(requested, record.checkpoint)
                self._register.commit(
                    replace(record.state, run_id=self._run_id), self._event(before, record)
                )
        return True

    def _number(self, sequence: int) -> None:
        with self._register.held():
            self._register.number(sequence)

    def _requested(self, state: ControlState) -> bytes | None:
        if state.lifecycle_state is not LifecycleState.ROLLBACK_REQUESTED:
            return None
        return read_bytes(self._folder.requested_checkpoint)

    def _event(self, before: ControlState | None, record: DesiredState) -> AuditEvent:
        after = record.state
        return AuditEvent(
            timestamp_unix_ms=self._clock.unix_ms(),
            principal=after.principal,
            action=after.last_action,
            action_key=key_of(after.last_action),
            lifecycle_state=str(after.lifecycle_state),
            idempotent=after.asks_nothing_new(before),
            rollback_checkpoint=after.rollback_checkpoint,
            reason=after.reason,
            detail=f"{THROUGH_STORE}: record {record.sequence}",
            run_id=self._run_id,
        )


def key_of(action: str) -> str:
    """The permission that an audited action names: an operator's, or one of the run itself."""
    if action in list(Action):
        return Action(action).key
    return START_KEY if action == START else f"run:{action}"


def _is_behind(state: ControlState | None, record: DesiredState) -> bool:
    return state is None or not _taken_in(state, record)


def _taken_in(state: ControlState, record: DesiredState) -> bool:
    """Whether the state is of the record's run, and has seen it.

    A store that was restored from a backup counts from there again: where its number is lower than
    the one seen here, the later word is the newer one.
    """
    if state.run_id not in (None, record.state.run_id):
        return False
    if state.store_sequence > record.sequence:
        return state.updated_unix_ms >= record.state.updated_unix_ms
    return state.store_sequence == record.sequence

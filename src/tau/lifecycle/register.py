"""The control state and the audit of a state dir, changed together and by one at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from tau.domain.actions import ControlState
from tau.errors import ControlError, FileError
from tau.files.atomic import clean_orphans, undone_on_failure
from tau.files.lock import FileLock
from tau.lifecycle.audit import AuditEvent, AuditHead, AuditTrail, Repair, head_of
from tau.lifecycle.paths import StateDir
from tau.lifecycle.state import load_audit_line, load_state, save_state

_LOCK_TIMEOUT_S = 10.0


class Register:
    """Whoever changes the control files does it inside `held`.

    The state is written first and carries its audit line along; the line follows. After a crash
    between the two, the next one to hold the register writes the line.
    """

    def __init__(self, folder: StateDir) -> None:
        self._folder = folder
        self.audit = AuditTrail(folder.audit)
        self.head: AuditHead | None = None
        """The audit's head after the last line that was written here."""
        self.sealed: AuditHead | None = None
        """The head that the store was told of last, from here."""

    @contextmanager
    def held(self) -> Iterator[None]:
        """Take the control lock, and put right what a crash left behind.

        Raises:
            FileError: the folder cannot be used, or somebody keeps the lock.
        """
        with FileLock(self._folder.control_lock).held(timeout_s=_LOCK_TIMEOUT_S):
            clean_orphans(self._folder.root)
            promised = load_audit_line(self._folder.control_state)
            if promised is not None:
                self._settle(promised)
            yield

    def state(self) -> ControlState | None:
        """The control state as it stands.

        Raises:
            ControlError: it cannot be used; names the file.
        """
        return load_state(self._folder.control_state)

    def commit(self, state: ControlState, event: AuditEvent) -> None:
        """Write the state and its audit line, both or, as far as this process lives, neither.

        Raises:
            FileError: everything is as it was.
        """
        line = self.audit.compose(event)
        with undone_on_failure(self._folder.control_state):
            save_state(self._folder.control_state, state, line)
            self.audit.append(line)
        self.head = head_of(line)

    def number(self, sequence: int) -> None:
        """Say in the state that it has taken in the store's record of this number.

        Raises:
            ControlError, FileError: the old state stands.
        """
        state = self.state()
        if state is not None:
            line = load_audit_line(self._folder.control_state)
            numbered = replace(state, store_sequence=sequence)
            save_state(self._folder.control_state, numbered, line)

    def note(self, event: AuditEvent) -> None:
        """Write only an audit line: of an attempt that changed nothing.

        Raises:
            FileError: it cannot be written.
        """
        line = self.audit.compose(event)
        self.audit.append(line)
        self.head = head_of(line)

    def repair(self, event: AuditEvent) -> Repair:
        """Repair the audit, and remember its new head in place of the old one.

        Raises:
            FileError: nothing was changed.
        """
        with undone_on_failure(self._folder.audit, self._folder.control_state):
            done = self.audit.repair(event)
            try:
                state = self.state()
            except ControlError:
                state = None
            if state is not None:
                last = self.audit.read()[0][-1].raw
                save_state(self._folder.control_state, state, last)
        self.head = done.head
        return done

    def _settle(self, promised: bytes) -> None:
        try:
            if self.audit.settle(promised):
                self.head = head_of(promised)
        except FileError:
            return  # whoever needs the audit now meets the same trouble and says so

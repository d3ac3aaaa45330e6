"""What somebody asks for: authorized, and written down whatever comes of it."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

from tau.errors import AccessDenied, ControlError, FileError, PolicyInvalid, TauError
from tau.lifecycle.audit import AuditEvent
from tau.lifecycle.authorization import Authorizer
from tau.lifecycle.register import Register
from tau.ports.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is authorized and audited of anything that somebody asks for.

    `detail` says what it was about, `run_id` which run where it is not the one of the folder.
    """

    action: str
    key: str
    principal: str
    reason: str | None = None
    checkpoint: Path | None = None
    detail: str | None = None
    run_id: str | None = None


class Desk:
    """Decides and writes down; one for a state dir."""

    def __init__(self, register: Register, authorizer: Authorizer, clock: Clock) -> None:
        self._register = register
        self._authorizer = authorizer
        self._clock = clock

    def authorize(self, asked: Asked, *, note: bool = True) -> None:
        """Let through what the policy allows; a denial is audited, but for `note` False.

        Raises:
            AccessDenied, PolicyInvalid: it is not allowed.
        """
        what = f"failed to authorize prompt-optimization lifecycle action '{asked.action}'"
        try:
            self._authorizer.require(asked.principal, asked.key)
        except AccessDenied as error:
            if note:
                self._note_denial(asked, error.reason_code, error)
            raise AccessDenied(
                what, reason_code=error.reason_code, why=error.summary, fix=error.fix
            ) from None
        except PolicyInvalid as error:
            if note:
                self._note_denial(asked, "policy_invalid", error)
            raise PolicyInvalid(
                what, why=error.summary, fix=error.fix or "put the policy file right"
            ) from None

    def _note_denial(self, asked: Asked, code: str, error: TauError) -> None:
        """Audit a denial; that it cannot be written down makes it no less a denial."""
        with contextlib.suppress(FileError), self._register.held():
            self._register.note(self.attempt(asked, "denied", code, str(error)))

    def note_allowed(self, asked: Asked) -> None:
        """Audit what is about to be done: what is gone or moved afterwards was allowed to somebody.

        Raises:
            FileError: it cannot be written down, and is not to be done.
        """
        with self._register.held():
            self._register.note(self.attempt(asked, "allowed", None, None))

    def note_failure(self, asked: Asked, error: TauError) -> None:
        """Audit a failed action, unless the audit itself cannot be read or written."""
        with contextlib.suppress(ControlError, FileError):
            self._register.audit.read()
            self._register.note(self.attempt(asked, "failed", None, str(error)))

    def attempt(
        self, asked: Asked, decision: str, code: str | None, detail: str | None
    ) -> AuditEvent:
        """What is written of something that left the control state alone."""
        told = "; ".join(text for text in (asked.detail, detail) if text)
        try:
            state = self._register.state()
        except ControlError:
            state = None
        return AuditEvent(
            timestamp_unix_ms=self._clock.unix_ms(),
            principal=asked.principal,
            action=asked.action,
            action_key=asked.key,
            lifecycle_state=str(state.lifecycle_state) if state else "unknown",
            idempotent=None,
            rollback_checkpoint=as_text(asked.checkpoint) if asked.checkpoint else None,
            reason=asked.reason,
            decision=decision,
            reason_code=code,
            detail=as_text(told) if told else None,
            run_id=asked.run_id or (state.run_id if state else None),
        )


def as_text(value: Path | str | None) -> str:
    """As text that a file can hold: names of files may be any bytes."""
    return str(value).encode("utf-8", "backslashreplace").decode()

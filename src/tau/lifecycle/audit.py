"""The audit trail: one JSON line per attempt at an action, chained by hashes.

Every line carries `previous_hash`, the SHA-256 of the bytes of the line before it (64 zeros for the
first line of a file), and `hash`, that of its own canonical JSON without `hash`. Lines written by
other programs without these fields are accepted as a prefix of the file.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from tau.domain.json import Json, canonical
from tau.errors import ControlError, FileError
from tau.files.atomic import append_line, sync_folder
from tau.files.documents import read_bytes

NO_PREVIOUS = "0" * 64
_MAX_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """What is written of one attempt at an action.

    `decision` is allowed, denied or failed; `detail` says why it failed; `reason` is the person's.
    """

    timestamp_unix_ms: int
    principal: str
    action: str
    action_key: str
    lifecycle_state: str
    idempotent: bool | None
    rollback_checkpoint: str | None = None
    recovery_checkpoint_source: str | None = None
    reason: str | None = None
    decision: str = "allowed"
    reason_code: str | None = None
    detail: str | None = None
    run_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditHead:
    """The last line: its number and the hash of its bytes. Kept elsewhere, it shows truncation."""

    sequence: int
    line_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """One parsed line; `number` counts from 1 in the file, blank lines included."""

    number: int
    fields: Mapping[str, Json]
    raw: bytes

    @property
    def action(self) -> str:
        """The line's action."""
        return str(self.fields["action"])

    @property
    def chained(self) -> bool:
        """Whether it takes part in the hash chain."""
        return "hash" in self.fields and "previous_hash" in self.fields


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditBreak:
    """Where the chain does not hold; `line` counts from 1."""

    line: int
    what: str


class AuditTrail:
    """The audit file. Whoever appends holds the control lock of the state dir."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, event: AuditEvent) -> AuditHead:
        """Write one line and return the new head.

        Raises:
            FileError: it cannot be written.
        """
        self.set_aside_torn_line()
        last, count = self._last_line()
        fields: dict[str, Json] = {
            "schema_version": 1,
            "timestamp_unix_ms": event.timestamp_unix_ms,
            "principal": event.principal,
            "action": event.action,
            "action_key": event.action_key,
            "lifecycle_state": event.lifecycle_state,
            "idempotent": event.idempotent,
            "rollback_checkpoint": event.rollback_checkpoint,
            "recovery_checkpoint_source": event.recovery_checkpoint_source,
            "sequence": count + 1,
            "reason": event.reason,
            "decision": event.decision,
            "reason_code": event.reason_code,
            "detail": event.detail,
            "run_id": event.run_id,
            "previous_hash": line_hash(last) if last is not None else NO_PREVIOUS,
        }
        fields["hash"] = line_hash(canonical(fields))
        line = orjson.dumps(fields)
        append_line(self.path, line)
        return AuditHead(sequence=count + 1, line_hash=line_hash(line))

    def read(self) -> tuple[Sequence[AuditLine], bytes]:
        """Every non-blank whole line, and the torn rest after the last newline (usually empty).

        Raises:
            ControlError: a whole line is not a JSON object with a string `action`.
            FileError: the file cannot be read.
        """
        lines = []
        whole, torn = self._split()
        for number, raw in enumerate(whole, start=1):
            if not raw.strip():
                continue
            try:
                fields = orjson.loads(raw)
            except orjson.JSONDecodeError as error:
                raise self._unparsable(number, f"not JSON: {error}") from error
            if not isinstance(fields, dict) or not isinstance(fields.get("action"), str):
                raise self._unparsable(number, "expected an object with a string 'action'")
            lines.append(AuditLine(number=number, fields=fields, raw=raw))
        return lines, torn

    def verify(self, head: AuditHead | None = None) -> Sequence[AuditBreak]:
        """Every place where the chain does not hold; empty if it is whole.

        `head` is the last line as it is remembered elsewhere; with it, lines missing at the end
        are found too.
        """
        lines, torn = self.read()
        breaks = _chain_breaks(lines)
        if torn:
            breaks.append(
                AuditBreak(line=len(self._split()[0]) + 1, what="the last line is torn off")
            )
        if head is not None:
            if len(lines) < head.sequence:
                what = f"{head.sequence - len(lines)} lines are missing at the end"
                breaks.append(AuditBreak(line=len(self._split()[0]) + 1, what=what))
            elif line_hash(lines[head.sequence - 1].raw) != head.line_hash:
                number = lines[head.sequence - 1].number
                breaks.append(AuditBreak(line=number, what="not the line that is remembered"))
        return sorted(set(breaks), key=lambda one: (one.line, one.what))

    def set_aside_torn_line(self) -> Path | None:
        """Move what a crash in mid-write left after the last newline into a file beside it."""
        whole, torn = self._split()
        if not torn:
            return None
        aside = self.path.with_name(f"{self.path.name}.torn-{len(whole) + 1}")
        try:
            descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                os.write(descriptor, torn)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            with self.path.open("r+b") as file:
                file.truncate(self.path.stat().st_size - len(torn))
                os.fsync(file.fileno())
            sync_folder(self.path.parent)
        except OSError as error:
            raise FileError(
                f"cannot set a torn line of '{self.path}' aside", why=error.strerror or str(error)
            ) from error
        return aside

    def _split(self) -> tuple[list[bytes], bytes]:
        data = read_bytes(self.path, limit=_MAX_BYTES) or b""
        *whole, torn = data.split(b"\n")
        return whole, torn

    def _last_line(self) -> tuple[bytes | None, int]:
        lines = [line for line in self._split()[0] if line.strip()]
        return (lines[-1] if lines else None), len(lines)

    def _unparsable(self, number: int, why: str) -> ControlError:
        return ControlError(
            f"failed to parse training control audit line {number} from '{self.path}'",
            why=why,
            fix="repair the line by hand, or run: tau audit repair",
        )


def line_hash(data: bytes) -> str:
    """SHA-256 as 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def _chain_breaks(lines: Sequence[AuditLine]) -> list[AuditBreak]:
    breaks = []
    previous: AuditLine | None = None
    in_chain = False
    for count, line in enumerate(lines, start=1):
        if not line.chained:
            if in_chain:
                breaks.append(AuditBreak(line=line.number, what="it is not part of the chain"))
            previous = line
            continue
        in_chain = True
        own = {name: value for name, value in line.fields.items() if name != "hash"}
        if line_hash(canonical(own)) != line.fields["hash"]:
            breaks.append(AuditBreak(line=line.number, what="it was changed"))
        expected = line_hash(previous.raw) if previous else NO_PREVIOUS
        if line.fields["previous_hash"] != expected and line.action != "audit_repair":
            what = "the line before it was changed, dropped or moved"
            breaks.append(AuditBreak(line=line.number, what=what))
        if line.fields.get("sequence") != count:
            what = f"its sequence is {line.fields.get('sequence')}, expected {count}"
            breaks.append(AuditBreak(line=line.number, what=what))
        previous = line
    return breaks

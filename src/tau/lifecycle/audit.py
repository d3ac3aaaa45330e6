"""The audit trail: one JSON line per attempt at an action, chained by hashes.

Every line carries `previous_hash`, the SHA-256 of the bytes of the line before it (64 zeros for the
first line of a file), and `hash`, that of its own canonical JSON without `hash`. Lines written by
other programs without these fields are accepted as a prefix of the file. A repair anchors the chain
anew: its line vouches for the bytes before it, as they were then, by `anchored_hash`.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from tau.domain.json import Json, canonical
from tau.errors import ControlError, FileError
from tau.files.atomic import append_line, atomic_write, sync_folder
from tau.files.documents import read_bytes
from tau.files.safety import open_here
from tau.lifecycle.chain import (
    NO_PREVIOUS,
    AuditBreak,
    AuditLine,
    chain_breaks,
    fields_of,
    line_hash,
    parsable,
)

REPAIR_KEY = "control:audit:repair"
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
class Repair:
    """What a repair did. `kept` is the original; `removed` are lines nobody could parse."""

    kept: Path
    removed: tuple[int, ...]
    breaks: tuple[AuditBreak, ...]
    head: AuditHead


class AuditTrail:
    """The audit file. Whoever writes holds the control lock of the state dir."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def compose(self, event: AuditEvent) -> bytes:
        """The line that would come next.

        Raises:
            FileError: the file cannot be read.
        """
        last, count = self._last_line()
        return _line(event, last, count + 1)

    def append(self, line: bytes) -> None:
        """Write a composed line; a torn one that a crash left is set aside first.

        Raises:
            FileError: it cannot be written.
        """
        self._set_aside_torn_line()
        append_line(self.path, line)

    def settle(self, line: bytes) -> bool:
        """Append a line that was composed and promised but, for a crash, never written.

        True if that was so. A line that is not the very next one is left alone.
        """
        last, count = self._last_line()
        try:
            fields = orjson.loads(line)
            place = (fields["sequence"], fields["previous_hash"])
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return False
        if place != (count + 1, line_hash(last) if last is not None else NO_PREVIOUS):
            return False
        self.append(line)
        return True

    def read(self) -> tuple[Sequence[AuditLine], bytes]:
        """Every non-blank whole line, and the torn rest after the last newline (usually empty).

        Raises:
            ControlError: a whole line is not a JSON object with a string `action`.
            FileError: the file cannot be read.
        """
        whole, torn = self._split()
        lines = []
        offset = 0
        for number, raw in enumerate(whole, start=1):
            if raw.strip():
                lines.append(self._parsed(number, offset, raw))
            offset += len(raw) + 1
        return lines, torn

    def verify(self, *heads: AuditHead | None) -> Sequence[AuditBreak]:
        """Every place where the chain does not hold; empty if it is whole.

        `heads` are last lines as they are remembered elsewhere; with them, lines missing at the
        end are found too.

        Raises:
            ControlError: a line cannot be parsed.
            FileError: the file cannot be read.
        """
        lines, torn = self.read()
        data = read_bytes(self.path, limit=_MAX_BYTES) or b""
        seen = [head.sequence for head in heads if head is not None]
        breaks = chain_breaks(lines, data, folder=self.path.parent, seen=min(seen, default=None))
        after = data.count(b"\n") + 1
        if torn:
            breaks.append(AuditBreak(line=after, what="the last line is torn off"))
        for head in heads:
            if head is None:
                continue
            if len(lines) < head.sequence:
                gone = head.sequence - len(lines)
                lost = "1 line is" if gone == 1 else f"{gone} lines are"
                what = f"{lost} missing at the end"
                breaks.append(AuditBreak(line=after, what=what))
            elif line_hash(lines[head.sequence - 1].raw) != head.line_hash:
                number = lines[head.sequence - 1].number
                breaks.append(AuditBreak(line=number, what="not the line that is remembered"))
        return sorted(set(breaks), key=lambda one: (one.line, one.what))

    def repair(self, event: AuditEvent) -> Repair:
        """Keep the original beside the file, take out what nobody can parse, anchor the chain.

        Raises:
            FileError: nothing was changed.
        """
        data = read_bytes(self.path, limit=_MAX_BYTES)
        if data is None:
            raise FileError(f"there is no audit to repair at '{self.path}'")
        good, removed, torn = parsable(data)
        breaks = () if removed else tuple(self.verify())
        kept = self._keep(data)
        text = b"".join(raw + b"\n" for raw in good)
        more: dict[str, Json] = {
            "anchored_hash": line_hash(text),
            "original_file": kept.name,
            "original_hash": line_hash(data),
            "removed_lines": list(removed),
            "torn_bytes": len(torn),
        }
        line = _line(event, good[-1] if good else None, len(good) + 1, more)
        atomic_write(self.path, text + line + b"\n")
        return Repair(kept=kept, removed=tuple(removed), breaks=breaks, head=head_of(line))

    def _keep(self, data: bytes) -> Path:
        number = 1
        while (kept := self.path.with_name(f"{self.path.name}.original-{number}")).exists():
            number += 1
        atomic_write(kept, data)
        return kept

    def _parsed(self, number: int, offset: int, raw: bytes) -> AuditLine:
        try:
            fields = fields_of(raw)
        except ValueError as error:
            raise self._unparsable(number, str(error)) from error
        return AuditLine(number=number, offset=offset, fields=fields, raw=raw)

    def _set_aside_torn_line(self) -> None:
        """Move what a crash in mid-write left after the last newline into a file beside it."""
        whole, torn = self._split()
        if not torn:
            return
        atomic_write(self.path.with_name(f"{self.path.name}.torn-{len(whole) + 1}"), torn)
        try:
            with os.fdopen(open_here(self.path, os.O_RDWR), "r+b") as file:
                file.truncate(self.path.stat().st_size - len(torn))
                os.fsync(file.fileno())
            sync_folder(self.path.parent)
        except OSError as error:
            raise FileError(
                f"cannot set a torn line of '{self.path}' aside", why=error.strerror or str(error)
            ) from error

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


def head_of(line: bytes) -> AuditHead:
    """The head that a composed line makes; sequence 0 where it is none."""
    try:
        sequence = orjson.loads(line)["sequence"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        sequence = 0
    number = sequence if type(sequence) is int and sequence > 0 else 0
    return AuditHead(sequence=number, line_hash=line_hash(line))


def _line(
    event: AuditEvent, last: bytes | None, sequence: int, more: Mapping[str, Json] | None = None
) -> bytes:
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
        "sequence": sequence,
        "reason": event.reason,
        "decision": event.decision,
        "reason_code": event.reason_code,
        "detail": event.detail,
        "run_id": event.run_id,
        **(more or {}),
        "previous_hash": line_hash(last) if last is not None else NO_PREVIOUS,
    }
    fields["hash"] = line_hash(canonical(fields))
    return orjson.dumps(fields)

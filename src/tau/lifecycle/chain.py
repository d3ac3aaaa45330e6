"""The hash chain of an audit, and where it does not hold."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from tau.domain.json import Json, canonical
from tau.errors import FileError
from tau.files.documents import read_bytes

NO_PREVIOUS = "0" * 64
REPAIR = "audit_repair"
_MOST_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditLine:
    """One parsed line; `number` counts from 1 in the file, blank lines included.

    `offset` is where it begins in the file, in bytes.
    """

    number: int
    offset: int
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


def line_hash(data: bytes) -> str:
    """SHA-256 as 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def fields_of(raw: bytes) -> Mapping[str, Json]:
    """The fields of a line; ValueError says why it is none."""
    try:
        fields = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error}") from error
    if not isinstance(fields, dict) or not isinstance(fields.get("action"), str):
        raise ValueError("expected an object with a string 'action'")
    return fields


def parsable(data: bytes) -> tuple[list[bytes], list[int], bytes]:
    """The lines of a file that a repair keeps, the numbers of those it takes out, the torn rest."""
    *whole, torn = data.split(b"\n")
    good: list[bytes] = []
    removed: list[int] = []
    for number, raw in enumerate(whole, start=1):
        if not raw.strip():
            continue
        try:
            fields_of(raw)
        except ValueError:
            removed.append(number)
        else:
            good.append(raw)
    return good, removed, torn


def chain_breaks(
    lines: Sequence[AuditLine], data: bytes, *, folder: Path, seen: int | None
) -> list[AuditBreak]:
    """`data` is the whole file in `folder`; `seen` the last sequence that is remembered elsewhere.

    What the last repair that counts vouches for is not looked at again.
    """
    start, breaks = _anchored(lines, data, folder, seen)
    previous = lines[start - 1] if start else None
    in_chain = start > 0
    for count, line in enumerate(lines[start:], start=start + 1):
        follows = previous.number + 1 if previous else 1
        if line.number != follows and (in_chain or (previous is None and line.chained)):
            breaks.append(AuditBreak(line=follows, what="a blank line was put in"))
        if line.chained:
            in_chain = True
            breaks += _link_breaks(line, previous, count)
        elif in_chain:
            breaks.append(AuditBreak(line=line.number, what="it is not part of the chain"))
        previous = line
    if in_chain and previous is not None and data.count(b"\n") > previous.number:
        breaks.append(AuditBreak(line=previous.number + 1, what="a blank line was put in"))
    return breaks


def _anchored(
    lines: Sequence[AuditLine], data: bytes, folder: Path, seen: int | None
) -> tuple[int, list[AuditBreak]]:
    """How many lines the last repair that counts vouches for, and what is wrong with others."""
    breaks: list[AuditBreak] = []
    for count in range(len(lines), 0, -1):
        line = lines[count - 1]
        if line.action != REPAIR or "anchored_hash" not in line.fields:
            continue
        what = _worthless(line, data[: line.offset], folder)
        if what is None and seen is not None and count > seen:
            what = "nobody but this file remembers the repair; if it was yours, repair again"
        if what is None:
            return count - 1, breaks
        breaks.append(AuditBreak(line=line.number, what=what))
    return 0, breaks


def _worthless(line: AuditLine, before: bytes, folder: Path) -> str | None:
    """Why a repair counts for nothing, None where it does: anybody could write such a line.

    What it vouches for must be what its kept original comes to, byte for byte.
    """
    if line_hash(before) != line.fields["anchored_hash"]:
        return "what it vouches for was changed since"
    name = line.fields.get("original_file")
    if not isinstance(name, str) or not name or Path(name).name != name:
        return "it names no original that was kept"
    try:
        original = read_bytes(folder / name, limit=_MOST_BYTES)
    except (FileError, ValueError):
        original = None
    if original is None:
        return f"its original '{name}' is not there"
    if line_hash(original) != line.fields.get("original_hash"):
        return f"its original '{name}' was changed since"
    if b"".join(raw + b"\n" for raw in parsable(original)[0]) != before:
        return f"its original '{name}' comes to something else"
    return None


def _link_breaks(line: AuditLine, previous: AuditLine | None, count: int) -> list[AuditBreak]:
    breaks = []
    own = {name: value for name, value in line.fields.items() if name != "hash"}
    try:
        intact = line_hash(canonical(own)) == line.fields["hash"]
    except ValueError:
        intact = False
    if not intact:
        breaks.append(AuditBreak(line=line.number, what="it was changed"))
    if line.fields["previous_hash"] != (line_hash(previous.raw) if previous else NO_PREVIOUS):
        what = "the line before it was changed, dropped or moved"
        breaks.append(AuditBreak(line=line.number, what=what))
    if line.fields.get("sequence") != count:
        what = f"its sequence is {line.fields.get('sequence')}, expected {count}"
        breaks.append(AuditBreak(line=line.number, what=what))
    return breaks

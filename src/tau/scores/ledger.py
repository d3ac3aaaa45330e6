"""The account of claims that rows have carried: each one halves the level of the next.

A file of JSON lines. Rows are known again by hashes of their content, or else of their ids; of a
large set the smallest hashes are kept, which tell sets that share more than a few rows.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from tau.domain.visible import line
from tau.errors import InputError
from tau.files.atomic import append_line
from tau.files.lock import FileLock
from tau.scores.pairing import Paired
from tau.scoring.claims import Claim, ClaimResult

_KEPT = 512
_DIGITS = 12
_PATIENCE_S = 30.0
_MOST_BYTES = 256 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One claim: which rows carried it, and what was claimed of which scores."""

    rows: frozenset[str]
    whole: bool
    claim: str

    def shares(self, other: "Entry") -> bool:
        """Whether both were made on some of the same rows."""
        limits = [max(one.rows, default="") for one in (self, other) if not one.whole]
        most = min(limits, default=None)
        common = self.rows & other.rows
        return any(most is None or row <= most for row in common)


class Ledger:
    """The account in one file; use it while its lock is held."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.lock = FileLock(path.with_name(f".{path.name}.lock"))

    def held(self) -> Any:  # noqa: ANN401
        """Hold the file's lock for a block.

        Raises:
            InputError: the folder does not exist: a new account would begin beside the old one.
        """
        folder = self._path.parent
        if not folder.is_dir():
            raise InputError(
                f"the ledger's folder does not exist: '{line(str(folder))}'",
                where=line(str(self._path)),
                why="with a mistyped name a new account would begin, and earlier claims not count",
                fix="check the name, or make the folder first",
            )
        return self.lock.held(timeout_s=_PATIENCE_S)

    def earlier(self, entry: Entry) -> int:
        """How many other claims were made on some of these rows; the same one again is not.

        Raises:
            InputError: the file is no ledger.
        """
        before: set[str] = set()
        for one in self._entries():
            if one.claim == entry.claim:
                break
            if one.shares(entry):
                before.add(one.claim)
        return len(before)

    def add(self, entry: Entry, *, result: ClaimResult, alpha: float, who: str, at: int) -> None:
        """Write a claim down, once.

        Raises:
            FileError: it cannot be written.
        """
        if any(one.claim == entry.claim for one in self._entries()):
            return
        written = {
            "schema_version": 1,
            "claimed_unix_ms": at,
            "principal": who,
            "claim": entry.claim,
            "kind": result.claim.value,
            "margin": result.margin,
            "alpha": alpha,
            "decision": result.decision.value,
            "pairs": result.pairs,
            "whole": entry.whole,
            "rows": sorted(entry.rows),
        }
        append_line(self._path, orjson.dumps(written))

    def _entries(self) -> list[Entry]:
        if self._path.is_symlink():
            raise InputError(
                f"the ledger '{line(str(self._path))}' is a symbolic link",
                fix="name the file itself",
            )
        try:
            with self._path.open("rb") as file:
                data = file.read(_MOST_BYTES + 1)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise InputError(
                f"cannot read the ledger '{line(str(self._path))}'", why=error.strerror
            ) from None
        if len(data) > _MOST_BYTES:
            raise InputError(f"the ledger '{line(str(self._path))}' is too large to be one")
        rows = enumerate(data.split(b"\n"), 1)
        return [self._entry(number, row) for number, row in rows if row.strip()]

    def _entry(self, number: int, data: bytes) -> Entry:
        try:
            found = orjson.loads(data)
            version, claim, rows = found["schema_version"], found["claim"], found["rows"]
            entry = Entry(rows=frozenset(map(str, rows)), whole=found["whole"], claim=str(claim))
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise InputError(
                f"line {number} of the ledger is no claim",
                where=line(str(self._path)),
                why=line(repr(error)),
                fix="restore the file, or name another one and begin a new account",
            ) from None
        if version != 1:
            raise InputError(
                f"line {number} of the ledger has schema version {version!r}, known is 1",
                where=line(str(self._path)),
            )
        return entry


def entry_of(paired: Paired, claim: Claim) -> Entry:
    """What a claim is known by.

    Raises:
        InputError: rows that only their place names cannot be known again.
    """
    if paired.contents is None:
        raise InputError(
            "a ledger must know rows again, and these are paired by their order",
            fix="give the rows ids, and name the column by --id",
        )
    digests = sorted({_digest(content) for content in paired.contents})
    scores = paired.scores
    columns: Sequence[object] = (
        scores.ids, scores.baseline, scores.candidate, scores.groups, scores.human, scores.cost,
    )  # fmt: skip
    said: Mapping[str, object] = {
        "kind": claim.kind.value, "margin": claim.margin, "alpha": claim.alpha,
    }  # fmt: skip
    text = repr((said, columns)).encode("utf-8", "surrogatepass")
    return Entry(
        rows=frozenset(digests[:_KEPT]),
        whole=len(digests) <= _KEPT,
        claim=hashlib.sha256(text).hexdigest()[:32],
    )


def _digest(content: str) -> str:
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]

"""`status.json` as the contract shows it; a file that is missing or broken is a diagnostic."""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tau.domain.json import Json
from tau.errors import FileError
from tau.files.documents import read_document

_NUMBERS = ("total_rollouts", "succeeded", "failed", "cancelled")


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusContent:
    """What the file says. `found` is its whole content, None where there is none to use."""

    path: Path
    found: Mapping[str, Json] | None = None
    diagnostics: tuple[str, ...] = ()

    @property
    def run_state(self) -> str:
        """The run's state as the file tells it."""
        return _text(self.found, "run_state") or "unknown"

    def number(self, name: str) -> int:
        """One of the counts, 0 where the file says none."""
        value = (self.found or {}).get(name)
        return value if type(value) is int and value >= 0 else 0

    def document(self) -> dict[str, Json]:
        """The contract's `training`."""
        return {
            "status_path": str(self.path),
            "status_present": self.found is not None,
            "updated_unix_ms": self.number("updated_unix_ms") if self.found else None,
            "run_state": self.run_state,
            "model_ref": _text(self.found, "model_ref"),
            "store_path": _text(self.found, "store_path"),
            **{name: self.number(name) for name in _NUMBERS},
            "diagnostics": list(self.diagnostics),
            "run_id": _text(self.found, "run_id"),
        }


class TrainingFile:
    """Reads `status.json`, again only where it was replaced."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int, int] | None = None
        self._last: StatusContent | None = None

    async def read(self) -> StatusContent:
        """What it says now; never fails."""
        stamp = _stamp(self._path)
        if self._last is None or stamp is None or stamp != self._stamp:
            self._last = await asyncio.to_thread(_read, self._path)
            self._stamp = stamp
        return self._last


def _read(path: Path) -> StatusContent:
    try:
        found = read_document(path)
    except FileError as error:
        kind = "parse" if error.what.startswith("cannot parse") else "read"
        note = f"training_status_{kind}_failed:{path}: {error.why}"
        return StatusContent(path=path, diagnostics=(note,))
    if found is None:
        return StatusContent(path=path, diagnostics=(f"training_status_missing:{path}",))
    if not isinstance(found.get("run_state"), str):
        note = f"training_status_parse_failed:{path}: it has no run_state"
        return StatusContent(path=path, diagnostics=(note,))
    return StatusContent(path=path, found=found)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_ino, found.st_mtime_ns, found.st_size)


def _text(found: Mapping[str, Json] | None, name: str) -> str | None:
    value = (found or {}).get(name)
    return value if isinstance(value, str) else None

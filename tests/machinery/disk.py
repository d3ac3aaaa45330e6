"""A disk under observation: an apsw VFS that records what a program does to it, or fails."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from threading import Lock

import apsw

_numbers = count(1)


class Effect(StrEnum):
    """What a program did to a file, or said about itself."""

    WRITE = "write"
    TRUNCATE = "truncate"
    SYNC = "sync"
    DELETE = "delete"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Event:
    """One effect on the file whose name ends in `suffix`; `offset` is the size of a truncation.

    A deletion with `offset` 1 has synced its folder. A note's `label` is the program's own.
    """

    effect: Effect
    suffix: str = ""
    offset: int = 0
    data: bytes = b""
    label: object = None


@dataclass(slots=True)
class Trace:
    """What happened, in the order in which it happened, from all threads."""

    events: list[Event] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def add(self, event: Event) -> None:
        """Append `event`."""
        with self._lock:
            self.events.append(event)

    def note(self, label: object) -> None:
        """Record that `label` was acknowledged: what it stands for must survive from here on."""
        self.add(Event(Effect.NOTE, label=label))


Hook = Callable[[Event], None]
"""Called before the effect; raises an apsw error to make it fail."""


class HookedVfs(apsw.VFS):
    """The system's disk with a hook before every effect on a file.

    Use `vfs_name` in `apsw.Connection(..., vfs=...)`, and `unregister` after the last of them.
    """

    def __init__(self, hook: Hook, *, sync: bool = True, wait: bool = True) -> None:
        """Without `sync`, fsync is neither reported nor done; without `wait` only reported."""
        self.vfs_name = f"tau-hooked-{next(_numbers)}"
        self._hook = hook
        self._sync = sync
        self._wait = wait
        super().__init__(self.vfs_name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        return _HookedFile(name, flags, self._hook, self._sync, self._wait)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        self._hook(Event(Effect.DELETE, suffix_of(filename), int(syncdir)))
        super().xDelete(filename, syncdir)


class _HookedFile(apsw.VFSFile):
    def __init__(
        self,
        name: str | apsw.URIFilename | None,
        flags: list[int],
        hook: Hook,
        sync: bool,
        wait: bool,
    ) -> None:
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        self._suffix = suffix_of(path or "temporary")
        self._hook = hook
        self._sync = sync
        self._wait = wait
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        self._hook(Event(Effect.WRITE, self._suffix, offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:
        self._hook(Event(Effect.TRUNCATE, self._suffix, newsize))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:
        if self._sync:
            self._hook(Event(Effect.SYNC, self._suffix))
            if self._wait:
                super().xSync(flags)


def suffix_of(path: str) -> str:
    """What distinguishes the files of one database: "", "-wal" or "-journal"."""
    for suffix in ("-wal", "-journal", "-shm"):
        if path.endswith(suffix):
            return suffix
    return ""


@dataclass(slots=True)
class Faults:
    """A hook that makes the effects numbered `first` to `last` (from 1) fail with `error`.

    Truncations of a log to save space and deletions are left alone: SQLite does not depend on them.
    """

    error: type[apsw.Error]
    first: int
    last: int
    seen: int = 0
    failed: int = 0
    _lock: Lock = field(default_factory=Lock)

    def __call__(self, event: Event) -> None:
        """Count, and fail where it is time."""
        if event.effect in (Effect.DELETE, Effect.NOTE):
            return
        with self._lock:
            self.seen += 1
            fail = self.first <= self.seen <= self.last
            self.failed += fail
        if fail:
            raise self.error(f"planted at effect {self.seen}")

    def heal(self) -> None:
        """From now on everything succeeds."""
        with self._lock:
            self.last = 0

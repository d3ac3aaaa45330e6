"""Power loss: every state in which a disk may be found after one, derived from one recording.

A disk keeps what was synced. Of what was written since, any part may have arrived, in any order,
and a write may be torn between sectors. One run of a workload under a recording VFS gives a trace;
each position in it gives as many images as wanted, without running anything again.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from typing import cast

import apsw

from machinery.disk import Effect, Event, suffix_of
from tau.domain.draws import below, uniform

SECTOR = 512
_numbers = count(1)


class Loss(StrEnum):
    """What became of the writes that were not synced."""

    NONE = "none"
    """All arrived, as after kill -9."""
    ALL = "all"
    """None arrived."""
    TAIL = "tail"
    """Those after some write are gone, and that one is torn."""
    SCATTERED = "scattered"
    """Any of them arrived, in any order."""
    TORN = "torn"
    """As scattered, and each may be torn, with sectors missing or full of noise."""


@dataclass(slots=True)
class Disk:
    """The files of one database by suffix. What is changed after `begin` can be taken back."""

    files: dict[str, bytearray] = field(default_factory=dict)
    _undo: list[tuple[str, int, bytes, int]] | None = None

    def begin(self) -> None:
        """From here on, changes are remembered."""
        self._undo = []

    def roll_back(self) -> None:
        """Undo every change since `begin`."""
        undo, self._undo = self._undo or [], None
        for suffix, offset, old, size in reversed(undo):
            if size < 0:
                if offset < 0:
                    self.files.pop(suffix, None)  # it had been created
                else:
                    self.files[suffix] = bytearray(old)  # it had been deleted
                continue
            content = self.files[suffix]
            content[offset : offset + len(old)] = old
            if len(content) < size:
                content.extend(bytes(size - len(content)))
            del content[size:]

    def open(self, suffix: str) -> bytearray:
        """The content, created where missing."""
        if suffix not in self.files:
            self._remember(suffix, -1, b"", -1)
            self.files[suffix] = bytearray()
        return self.files[suffix]

    def write(self, suffix: str, offset: int, data: bytes) -> None:
        """As pwrite: what lies between the old end and `offset` becomes zeros."""
        content = self.open(suffix)
        end = min(offset + len(data), len(content))
        self._remember(suffix, min(offset, len(content)), bytes(content[offset:end]), len(content))
        if len(content) < offset:
            content.extend(bytes(offset - len(content)))
        content[offset : offset + len(data)] = data

    def truncate(self, suffix: str, size: int) -> None:
        """As ftruncate."""
        content = self.open(suffix)
        self._remember(suffix, min(size, len(content)), bytes(content[size:]), len(content))
        content.extend(bytes(max(0, size - len(content))))
        del content[size:]

    def delete(self, suffix: str) -> None:
        """As unlink; a missing file is fine."""
        content = self.files.pop(suffix, None)
        if content is not None:
            self._remember(suffix, 0, bytes(content), -1)

    def apply(self, event: Event) -> None:
        """Do what `event` did."""
        if event.effect is Effect.WRITE:
            self.write(event.suffix, event.offset, event.data)
        elif event.effect is Effect.TRUNCATE:
            self.truncate(event.suffix, event.offset)
        elif event.effect is Effect.DELETE:
            self.delete(event.suffix)

    def _remember(self, suffix: str, offset: int, old: bytes, size: int) -> None:
        if self._undo is not None:
            self._undo.append((suffix, offset, old, size))


class MemoryVfs(apsw.VFS):
    """Shows a `Disk` to SQLite under `vfs_name`.

    There is no shared memory: set `PRAGMA locking_mode=EXCLUSIVE` before anything else.
    """

    def __init__(self, disk: Disk) -> None:
        """Registered until `unregister` is called."""
        self.vfs_name = f"tau-memory-{next(_numbers)}"
        self._disk = disk
        super().__init__(self.vfs_name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        flags[1] = flags[0]
        return cast(apsw.VFSFile, _MemoryFile(self._disk, suffix_of(path or "-temporary")))

    def xDelete(self, filename: str, syncdir: bool) -> None:
        self._disk.delete(suffix_of(filename))

    def xAccess(self, pathname: str, flags: int) -> bool:
        return suffix_of(pathname) in self._disk.files

    def xFullPathname(self, name: str) -> str:
        return name


class _MemoryFile:
    """What SQLite asks of a file; locks are for others, and here are none."""

    def __init__(self, disk: Disk, suffix: str) -> None:
        self._disk = disk
        self._suffix = suffix
        self._content = disk.open(suffix)

    def xRead(self, amount: int, offset: int) -> bytes:
        return bytes(self._content[offset : offset + amount])

    def xWrite(self, data: bytes, offset: int) -> None:
        self._disk.write(self._suffix, offset, bytes(data))

    def xTruncate(self, size: int) -> None:
        self._disk.truncate(self._suffix, size)

    def xFileSize(self) -> int:
        return len(self._content)

    def xSync(self, flags: int) -> None: ...

    def xLock(self, level: int) -> None: ...

    def xUnlock(self, level: int) -> None: ...

    def xClose(self) -> None: ...

    def xCheckReservedLock(self) -> bool:
        return False

    def xFileControl(self, op: int, pointer: int) -> bool:
        return False

    def xSectorSize(self) -> int:
        return SECTOR

    def xDeviceCharacteristics(self) -> int:
        return 0


@dataclass(frozen=True, slots=True)
class Image:
    """One state found after a power loss, valid until the next is asked for.

    `notes` are the acknowledgements given before it, `position` counts events of the trace.
    """

    position: int
    loss: Loss
    variant: int
    notes: Sequence[object]
    files: dict[str, bytearray]
    _vfs_name: str

    @contextmanager
    def connection(self) -> Iterator[apsw.Connection]:
        """The database as SQLite finds it; what is written to it is forgotten."""
        connection = apsw.Connection("image", vfs=self._vfs_name)
        try:
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            connection.pragma("locking_mode", "exclusive")
            connection.pragma("synchronous", "off")
            yield connection
        finally:
            connection.close()


def images(trace: Sequence[Event], *, points: int, seed: int) -> Iterator[Image]:
    """`points` images spread evenly over `trace`, each with its own loss, in order of position."""
    surviving = Disk()
    pending: list[Event] = []
    notes: list[object] = []
    vfs = MemoryVfs(surviving)
    taken = 0
    try:
        for position, event in enumerate(trace, start=1):
            _happen(event, surviving, pending, notes)
            due = points * position // len(trace)
            while taken < due:
                loss = list(Loss)[taken % len(Loss)]
                surviving.begin()
                for effect in _arrived(pending, loss, seed, taken):
                    surviving.apply(effect)
                yield Image(position, loss, taken, tuple(notes), surviving.files, vfs.vfs_name)
                surviving.roll_back()
                taken += 1
    finally:
        vfs.unregister()


def _happen(event: Event, surviving: Disk, pending: list[Event], notes: list[object]) -> None:
    if event.effect is Effect.NOTE:
        notes.append(event.label)
        return
    pending.append(event)
    folder_synced = event.effect is Effect.DELETE and bool(event.offset)
    if event.effect is Effect.SYNC:
        # SQLite syncs the folder together with a log or journal it has just created.
        folder_synced = event.suffix != "" and (
            event.suffix not in surviving.files or _last_deletion(pending, event.suffix) >= 0
        )
        _persist(surviving, pending, event.suffix, len(pending))
    if folder_synced:
        for suffix in {other.suffix for other in pending}:
            _persist(surviving, pending, suffix, _last_deletion(pending, suffix) + 1)


def _persist(surviving: Disk, pending: list[Event], suffix: str, until: int) -> None:
    """Apply what is pending of one file, up to a position in `pending`."""
    for event in [old for old in pending[:until] if old.suffix == suffix]:
        surviving.apply(event)
    pending[:until] = [old for old in pending[:until] if old.suffix != suffix]


def _last_deletion(pending: Sequence[Event], suffix: str) -> int:
    found = -1
    for position, event in enumerate(pending):
        if event.suffix == suffix and event.effect is Effect.DELETE:
            found = position
    return found


def _arrived(pending: Sequence[Event], loss: Loss, seed: int, variant: int) -> list[Event]:
    if loss is Loss.NONE:
        return list(pending)
    if loss is Loss.ALL or not pending:
        return []
    deleted, possible = _one_life_each(pending, seed, variant)
    if loss is Loss.TAIL:
        if not possible:
            return deleted
        length = below(len(possible), seed, "tail", variant)
        torn = _torn(possible[length], seed, variant, length)
        return [*deleted, *possible[:length], *torn]
    kept = [
        (uniform(seed, "order", variant, i), i)
        for i in range(len(possible))
        if uniform(seed, "kept", variant, i) < 0.5
    ]
    shuffled = [possible[i] for _, i in sorted(kept)]
    if loss is Loss.SCATTERED:
        return deleted + shuffled
    parts = [part for i, whole in enumerate(shuffled) for part in _torn(whole, seed, variant, i)]
    return deleted + parts


def _one_life_each(
    pending: Sequence[Event], seed: int, variant: int
) -> tuple[list[Event], list[Event]]:
    """Deletions that arrived, and what else may have: of a deleted file or of its successor.

    Writes to a file made anew never reach the one it replaced.
    """
    deleted: list[Event] = []
    possible = list(pending)
    for suffix in sorted({event.suffix for event in pending}):
        at = _last_deletion(pending, suffix)
        if at < 0:
            continue
        gone = uniform(seed, "deleted", variant, suffix) < 0.5
        deleted += [pending[at]] if gone else []
        other_life = pending[: at + 1] if gone else pending[at:]
        possible = [
            event
            for event in possible
            if event.suffix != suffix or not any(event is other for other in other_life)
        ]
    return deleted, possible


def _torn(event: Event, seed: int, variant: int, number: int) -> list[Event]:
    """The sectors of a write that arrived; one may hold noise. Other effects are whole or gone."""
    if event.effect is not Effect.WRITE:
        return [event] if uniform(seed, "whole", variant, number) < 0.5 else []
    parts = []
    first = event.offset // SECTOR * SECTOR
    for start in range(first, event.offset + len(event.data), SECTOR):
        fate = uniform(seed, "sector", variant, number, start)
        if fate < 0.45:
            continue
        low = max(start, event.offset) - event.offset
        data = event.data[low : start + SECTOR - event.offset]
        if fate > 0.95:
            data = bytes(byte ^ 0xA5 for byte in data)
        parts.append(Event(Effect.WRITE, event.suffix, event.offset + low, data))
    return parts

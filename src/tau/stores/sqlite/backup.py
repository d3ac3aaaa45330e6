"""Copies of a store that may be in use."""

import contextlib
import os
from pathlib import Path

import apsw

from tau.errors import StoreUnavailable
from tau.files.atomic import sync_folder
from tau.stores.sqlite.connection import SqliteAccess
from tau.stores.sqlite.faults import translated

_PAGES_A_STEP = 4096


def back_up(source: Path, target: Path) -> None:
    """Copy `source` to the new file `target`, whole, durable and mode 0600, while it is in use.

    Raises:
        StoreUnavailable: `target` exists or cannot be made.
        StoreError: the copy failed; `target` is not left behind.
    """
    temp = target.with_name(f".{target.name}.partial-{os.getpid()}")
    try:
        if target.exists():
            raise StoreUnavailable("the backup's target exists already", where=str(target))
        os.close(os.open(temp, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        try:
            _copy(source, temp)
            _sync(temp)
            os.link(temp, target)  # unlike a rename, this never replaces a file
        finally:
            temp.unlink()
        sync_folder(target.parent)
    except OSError as error:
        raise StoreUnavailable(
            "the backup cannot be written", where=str(target), why=error.strerror or str(error)
        ) from error


def _copy(source: Path, target: Path) -> None:
    try:
        with (
            contextlib.closing(SqliteAccess(path=str(source)).reader()) as reader,
            contextlib.closing(apsw.Connection(str(target))) as writer,
        ):
            with writer.backup("main", reader, "main") as copy:
                while not copy.done:
                    copy.step(_PAGES_A_STEP)
            writer.pragma("journal_mode", "DELETE")  # one file, with nothing beside it
    except apsw.Error as error:
        raise translated(error, str(source), writing=True) from error


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

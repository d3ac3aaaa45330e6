"""Replace and append to files so that a crash at any instant leaves a whole file."""

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from tau.errors import FileError
from tau.files.safety import make_folder, open_here, refuse_link

_MARK = ".tau-tmp-"


def atomic_write(path: Path, data: bytes) -> None:
    """Replace `path` by `data`, durable when this returns; mode 0600, the folder is created 0700.

    Temp file in the same folder (O_EXCL), fsync, rename, fsync of the folder.

    Raises:
        FileError: a link is in its place, or with the cause; `path` holds its old content then.
    """
    refuse_link(path)
    temp = _temp_name(path)
    try:
        make_folder(path.parent)
        descriptor = open_here(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            _write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(temp, path)
        sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temp.unlink()
        raise FileError(f"cannot write '{path}'", why=error.strerror or str(error)) from error


def append_line(path: Path, line: bytes) -> None:
    """Append `line` and a newline in one O_APPEND write and fsync it; mode 0600.

    Raises:
        FileError: a link is in its place, or with the cause; what was written of the line is taken
            back if possible.
    """
    if b"\n" in line:
        raise ValueError("a line must not contain a newline")
    try:
        make_folder(path.parent)
        created = not path.exists()
        descriptor = open_here(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            _append(descriptor, line + b"\n")
        finally:
            os.close(descriptor)
        if created:
            sync_folder(path.parent)
    except OSError as error:
        raise FileError(f"cannot append to '{path}'", why=error.strerror or str(error)) from error


@contextlib.contextmanager
def undone_on_failure(*paths: Path) -> Iterator[None]:
    """Put `paths` back as they were if the block fails; that needs no space on the disk.

    Raises:
        FileError: what is there now cannot be kept; the block was not begun.
    """
    kept: dict[Path, Path | None] = {}
    try:
        for path in paths:
            kept[path] = _second_name(path)
        yield
    except BaseException:
        for path, second in kept.items():
            _put_back(path, second)
        raise
    finally:
        for second in kept.values():
            if second is not None:
                with contextlib.suppress(OSError):
                    second.unlink()


def clean_orphans(folder: Path) -> int:
    """Remove temp files that processes no longer alive left in `folder`; how many."""
    removed = 0
    for temp in folder.glob(f".*{_MARK}*"):
        owner = temp.name.rpartition(_MARK)[2].partition("-")[0]
        if owner.isdigit() and not _alive(int(owner)):
            with contextlib.suppress(OSError):
                temp.unlink()
                removed += 1
    return removed


def sync_folder(folder: Path) -> None:
    """Make renames and new names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _temp_name(path: Path) -> Path:
    return path.with_name(f".{path.name}{_MARK}{os.getpid()}-{secrets.token_hex(4)}")


def _second_name(path: Path) -> Path | None:
    """A hard link to the file (a copy where the file system has none); None where there is none.

    It stays as it is when `path` is replaced.
    """
    second = _temp_name(path)
    try:
        try:
            os.link(path, second)
        except PermissionError:
            shutil.copyfile(path, second)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise FileError(f"cannot write '{path}'", why=error.strerror or str(error)) from error
    return second


def _put_back(path: Path, second: Path | None) -> None:
    with contextlib.suppress(OSError):
        if second is None:
            path.unlink()
        else:
            os.rename(second, path)
        sync_folder(path.parent)


def _append(descriptor: int, data: bytes) -> None:
    """One write, durable; what it left behind is cut off again if it fails."""
    size = os.fstat(descriptor).st_size
    try:
        written = os.write(descriptor, data)
        if written != len(data):
            raise OSError(errno.ENOSPC, "the disk took half a line")
        os.fsync(descriptor)
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, size)
        raise


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

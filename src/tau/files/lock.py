"""Locks between processes, released by the kernel whatever happens to the holder."""

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tau.errors import FileError
from tau.files.safety import make_folder, open_here

_POLL_S = 0.01
_MAX_NOTE = 4096


class FileLock:
    """An exclusive flock on a file of its own, which holds a note about the holder.

    The file is never removed: a removed lock file could be locked twice.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self, note: bytes = b"") -> bool:
        """Take the lock if it is free; True if it is ours now.

        Raises:
            FileError: the folder or file cannot be used.
        """
        try:
            make_folder(self._path.parent)
        except (FileExistsError, NotADirectoryError) as error:
            raise FileError(
                f"cannot lock '{self._path}'",
                why=f"'{self._path.parent}' is not a folder, or a file is on the way to it",
                fix="name another folder",
            ) from error
        except OSError as error:
            raise self._refused(error) from error
        descriptor = self._opened(os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except OSError as error:
            os.close(descriptor)
            raise self._refused(error) from error
        self._descriptor = descriptor
        if note:
            self._write(note[:_MAX_NOTE])
        return True

    def taken(self) -> bool:
        """Whether another open lock holds it now; changes nothing, and asking may be refused.

        A shared lock is tried for an instant, so that those who ask do not see one another.
        """
        try:
            descriptor = self._opened(os.O_RDONLY)
        except FileError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        finally:
            os.close(descriptor)
        return False

    def release(self) -> None:
        """Give it back; doing so twice is fine."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def holder(self) -> bytes:
        """The note of the present or last holder, empty if there is none."""
        try:
            descriptor = self._opened(os.O_RDONLY)
        except FileError:
            return b""
        try:
            return os.pread(descriptor, _MAX_NOTE, 0)
        except OSError:
            return b""
        finally:
            os.close(descriptor)

    @contextmanager
    def held(self, *, timeout_s: float) -> Iterator[None]:
        """Hold it for a block, waiting for up to `timeout_s`.

        Raises:
            FileError: somebody else kept it for too long.
        """
        deadline = time.monotonic() + timeout_s
        while not self.acquire():
            if time.monotonic() >= deadline:
                raise FileError(
                    f"'{self._path}' stayed locked for {timeout_s:g} s",
                    fix="another command is at work there; try again when it has ended",
                )
            time.sleep(_POLL_S)
        try:
            yield
        finally:
            self.release()

    def _opened(self, flags: int) -> int:
        """A descriptor of the file; opening what is none, such as a pipe, must not block."""
        try:
            descriptor = open_here(self._path, flags | os.O_NONBLOCK)
        except OSError as error:
            raise self._refused(error) from error
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
        os.close(descriptor)
        raise FileError(
            f"cannot lock '{self._path}'", why="it is not a regular file", fix="remove it"
        )

    def _refused(self, error: OSError) -> FileError:
        fix = {
            errno.EROFS: "the folder must be writable; name another one",
            errno.EACCES: "the folder must be writable; name another one, or change who owns it",
            errno.ENOSPC: "free some space",
        }.get(error.errno or 0)
        why = error.strerror or str(error)
        return FileError(f"cannot lock '{self._path}'", why=why, fix=fix)

    def _write(self, note: bytes) -> None:
        assert self._descriptor is not None
        try:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, note, 0)
        except OSError:
            return  # the note is a courtesy: on a full disk the lock holds without it

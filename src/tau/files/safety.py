"""What may be opened for writing: a planted link must never lead to somebody else's file."""

import errno
import os
import stat
from pathlib import Path

from tau.errors import FileError

NEVER_FOLLOW = os.O_NOFOLLOW | os.O_CLOEXEC
"""For every file that is opened to be written: a link in its place is refused."""


def refuse_link(path: Path) -> None:
    """Raise FileError where `path` itself is a symbolic link, whatever it points at."""
    if path.is_symlink():
        raise linked(path)


def linked(path: Path) -> FileError:
    """The refusal of a symbolic link, by name."""
    return FileError(
        f"'{path}' is a symbolic link",
        why="it would lead what is written to another file",
        fix="remove the link, or name the file itself",
    )


def open_here(path: Path, flags: int, mode: int = 0o600) -> int:
    """A descriptor of `path` itself; FileError where that is a link, else OSError."""
    try:
        return os.open(path, flags | NEVER_FOLLOW, mode)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK) and path.is_symlink():
            raise linked(path) from error
        raise


def make_folder(folder: Path) -> None:
    """Make `folder`, and what is missing above it, for this user alone (0700).

    A link to a folder is followed only where this user or root has made it.

    Raises:
        FileError: a link to nothing, or somebody else's.
        OSError: it cannot be made, or something else is in its place.
    """
    _check_link(folder)
    missing = []
    at = folder
    while not at.exists() and at != at.parent:
        missing.append(at)
        at = at.parent
    for each in reversed(missing):
        _check_link(each)
        each.mkdir(mode=0o700, exist_ok=True)
    if not folder.is_dir():
        raise FileExistsError(errno.EEXIST, "it is not a folder", str(folder))


def _check_link(folder: Path) -> None:
    try:
        found = os.lstat(folder)
    except OSError:
        return
    if not stat.S_ISLNK(found.st_mode):
        return
    if not folder.exists():
        raise FileError(
            f"'{folder}' is a symbolic link to nothing",
            why="a folder would be made somewhere else",
            fix="remove the link, or make the folder that it names",
        )
    if found.st_uid not in (os.geteuid(), 0):
        raise FileError(
            f"'{folder}' is a symbolic link of another user",
            why="it would lead what is written to another folder",
            fix="remove the link, or name the folder itself",
        )

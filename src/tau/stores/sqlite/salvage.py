"""Files of a store of which a part was deleted, emptied or damaged: set aside, not thrown away."""

import os
from pathlib import Path

from tau.errors import StoreDamaged, StoreError, StoreUnavailable, StoreVersion
from tau.files.atomic import sync_folder
from tau.files.safety import refuse_link
from tau.stores.sqlite.verification import verify

_SUFFIXES = ("", "-wal", "-shm", "-journal")


def trouble(path: Path) -> str | None:
    """What keeps the store at `path` from being used, None where it is whole or not there.

    Raises:
        StoreVersion: it is from another version of Tau, which is no damage.
    """
    there = [each for each in _files(path) if each.exists()]
    if not there:
        return None
    if path not in there:
        return f"its main file is gone; left are {', '.join(each.name for each in there)}"
    try:
        found = verify(path)
    except StoreVersion:
        raise
    except StoreError as error:
        return str(error)
    return None if found.ok else "; ".join(found.problems)


def set_aside(path: Path) -> list[Path]:
    """Rename every file of the store at `path`, under one new ending; where they are now.

    Raises:
        StoreUnavailable: one cannot be renamed; what was renamed before is named in the message.
        FileError: a link is in the place of one.
    """
    there = [each for each in _files(path) if each.exists() or each.is_symlink()]
    for each in there:
        refuse_link(each)
    ending = _ending(path)
    kept: list[Path] = []
    try:
        for each in there:
            target = Path(f"{each}{ending}")
            os.rename(each, target)
            kept.append(target)
        sync_folder(path.parent)
    except OSError as error:
        raise StoreUnavailable(
            "the store's files cannot be set aside",
            where=str(path),
            why=f"{error.strerror}; renamed already: {', '.join(map(str, kept)) or 'none'}",
        ) from error
    return kept


def check_whole(path: Path) -> None:
    """Raise StoreDamaged where a log is left whose main file is gone or empty.

    SQLite would throw the log away and begin anew.
    """
    log = Path(f"{path}-wal")
    if log.is_symlink() or not log.is_file() or not log.stat().st_size:
        return
    if path.is_file() and path.stat().st_size:
        return
    raise StoreDamaged(
        "the store's main file is gone or empty, and its log is still there",
        where=str(path),
        why="somebody deleted or emptied it; a new store in its place would throw the log away",
        fix="put the file back, or set what is left aside with: tau db recover, which says what "
        "the checkpoint file of the run brings back",
    )


def _files(path: Path) -> list[Path]:
    return [Path(f"{path}{suffix}") for suffix in _SUFFIXES]


def _ending(path: Path) -> str:
    number = 1
    while any(os.path.lexists(f"{each}.aside-{number}") for each in _files(path)):
        number += 1
    return f".aside-{number}"

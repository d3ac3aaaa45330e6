"""Finding the run that a command means, where the person names no folder."""

import os
from collections.abc import Iterator
from pathlib import Path

from tau.config.paths import DEFAULT_STATE_DIR, state_dir
from tau.errors import ControlError, FileError
from tau.files.documents import read_document
from tau.files.lock import FileLock
from tau.lifecycle.paths import StateDir
from tau.stores.location import on_server, shown


def find_state_dir(
    *, chosen: str | None = None, store: str | None = None, files: bool = True
) -> StateDir:
    """The state dir that was chosen, that of the run on `store`, or the newest one around here.

    Without `files`, that of a store on a server need not hold those of its run.

    Around here are the current folder, `.tau` and the folders in it; a live run comes first.

    Raises:
        ControlError: `store` is on a server, and no run of it was driven from here.
    """
    if chosen is not None:
        return StateDir(Path(chosen))
    if store is not None:
        found = audit_dir(store)
        if files and on_server(store):
            _check_driven_here(found, store)
        return found
    used = [folder for folder in _around() if _age(folder) is not None]
    live = [folder for folder in used if FileLock(folder.run_lock).taken()]
    newest = max(live or used, key=lambda folder: _age(folder) or 0.0, default=None)
    return newest or StateDir(Path(DEFAULT_STATE_DIR))


def driven_here(folder: StateDir, store: str) -> bool:
    """Whether the last run of `folder` was on `store`.

    A store on a server has runs of many machines, each with control files where it is driven.
    Where nothing can be read, whoever reads it next says what is wrong with it.
    """
    try:
        driven = (read_document(folder.status) or {}).get("store_path")
    except FileError:
        return True
    return driven == shown(store)


def audit_dir(store: str) -> StateDir:
    """Where what is done to `store` is audited: with the run that was last controlled there."""
    return _of_run_on(state_dir(store), store)


def other_folders(folder: StateDir, store: str | None) -> Iterator[StateDir]:
    """Where else the run may be that is meant: on the store named, or in the usual place."""
    seen = {folder.root.absolute()}
    stores = [] if store is None or on_server(store) else [_of_run_on(state_dir(store), store)]
    for other in (*stores, StateDir(Path(DEFAULT_STATE_DIR))):
        if other.root.absolute() not in seen:
            seen.add(other.root.absolute())
            yield other


def other_store(folder: StateDir, store: str) -> Path | None:
    """The file of the store that the run in `folder` is on, where that is not `store`.

    None where nothing tells, or where that file is gone: a store may have been moved.
    """
    try:
        named = (read_document(folder.status) or {}).get("store_file")
    except FileError:
        return None
    if not isinstance(named, str) or "://" in store.removeprefix("sqlite://"):
        return None
    found = Path(named)
    try:
        here = os.path.realpath(store.removeprefix("sqlite://"))
        return found if found.is_file() and os.path.realpath(found) != here else None
    except (OSError, ValueError):
        return None


def _of_run_on(beside: StateDir, store: str) -> StateDir:
    """Beside the store, unless its status names the folder in which its run is controlled.

    A copied folder's status is about the original: it names that one's store and folder.
    """
    if other_store(beside, store) is not None:
        return beside
    try:
        named = (read_document(beside.status) or {}).get("state_dir")
    except FileError:
        return beside
    if not isinstance(named, str) or Path(named) == beside.root.absolute():
        return beside
    there = StateDir(Path(named))
    return there if _age(there) is not None else beside


def _check_driven_here(folder: StateDir, store: str) -> None:
    """Raise ControlError where the control files are on another machine."""
    if driven_here(folder, store):
        return
    raise ControlError(
        "no run of this store was driven from here",
        where=str(folder.root),
        why="its control files are where it is driven",
        fix="ask on the machine and in the folder where the run was started, or give its "
        "--state-dir; how it is doing is told from everywhere: tau status --store URL",
    )


def _around() -> Iterator[StateDir]:
    yield StateDir(Path(DEFAULT_STATE_DIR))
    yield StateDir(Path())
    base = Path(DEFAULT_STATE_DIR).parent
    try:
        inside = sorted(path for path in base.iterdir() if path.is_dir())
    except OSError:
        return
    for path in (base, *inside):
        if path != Path(DEFAULT_STATE_DIR):
            yield StateDir(path)


def _age(folder: StateDir) -> float | None:
    """When the folder was last written to, None where it holds nothing of a run."""
    times = []
    for path in (folder.status, folder.control_state, folder.checkpoint):
        try:
            times.append(path.stat().st_mtime)
        except (OSError, ValueError):
            continue
    return max(times, default=None)

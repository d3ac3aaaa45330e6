"""Finding the run that a command means, where the person names no folder."""

from collections.abc import Iterator
from pathlib import Path

from tau.config.paths import DEFAULT_STATE_DIR, state_dir
from tau.errors import FileError
from tau.files.documents import read_document
from tau.files.lock import FileLock
from tau.lifecycle.paths import StateDir


def find_state_dir(*, chosen: str | None = None, store: str | None = None) -> StateDir:
    """The state dir that was chosen, that of the run on `store`, or the newest one around here.

    Around here are the current folder, `.tau` and the folders in it; a live run comes first.
    """
    if chosen is not None:
        return StateDir(Path(chosen))
    if store is not None:
        return _of_run_on(state_dir(store))
    used = [folder for folder in _around() if _age(folder) is not None]
    live = [folder for folder in used if FileLock(folder.run_lock).taken()]
    newest = max(live or used, key=lambda folder: _age(folder) or 0.0, default=None)
    return newest or StateDir(Path(DEFAULT_STATE_DIR))


def _of_run_on(beside: StateDir) -> StateDir:
    """Beside the store, unless its status names the folder in which its run is controlled."""
    try:
        named = (read_document(beside.status) or {}).get("state_dir")
    except FileError:
        return beside
    if not isinstance(named, str) or Path(named) == beside.root.absolute():
        return beside
    there = StateDir(Path(named))
    return there if _age(there) is not None else beside


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

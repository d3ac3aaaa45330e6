"""Where a run's files are; the one place that decides it, for every surface."""

from pathlib import Path

from tau.lifecycle.paths import StateDir

DEFAULT_STORE = ".tau/training/store.sqlite"
DEFAULT_STATE_DIR = ".tau/training"
DEFAULT_RBAC_POLICY = ".tau/security/rbac.json"


def store_folder(store: str) -> Path | None:
    """The folder of the store at `store` (a path or sqlite:// URL); None where it is no file."""
    scheme, separator, rest = store.partition("://")
    if separator and scheme.lower() != "sqlite":
        return None
    location = rest if separator else store
    return None if location in {"", ":memory:"} else Path(location).parent


def state_dir(store: str, chosen: Path | str | None = None) -> StateDir:
    """Where control files of a run on `store` live: `chosen`, else beside the store."""
    if chosen is not None:
        return StateDir(Path(chosen))
    return StateDir(store_folder(store) or Path(DEFAULT_STATE_DIR))


def status_files(store: str, chosen: Path | str | None = None) -> tuple[Path, ...]:
    """Every `status.json` of a run on `store`: beside the store, and in the state dir elsewhere."""
    beside = state_dir(store).status
    own = state_dir(store, chosen).status
    return (beside,) if own.absolute() == beside.absolute() else (beside, own)

"""The `status.json` of a run, wherever it is shown."""

from collections.abc import Mapping
from pathlib import Path

from tau.config.paths import state_dir, status_files, store_folder
from tau.domain.json import Json
from tau.ports.clock import SystemClock
from tau.ports.processes import SystemProcesses
from tau.stores.location import shown
from tau.trainer.status import StatusFile


def status_file(store: str, chosen: Path | None, origin: Mapping[str, Json]) -> StatusFile:
    """Of a run on `store` with the state dir that was `chosen`, started by this process.

    `origin` says how to start it again.
    """
    return StatusFile(
        status_files(store, chosen),
        store_path=shown(store),
        process=SystemProcesses().this(),
        clock=SystemClock(),
        more={
            "store_file": _absolute(store),
            "state_dir": str(state_dir(store, chosen).root.absolute()),
            "started_with": dict(origin) or None,
        },
    )


def _absolute(store: str) -> str | None:
    """The store's file from wherever one looks, None where it is no file."""
    folder = store_folder(store)
    return None if folder is None else str((folder / Path(store).name).absolute())

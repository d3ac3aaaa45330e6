"""Opening a store by its location."""

from typing import cast

from tau import plugins
from tau.errors import InputError
from tau.ports.store import Store


def scheme_of(location: str) -> str:
    """The plug-in that opens `location`: its URL scheme, or sqlite for a path."""
    scheme, separator, _ = location.partition("://")
    return scheme.lower() if separator else "sqlite"


def check_kept(location: str) -> None:
    """Raise InputError for a store that would be gone with the process: a run is to survive it."""
    if location.removeprefix("sqlite://") == ":memory:":
        raise InputError(
            "a run cannot be kept in ':memory:'",
            why="everything it paid for would be gone when the process ends, its report included",
            fix="name a file, e.g. --store .tau/training/store.sqlite",
        )


async def open_store(location: str, *, read_only: bool = False) -> Store:
    """Open the store at `location`, making it where it does not exist (not when `read_only`).

    Raises:
        PluginError: no backend for this kind of location.
        StoreError: it cannot be opened; says why and what to do.
    """
    if not location.strip():
        raise InputError("the store's location is empty", fix="name a file, e.g. .tau/store.sqlite")
    backend = plugins.load(plugins.STORES, scheme_of(location))
    path = location.removeprefix("sqlite://")
    return cast(Store, await backend.open(path, read_only=read_only))

"""Opening a store by its location."""

from typing import cast

from tau import plugins
from tau.errors import InputError
from tau.ports.store import Store


def scheme_of(location: str) -> str:
    """The plug-in that opens `location`: its URL scheme, or sqlite for a path."""
    scheme, separator, _ = location.partition("://")
    return scheme.lower() if separator else "sqlite"


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

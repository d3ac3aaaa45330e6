"""Names that stand for classes: entry points, for built-ins and third parties alike.

A module is imported only when its name is used, which also isolates optional dependencies.
"""

from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from tau.errors import PluginError

ALGORITHMS = "tau.algorithms"
EXECUTORS = "tau.executors"
GRADERS = "tau.graders"
MODELS = "tau.models"
STORES = "tau.stores"


@cache
def _table(group: str) -> dict[str, EntryPoint]:
    table: dict[str, EntryPoint] = {}
    for entry in entry_points(group=group):
        known = table.get(entry.name)
        built_in = entry.value.startswith("tau.")
        if known is None or built_in:  # a third party cannot replace a built-in by its name
            table[entry.name] = entry
    return table


def names(group: str) -> tuple[str, ...]:
    """Every name known in `group`, sorted; imports nothing."""
    return tuple(sorted(_table(group)))


def load(group: str, name: str) -> Any:  # noqa: ANN401  (the ports' plug-in protocols are its types)
    """The class that `name` stands for.

    Raises:
        PluginError: no such name (close ones are suggested), or its module cannot be imported.
    """
    what = group.removeprefix("tau.").removesuffix("s")
    entry = _table(group).get(name)
    if entry is None:
        close = get_close_matches(name, names(group), n=3, cutoff=0.6)
        known = ", ".join(close or names(group)) or "none are installed"
        fix = f"did you mean {known}?" if close else f"known: {known}"
        raise PluginError(f"unknown {what} '{name}'", fix=fix)
    try:
        return entry.load()
    except (ImportError, AttributeError) as error:
        raise PluginError(
            f"{what} '{name}' cannot be loaded",
            where=entry.value,
            why=str(error),
            fix="install the package or extra that provides it",
        ) from error

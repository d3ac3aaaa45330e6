"""The SQL of the store, by name, as it stands in the .sql files beside this module."""

import re
from importlib.resources import files

_NAME = re.compile(r"^-- name: (?P<name>[a-z_]+)$", re.M)
_PACKAGE = "tau.stores.sqlite"


def _load() -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for file in sorted(files(_PACKAGE).joinpath("sql").iterdir(), key=lambda f: f.name):
        _, *blocks = _NAME.split(file.read_text(encoding="utf-8"))
        for name, block in zip(blocks[::2], blocks[1::2], strict=True):
            if name in found:
                raise ValueError(f"two statements are named {name}")
            lines = block.strip().splitlines()
            about = " ".join(line[2:].strip() for line in lines if line.startswith("--"))
            text = "\n".join(line for line in lines if not line.startswith("--"))
            found[name] = (text.strip().removesuffix(";"), about)
    return found


_found = _load()

SQL: dict[str, str] = {name: text for name, (text, _) in _found.items()}
"""Statement texts by name."""

ABOUT: dict[str, str] = {name: about for name, (_, about) in _found.items()}
"""What each statement is for, in one line."""


def migrations() -> tuple[str, ...]:
    """The scripts that lead from an empty database to the current schema, in order."""
    folder = files(_PACKAGE).joinpath("migrations")
    return tuple(
        file.read_text(encoding="utf-8")
        for file in sorted(folder.iterdir(), key=lambda f: f.name)
        if file.name.endswith(".sql")
    )

"""The SQL of a store, by name, as it stands in the .sql files of its package."""

import re
from importlib.resources import files

_NAME = re.compile(r"^-- name: (?P<name>[a-z_]+)$", re.M)


def load(package: str) -> tuple[dict[str, str], dict[str, str]]:
    """The texts of the statements in the folder `sql` of `package`, and what each is for."""
    texts: dict[str, str] = {}
    about: dict[str, str] = {}
    for file in sorted(files(package).joinpath("sql").iterdir(), key=lambda f: f.name):
        _, *blocks = _NAME.split(file.read_text(encoding="utf-8"))
        for name, block in zip(blocks[::2], blocks[1::2], strict=True):
            if name in texts:
                raise ValueError(f"two statements are named {name}")
            lines = block.strip().splitlines()
            about[name] = " ".join(line[2:].strip() for line in lines if line.startswith("--"))
            text = "\n".join(line for line in lines if not line.startswith("--"))
            texts[name] = text.strip().removesuffix(";")
    return texts, about


def migrations(package: str) -> tuple[str, ...]:
    """The scripts that lead from an empty database to the current schema, in order."""
    folder = files(package).joinpath("migrations")
    return tuple(
        file.read_text(encoding="utf-8")
        for file in sorted(folder.iterdir(), key=lambda f: f.name)
        if file.name.endswith(".sql")
    )

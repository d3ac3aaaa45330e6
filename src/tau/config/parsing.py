"""Configuration files: found, read and parsed by their name's ending."""

from pathlib import Path
from typing import Any

from tau.config import json_text, toml_text, yaml_text
from tau.config.report import Issue, ParsedText
from tau.config.sources import MIB, decode, read_bytes

MAX_BYTES = 64 * MIB

_PARSERS = {
    ".json": json_text.parse,
    ".yaml": yaml_text.parse,
    ".yml": yaml_text.parse,
    ".toml": toml_text.parse,
}


def read(path: Path) -> str:
    """The text of the file.

    Raises:
        Unusable: what is wrong with the file.
    """
    fix = "put the rows into dataset files"
    return decode(read_bytes(path, limit=MAX_BYTES, fix=fix))


def parse(text: str, path: Path) -> ParsedText:
    """The document in `text`; a name with another ending than .yaml, .yml and .toml is JSON.

    Raises:
        Unusable: it cannot be parsed.
    """
    name = path.name.casefold().removesuffix(".gz")
    return _PARSERS.get(Path(name).suffix, json_text.parse)(text)


def without(value: Any, issues: tuple[Issue, ...]) -> Any:  # noqa: ANN401
    """`value` with null in the place of what is no JSON, so that the rest can still be checked."""
    for issue in issues:
        if issue.line is not None:
            continue  # found in the text, and the value is something else already
        if not issue.steps:
            return {}
        parent = value
        for step in issue.steps[:-1]:
            parent = parent[step]
            if parent is None:
                break
        if parent is not None:
            parent[issue.steps[-1]] = None
    return value

"""JSON documents on disk, read with every way of being unreadable told apart."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import orjson

from tau.domain.json import Json
from tau.errors import FileError

MAX_BYTES = 64 * 1024 * 1024


def read_bytes(path: Path, *, limit: int = MAX_BYTES) -> bytes | None:
    """The content of a regular file, None where there is none.

    Raises:
        FileError: not a regular file, not readable, or larger than `limit` bytes.
    """
    try:
        if not path.exists():
            return None
        if not path.is_file():
            raise FileError(f"cannot read '{path}'", why="it is not a regular file")
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise FileError(f"cannot read '{path}'", why=error.strerror or str(error)) from error
    if len(data) > limit:
        raise FileError(f"cannot read '{path}'", why=f"it is larger than {limit} bytes")
    return data


def read_document(
    path: Path, *, limit: int = MAX_BYTES, unique: bool = False
) -> Mapping[str, Json] | None:
    """The JSON object in `path`, None where there is no file.

    With `unique`, a key that an object has twice is an error: parsers forget all but the last.

    Raises:
        FileError: unreadable, empty, not JSON, or not an object.
    """
    data = read_bytes(path, limit=limit)
    if data is None:
        return None
    if not data.strip():
        raise FileError(f"cannot parse '{path}'", why="it is empty")
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise FileError(f"cannot parse '{path}'", why=f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise FileError(f"cannot parse '{path}'", why="expected a JSON object")
    if unique:
        _check_keys(path, data)
    return value


def _check_keys(path: Path, data: bytes) -> None:
    def checked(pairs: list[tuple[str, object]]) -> None:
        times = Counter(key for key, _ in pairs)
        if twice := [key for key, number in times.items() if number > 1]:
            raise FileError(f"cannot parse '{path}'", why=f"key '{twice[0]}' is given twice")

    try:
        json.loads(data, object_pairs_hook=checked)
    except RecursionError as error:
        raise FileError(f"cannot parse '{path}'", why="it is nested too deeply") from error


def dump_document(value: Mapping[str, Json]) -> bytes:
    """The text of a document: indented by 2, newline at the end."""
    try:
        return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # the name of a file that is not text, for which `?` must do
        return json.dumps(value, indent=2, ensure_ascii=False).encode("utf-8", "replace") + b"\n"

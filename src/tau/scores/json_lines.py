"""JSON lines and lists of JSON objects, whoever wrote them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import orjson

from tau.domain.visible import line
from tau.scores.sheet import Row, Sheet, unusable
from tau.scores.source import opened_text

_PEEKED = 1_000


def loads(text: str | bytes) -> Any:  # noqa: ANN401
    """A JSON value; NaN and Infinity, which Python writes, are taken as such.

    Raises:
        ValueError: not JSON.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            return json.loads(text)
        except RecursionError:
            raise ValueError("nested too deeply") from None


def lines_of(path: str) -> Iterator[Row]:
    """The objects of a JSONL file, a line at a time; blank lines are passed over.

    Raises:
        InputError: a line that is no JSON object.
    """
    with opened_text(path) as text:
        for number, data in enumerate(text, 1):
            if data.isspace():
                continue
            try:
                row = orjson.loads(data)
            except orjson.JSONDecodeError:
                row = _second_try(path, number, data)
            if not isinstance(row, dict):
                raise unusable(f"{path}:{number}", "a line must hold one JSON object")
            yield row


def _second_try(path: str, number: int, data: str) -> Any:  # noqa: ANN401
    try:
        return loads(data)
    except ValueError as error:
        raise unusable(f"{path}:{number}", "not JSON", fix=line(str(error))) from None


def read_lines(path: str) -> Sheet:
    """The sheet of a JSONL file; its columns are those of its first rows.

    Raises:
        InputError: no rows, or one that cannot be read.
    """
    return _sheet(path, "jsonl", list(islice(lines_of(path), _PEEKED)), lambda: lines_of(path))


def records(path: str, rows: Sequence[Any], form: str = "json") -> Sheet:
    """The sheet of a list of objects that is in memory.

    Raises:
        InputError: no rows, or an item that is no object.
    """
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise unusable(f"{path} /{number}", "each item of the list must be an object")
    return _sheet(path, form, rows[:_PEEKED], lambda: iter(rows))


def _sheet(path: str, form: str, first: Sequence[Row], rows: Any) -> Sheet:  # noqa: ANN401
    if not first:
        raise unusable(path, "the file has no rows")
    return Sheet(
        where=path,
        form=form,
        rows=rows,
        columns=tuple(dict.fromkeys(name for row in first for name in row)),
    )

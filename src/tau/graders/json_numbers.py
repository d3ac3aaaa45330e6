"""JSON text as values whose numbers are those that were written, however long they are."""

import json
import re
from decimal import Decimal
from typing import Any

import orjson

from tau.domain.json import Json

_DIGITS = 4000
"""Longer numbers are refused; Python reads integers of up to 4,300 digits."""

_LONG = re.compile(r'"(?:[^"\\]|\\.)*+"|-?\d[\d.]{14,}+(?:[eE][-+]?\d+)?', re.DOTALL)
_ANY_LONG = re.compile(r"\d[\d.]{14}")


def parsed(text: str) -> Json:
    """The strict JSON document `text`.

    A number that a float or 64 bits cannot hold is an `int` or `Decimal` of all its digits.

    Raises:
        ValueError: it is none, or a number in it is too long.
    """
    if _ANY_LONG.search(text) is None:
        return orjson.loads(text)  # type: ignore[no-any-return]
    # orjson is stricter than json about texts: it judges the document with short numbers in it.
    orjson.loads(_LONG.sub(_short, text))
    try:
        value: Any = json.loads(text, parse_int=_integer, parse_float=_real, parse_constant=_none)
    except RecursionError as error:
        raise ValueError("it is nested too deeply for its long numbers") from error
    return value  # type: ignore[no-any-return]


def text_of(value: Json) -> str:
    """A value as JSON, with numbers of any length.

    Raises:
        ValueError, TypeError, RecursionError: it cannot be shown.
    """
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return json.dumps(value, ensure_ascii=False, default=_shown, separators=(",", ":"))


def _short(match: re.Match[str]) -> str:
    return match[0] if match[0].startswith('"') else "0"


def _integer(digits: str) -> int:
    if len(digits) > _DIGITS:
        raise ValueError(f"a number of {len(digits)} digits is too long to compare")
    return int(digits)


def _real(digits: str) -> float | Decimal:
    if len(digits) > _DIGITS:
        raise ValueError(f"a number of {len(digits)} characters is too long to compare")
    near = float(digits)
    if near in {float("inf"), float("-inf")}:
        raise ValueError("a number is too large")
    value = Decimal(digits)
    return near if Decimal(repr(near)) == value else value


def _none(name: str) -> Json:
    raise ValueError(f"{name} is not JSON")


def _shown(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{type(value).__name__} is not JSON")

"""What JSON can hold, whichever syntax a value was written in."""

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

from tau.config.report import Issue, JsonPath

MAX_DEPTH = 100
"""Levels of lists and objects inside each other; far from what would exhaust a stack."""

_LEAST, _MOST = -(2**63), 2**64 - 1
_WAY: TypeAlias = tuple["_WAY", str | int] | None


def issues(value: Any) -> list[Issue]:  # noqa: ANN401  (any parser's result)
    """Everything in `value` that is no JSON, or more than 64 bits or `MAX_DEPTH` can hold."""
    found: list[Issue] = []
    stack: list[tuple[Any, _WAY, int]] = [(value, None, 0)]
    while stack:
        item, way, depth = stack.pop()
        if isinstance(item, dict | list):
            if depth >= MAX_DEPTH:
                found.append(Issue(steps=_steps(way), message=TOO_DEEP))
                continue
            if isinstance(item, dict):
                found.extend(_bad_keys(item, way))
                stack.extend((child, (way, key), depth + 1) for key, child in item.items())
            else:
                stack.extend((child, (way, index), depth + 1) for index, child in enumerate(item))
        else:
            wrong = _wrong(item)
            if wrong:
                found.append(Issue(steps=_steps(way), message=wrong[0], fix=wrong[1]))
    return found


TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"


def describe(value: Any) -> str:  # noqa: ANN401
    """The kind of a JSON value for people; never its content."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    for kind, name in (
        (int, "a whole number"),
        (float, "a number with a decimal point"),
        (str, "text"),
        (Mapping, "an object"),
        ((list, tuple), "a list"),
    ):
        if isinstance(value, kind):
            return name
    return type(value).__name__


def _wrong(item: Any) -> tuple[str, str | None] | None:  # noqa: ANN401
    if isinstance(item, str):
        return None if item.isascii() or _encodable(item) else (_SURROGATE, None)
    if item is None or isinstance(item, bool):
        return None
    if isinstance(item, int):
        return None if _LEAST <= item <= _MOST else ("whole number beyond 64 bits", _AS_TEXT)
    if isinstance(item, float):
        if math.isfinite(item):
            return None
        return "not a number that JSON can hold (infinite or NaN)", _FINITE
    return f"{type(item).__name__} values are not JSON", _AS_TEXT


def _bad_keys(item: dict[str, Any], way: _WAY) -> list[Issue]:
    return [
        Issue(steps=_steps(way), message=f"key with a {_SURROGATE}")
        for key in item
        if not key.isascii() and not _encodable(key)
    ]


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _steps(way: _WAY) -> JsonPath:
    steps: list[str | int] = []
    while way is not None:
        way, step = way
        steps.append(step)
    return tuple(reversed(steps))


_SURROGATE = "lone surrogate, which is no character"
_FINITE = "write a finite number, or put it in quotes to make it text"
_AS_TEXT = "put it in quotes to make it text"

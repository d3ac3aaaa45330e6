"""What an answer in JSON chooses: the value under the name of an answer, wherever it stands."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

_FENCED = re.compile(
    r"^[ \t]*(`{3,}|~{3,})[ \t]*(?:json\w*)?[ \t]*\n(.*?)\n?^[ \t]*\1[ \t]*$", re.M | re.S
)
_NAMES = re.compile(
    r"(?:(?:the|final|my|correct|predicted|selected|chosen|model|best)_?)*"
    r"(?:answer|ans|label|choice|option|selection|prediction|class|classification|category|sentiment"
    r"|verdict|decision|result|response|output|value|pick|rating|score|intent|topic|stance|priority"
    r"|relation|relationship|emotion|grade)(?:_?(?:label|letter|option|choice|answer|id|class))?",
    re.IGNORECASE,
)
_DEEPEST = 6
_LONGEST = 20_000


def stated(text: str, known: Callable[[str], bool]) -> str | bool | None:
    """The one value that a text in JSON, or one that ends in it, gives as its answer.

    False where there is no JSON; None where it holds no answer, a list, or several. Values that are
    `known` as labels come before others, such as a number beside them.
    """
    for candidate in _candidates(text.strip()):
        try:
            value = json.loads(candidate, object_pairs_hook=_distinct)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            return _answer(value, known)
        if isinstance(value, list):
            return None
    return False


def _candidates(text: str) -> Iterator[str]:
    if len(text) > _LONGEST:
        text = text[-_LONGEST:]
    if text[:1] in ("{", "[") and text[-1:] in ("}", "]"):
        yield text
    blocks = list(_FENCED.finditer(text))
    if blocks and not text[blocks[-1].end() :].strip() and blocks[-1][2].strip()[:1] in ("{", "["):
        yield blocks[-1][2]
    if text.endswith("}"):
        start = max(text.rfind("\n{"), text.rfind(" {"))
        if start >= 0:
            yield text[start:]


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a name twice")
    return dict(pairs)


def _answer(value: dict[str, Any], known: Callable[[str], bool]) -> str | None:
    named = list(_named(value, 0))
    if not named:
        scalars = [one for one in value.values() if isinstance(one, str | bool)]
        named = scalars if len(scalars) == len(value) == 1 else [None]
    if None in named:
        return None
    texts = [one if isinstance(one, str) else json.dumps(one) for one in named]
    labels = dict.fromkeys(text.strip() for text in texts if known(text)) or dict.fromkeys(texts)
    return next(iter(labels)) if len(labels) == 1 else None


def _named(value: dict[str, Any], depth: int) -> Iterator[Any]:
    """The values under the names of answers; objects are looked into, lists are several."""
    for name, one in value.items():
        if isinstance(one, dict):
            if depth < _DEEPEST:
                yield from _named(one, depth + 1)
        elif _NAMES.fullmatch(name):
            yield None if isinstance(one, list) else one

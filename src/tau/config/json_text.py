"""JSON: parsed strictly, duplicate keys found, lines looked up only when something is wrong."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from tau.config.report import Issue, JsonPath, ParsedText, ParseError
from tau.config.values import TOO_DEEP, issues

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],]|[^\s{}\[\],:"]+')
_BEYOND = 2**64


def parse(text: str) -> ParsedText:
    """The document in `text`.

    Raises:
        Unusable: it is not JSON.
    """
    value, found = JsonReader().parse(text)
    return ParsedText(value=value, issues=tuple(found), locate=lambda wanted: _lines(text, wanted))


class JsonReader:
    """Parses JSON texts; make one for many lines."""

    def __init__(self) -> None:
        """A decoder that notices what the standard one lets pass."""
        self._duplicates = False
        self._decoder = json.JSONDecoder(object_pairs_hook=self._object, parse_int=_integer)

    def parse(self, text: str, *, first_line: int = 1) -> tuple[Any, list[Issue]]:
        """The value of `text` and what is wrong with parts of it; `text` begins in `first_line`.

        Raises:
            Unusable: it is not JSON.
        """
        self._duplicates = False
        try:
            value = self._decoder.decode(text)
        except json.JSONDecodeError as error:
            raise ParseError(
                f"not JSON: {_reason(error)} at column {error.colno}",
                line=error.lineno + first_line - 1,
            ) from None
        except RecursionError:
            raise ParseError(TOO_DEEP, line=first_line) from None
        found = issues(value)
        if self._duplicates:
            found.extend(_duplicate_keys(text, first_line - 1))
        return value, found

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            self._duplicates = True
        return made


def _lines(text: str, wanted: Collection[JsonPath]) -> Mapping[JsonPath, int]:
    """The lines of those `wanted` values that are in `text`, which must be JSON."""
    return {steps: line for steps, line, _ in _positions(text) if steps in wanted}


def _integer(digits: str) -> int:
    # Converting thousands of digits takes long, and Python refuses; the range check names it.
    return int(digits) if len(digits) <= 20 else _BEYOND


def _reason(error: json.JSONDecodeError) -> str:
    if not error.doc.strip():
        return "it is empty"
    if error.msg == "Extra data":
        return "something follows the end of the value"
    return error.msg[:1].lower() + error.msg[1:]


def _duplicate_keys(text: str, before: int) -> list[Issue]:
    return [
        Issue(
            steps=steps,
            message=f"key '{steps[-1]}' is given twice, on lines {first + before} and "
            f"{line + before}",
            fix="keep one of them",
            line=line + before,
        )
        for steps, line, first in _positions(text)
        if first is not None
    ]


def _positions(text: str) -> Iterator[tuple[JsonPath, int, int | None]]:
    """(steps, line, line of an earlier equal key) of every value, in text order.

    A value with a key has the line of its key. `text` must be JSON.
    """
    steps: list[str | int] = []
    seen: list[dict[str, int] | None] = []  # per open object its keys, None for a list
    key_next = False
    line, counted = 1, 0
    for match in _TOKEN.finditer(text):
        token = match.group()
        line += text.count("\n", counted, match.start())
        counted = match.start()
        if token in "}]":
            steps.pop()
            seen.pop()
            key_next = False
        elif token == ",":
            keys = seen[-1]
            key_next = keys is not None
            if keys is None:
                steps[-1] = int(steps[-1]) + 1
        elif key_next and (keys := seen[-1]) is not None:
            key = json.loads(token)
            steps[-1] = key
            yield tuple(steps), line, keys.get(key)
            keys.setdefault(key, line)
            key_next = False
        else:
            if not seen or seen[-1] is None:
                yield tuple(steps), line, None
            if token in "{[":
                key_next = token == "{"
                steps.append("" if key_next else 0)
                seen.append({} if key_next else None)

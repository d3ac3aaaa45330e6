"""The JSON document in an output, and paths into it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

import orjson

from tau.domain.json import Json
from tau.domain.rollout import Output
from tau.graders.excerpt import excerpt

Fence = Literal["allow", "require", "forbid"]
"""Whether the document may, must or must not stand in a fenced ``` block."""

_OPENING = re.compile(r"\s{0,3}(`{3,}|~{3,})\s*(\w*)\s*\Z")


class NoDocument(Exception):
    """The output holds no such document; the message says why, for the proposer."""


class Absent(Exception):
    """A path leads nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """A place in a document: `a.b.0`, or a JSON pointer (RFC 6901) `/a/b/0`."""

    text: str
    steps: tuple[str, ...]


def document(output: Output, fence: Fence) -> Json:
    """The output's structured value if there is one, else the JSON its text holds.

    Strict JSON: no NaN, no comments, no trailing text. With `allow`, text around one fenced block
    is let be, as chat models write it.

    Raises:
        NoDocument: there is none, or more than one.
    """
    if output.value is not None:
        return output.value
    text = output.text.strip()
    if not text:
        raise NoDocument("the output is empty")
    blocks = [] if fence == "forbid" else _blocks(text)
    if fence == "allow" and not blocks:
        return _parsed(text)
    if fence == "forbid":
        return _parsed(text)
    if len(blocks) != 1:
        found = f"{len(blocks)} of them" if blocks else "none"
        raise NoDocument(f"expected one fenced ```json block, found {found}")
    return _parsed(blocks[0])


def parsed_text(text: str) -> Json:
    """The strict JSON document `text`.

    Raises:
        NoDocument: it is none.
    """
    return _parsed(text.strip())


def path(text: str) -> Path:
    """A path as it is written in settings."""
    if not text.startswith("/"):
        return Path(text=text, steps=tuple(text.split(".")))
    steps = (step.replace("~1", "/").replace("~0", "~") for step in text[1:].split("/"))
    return Path(text=text, steps=tuple(steps))


def at(value: Json, place: Path) -> Json:
    """What is at `place`; numbers are positions in lists.

    Raises:
        Absent: nothing is.
    """
    for step in place.steps:
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        elif isinstance(value, list | tuple) and _position(step) in range(len(value)):
            value = value[_position(step)]
        else:
            raise Absent(place.text)
    return value


def shown(value: Json, limit: int = 120) -> str:
    """A value as JSON for a sentence."""
    try:
        return excerpt(orjson.dumps(value).decode(), limit)[1:-1]
    except TypeError:  # too deep, or a lone surrogate in structured output
        return f"a {type(value).__name__}"


def _position(step: str) -> int:
    return int(step) if step.isascii() and step.isdigit() and len(step) < 10 else -1


def _parsed(text: str) -> Json:
    try:
        return cast("Json", orjson.loads(text))
    except orjson.JSONDecodeError as error:
        raise NoDocument(f"not JSON ({error}): {excerpt(text)}") from error


def _blocks(text: str) -> list[str]:
    """Contents of the fenced blocks that say `json` or nothing."""
    blocks: list[str] = []
    mark = ""
    wanted = False
    lines: list[str] = []
    for line in text.split("\n"):
        if not mark:
            opening = _OPENING.match(line)
            if opening:
                mark, lines = opening[1], []
                wanted = opening[2].lower() in {"", "json", "jsonc", "json5"}
        elif line.strip().startswith(mark) and not line.strip().strip(mark[0]):
            if wanted:
                blocks.append("\n".join(lines))
            mark = ""
        else:
            lines.append(line)
    return blocks

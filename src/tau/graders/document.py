"""The JSON document in an output, and paths into it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tau.domain.json import Json
from tau.domain.rollout import Output
from tau.graders import json_numbers
from tau.graders.comparable import trimmed
from tau.graders.excerpt import excerpt

Fence = Literal["allow", "require", "forbid"]
"""Whether the document may, must or must not stand in a fenced ``` block."""

_OPENING = re.compile(
    r"(?P<quote>\s*>)?\s*(?:(?:[-*+]|\d{1,9}[.)])\s+)?(?P<mark>`{3,}|~{3,})"
    r"[ \t]*(?P<language>[\w+.-]*)(?P<rest>.*)",
    re.DOTALL,
)
_INLINE = re.compile(
    r"(?<!`)(`{3,})(?:json[c5]?\b)?[ \t]*(?=[^\s`])((?:\"(?:[^\"\\\n]|\\.)*+\"|[^\n`\"])++)\1(?!`)"
)
_LANGUAGES = frozenset({"", "json", "jsonc", "json5"})


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

    Strict JSON: no NaN, no comments, no trailing text; integers and decimals keep all their digits.
    With `allow`, text around one fenced block is let be, as chat models write it; the block may
    stand on one line, in a list or a quotation, and a block that was cut is no document.

    Raises:
        NoDocument: there is none, or more than one.
    """
    if output.value is not None:
        return output.value
    text = trimmed(output.text)
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
    return _parsed(trimmed(text))


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
        return excerpt(json_numbers.text_of(value), limit)[1:-1]
    except (
        TypeError,
        ValueError,
        RecursionError,
    ):  # too deep, or a lone surrogate in structured output
        return f"a {type(value).__name__}"


def _position(step: str) -> int:
    return int(step) if step.isascii() and step.isdigit() and len(step) < 10 else -1


def _parsed(text: str) -> Json:
    try:
        return json_numbers.parsed(text)
    except ValueError as error:
        raise NoDocument(f"not JSON ({error}): {excerpt(text)}") from error


@dataclass(slots=True, kw_only=True)
class _Block:
    """A fenced block while it is read."""

    mark: str
    wanted: bool
    quoted: bool
    lines: list[str]

    def closes(self, line: str) -> bool:
        """Whether the block ends on this line; what stands before the end is taken in."""
        line = line.rstrip()
        if self.quoted:
            line = line.lstrip().removeprefix(">")
        bare = line.strip()
        if bare.startswith(self.mark) and not bare.strip(self.mark[0]):
            return True
        # No line of a JSON text ends so: a string with these characters still has its quote behind.
        if self.wanted and bare.endswith(self.mark):
            self.lines.append(bare.rstrip(self.mark[0]))
            return True
        self.lines.append(line)
        return False


def _blocks(text: str) -> list[str]:
    """Contents of the fenced blocks that say `json` or nothing.

    Raises:
        NoDocument: one of them is not closed.
    """
    blocks: list[str] = []
    block: _Block | None = None
    for line in text.split("\n"):
        if block is None:
            block, closed = _opened(line)
        else:
            closed = block.closes(line)
        if block is not None and closed:
            blocks += [trimmed("\n".join(block.lines))] if block.wanted else []
            block = None
    if block is not None and block.wanted:
        raise NoDocument(f"the fenced block is not closed, it may be cut: {excerpt(text)}")
    return blocks or [match[2] for match in _INLINE.finditer(text)]


def _opened(line: str) -> tuple[_Block | None, bool]:
    """The block that begins on this line, and whether it ends there too."""
    opening = _OPENING.fullmatch(line.rstrip())
    if opening is None:
        return None, False
    mark, rest = opening["mark"], opening["rest"].strip()
    content = rest[:1] in {"{", "[", '"'} and not opening["language"].strip("json5c")
    if mark[0] in rest and not content:
        return None, False
    block = _Block(
        mark=mark,
        wanted=opening["language"].lower() in _LANGUAGES,
        quoted=opening["quote"] is not None,
        lines=[],
    )
    return block, content and block.closes(rest)

"""Which prompts a request carried, found by their text: no program need say so."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from tau.domain.chat import ModelRequest
from tau.domain.json import Json
from tau.domain.resources import Resources

PROMPTS: Final = "tau.prompts"
"""The attribute of a span that names them."""

_PLACEHOLDER = re.compile(r"\{+[ \t]*[A-Za-z_]\w*[ \t]*\}+")
_LEAST_CHARS = 12
"""Of a prompt's own words: fewer occur by chance. A whole message may be shorter."""
_MOST_CHARS = 2_000_000
_DEPTH = 8


class PromptTexts:
    """The texts of one set of resources, by what stands between their placeholders."""

    def __init__(self, resources: Resources) -> None:
        """Takes them apart once."""
        self._literals = {
            name: literals
            for name, value in resources.values.items()
            if (literals := tuple(_literals(value)))
        }

    def governing(self, request: ModelRequest) -> tuple[str, ...]:
        """The names of those at work, in the order of the resources.

        All literal parts of a prompt must stand in the request, in their order. One that is only
        there as a part of another is not named.
        """
        if not self._literals:
            return ()
        texts = [_plain(message.content) for message in request.messages]
        texts += map(_plain, _leaves(request.params.get("tools"), 0))
        whole = "\n".join(texts)[:_MOST_CHARS]
        found = [name for name, parts in self._literals.items() if _stands_in(parts, whole, texts)]
        return tuple(name for name in found if not self._only_within(name, found, whole))

    def _only_within(self, name: str, found: Sequence[str], whole: str) -> bool:
        """Whether it stands nowhere but where a longer one found stands."""
        mine = max(self._literals[name], key=len)
        for other in found:
            theirs = self._literals[other]
            held = sum(part.count(mine) for part in theirs)
            if held and sum(map(len, theirs)) > sum(map(len, self._literals[name])):
                times = min(whole.count(part) for part in theirs if mine in part)
                if whole.count(mine) <= held * times:
                    return True
        return False


def _literals(value: Json) -> Iterator[str]:
    for text in _leaves(value, 0):
        for part in _PLACEHOLDER.split(text):
            if plain := _plain(part):
                yield plain


def _leaves(value: Json, depth: int) -> Iterator[str]:
    """The texts in a value; of messages their content."""
    if isinstance(value, str):
        yield value
    elif depth < _DEPTH and isinstance(value, Mapping):
        inner = [value["content"]] if "role" in value and "content" in value else value.values()
        for each in inner:
            yield from _leaves(each, depth + 1)
    elif depth < _DEPTH and isinstance(value, Sequence):
        for each in value:
            yield from _leaves(each, depth + 1)


def _plain(text: str) -> str:
    """`text` however it is wrapped and indented."""
    return " ".join(text.split())


def _stands_in(parts: Sequence[str], whole: str, texts: Sequence[str]) -> bool:
    if sum(map(len, parts)) < _LEAST_CHARS:
        return len(parts) == 1 and parts[0] in texts
    at = 0
    for part in parts:
        at = whole.find(part, at)
        if at < 0:
            return False
        at += len(part)
    return True

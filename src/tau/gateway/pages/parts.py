"""A page as parts that can be sent each by itself: what has changed goes out, nothing else."""

import re
from collections.abc import Mapping

import orjson

from tau.gateway.stream import Parts, event

SKELETON = "page"
# None of them holds another of its own tag, which is why the next end is its own.
_PART = re.compile(
    r'<(header|nav|section|div|p|h1)(?= class="(?:top|sections|panel|card|facts-line|note|empty)'
    r'[ "])(.*?</\1>)',
    re.DOTALL,
)


def split(text: str) -> dict[str, str]:
    """The parts of a page's text by name; what is around them is `SKELETON`."""
    found: dict[str, str] = {}

    def taken(match: re.Match[str]) -> str:
        name = f"part-{len(found)}"
        found[name] = f'<{match[1]} data-part="{name}"{match[2]}'
        return f'<i data-hole="{name}"></i>'

    return {SKELETON: _PART.sub(taken, text), **found}


def whole(parts: Mapping[str, str]) -> str:
    """The text again, its parts with their names."""
    return re.sub('<i data-hole="(.*?)"></i>', lambda match: parts[match[1]], parts[SKELETON])


def encode(number: int, changed: Parts, everything: bool) -> bytes:
    """An event with what changed. With another skeleton a page has to be taken as a whole."""
    found = {name: text.decode() for name, text in changed.items()}
    return event(None, orjson.dumps(found), identity=f"page-{number}")

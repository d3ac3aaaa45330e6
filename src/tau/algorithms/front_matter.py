"""The front matter of a SKILL.md: what a new version of it has to keep.

Only the description may be rewritten: the name is how the skill is found, and programs read the
other fields.
"""

import re
from collections.abc import Mapping
from typing import Any

import yaml

_HEAD = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)^---[ \t]*(?:\r?\n|\Z)", re.S | re.M)
_FREE = "description"
_MOST_DESCRIPTION = 1024
SKILL_FILE = "SKILL.md"


def broken_front_matter(before: str, after: str) -> str | None:
    """Why `after` cannot take the place of `before`, None where it can."""
    old, new = _HEAD.match(before), _HEAD.match(after)
    if old is None:
        return None if new is None else "it has front matter, and the text had none"
    if new is None:
        return "its front matter between two lines '---' is missing at the top"
    known = _fields(old[1])
    if known is None:  # programs that are less strict than YAML read it: left as it is
        return None if old[1] == new[1] else "its front matter must stay exactly as it is"
    fields = _fields(new[1])
    if fields is None:
        return "its front matter is not YAML with a field on each line; quote texts with a colon"
    if list(fields) != list(known):
        return f"its front matter must have exactly these fields: {', '.join(map(str, known))}"
    for name, value in known.items():
        if name != _FREE and fields[name] != value:
            return f"the field '{name}' of its front matter must stay as it is"
    return _wrong_description(fields.get(_FREE, "-"), len(str(known.get(_FREE, ""))))


def _wrong_description(value: object, length: int) -> str | None:
    """Of a description whose former one has `length` characters: in real skills, also too many."""
    if not isinstance(value, str) or not value.strip():
        return "the field 'description' of its front matter is no text"
    most = max(_MOST_DESCRIPTION, length)
    if len(value) > most:
        return f"its description has {len(value)} characters, and {most} are allowed"
    return None


def _fields(text: str) -> Mapping[Any, Any] | None:
    try:
        found = yaml.load(text, Loader=yaml.BaseLoader)  # makes texts only
    except (yaml.YAMLError, RecursionError):
        return None
    return found if isinstance(found, dict) else None

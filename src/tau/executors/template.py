"""Texts with `{placeholders}`, filled from the fields of an example."""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from tau.domain.json import Json, canonical
from tau.domain.placeholders import PLACEHOLDER, placeholders
from tau.errors import ExampleInvalid, InputError


def fill(text: str, fields: Mapping[str, Json]) -> str:
    """`text` with each `{name}` replaced, in one pass, and each `{{name}}` as `{name}`.

    A value that is no string appears as JSON, null as nothing.

    Raises:
        ExampleInvalid: a name that `fields` lacks.
    """
    if "{" not in text:
        return text

    def replacement(match: re.Match[str]) -> str:
        if match["literal"]:
            return f"{{{match['literal']}}}"
        name = match["name"]
        if name not in fields:
            raise ExampleInvalid(
                f"the example has no field '{name}', which the prompt asks for",
                fix=_advice(name, fields),
            )
        value = fields[name]
        if value is None:
            return ""
        return value if isinstance(value, str) else canonical(value).decode()

    return PLACEHOLDER.sub(replacement, text)


def check(text: str, known: Iterable[str], *, where: str) -> None:
    """Refuse names that no example can fill.

    Raises:
        InputError: an unknown name, with close ones.
    """
    fields = tuple(known)
    for name in placeholders(text):
        if name not in fields:
            raise InputError(
                f"unknown placeholder '{{{name}}}'", where=where, fix=_advice(name, fields)
            )


def _advice(name: str, known: Iterable[str]) -> str:
    fields = tuple(known)
    close = get_close_matches(name, fields, n=1, cutoff=0.6)
    if close:
        meant = f"did you mean '{{{close[0]}}}'?"
    else:
        meant = f"the example has {', '.join(fields) or 'no fields'}."
    return f"{meant} To mean the braces themselves, write '{{{{{name}}}}}'"

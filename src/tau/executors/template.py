"""Texts with placeholders, filled from the fields of an example."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from tau.domain.json import Json, canonical
from tau.domain.placeholders import Template, filled, placeholders
from tau.errors import ExampleInvalid, InputError


def fill(text: str, fields: Mapping[str, Json], template: Template = Template.PYTHON) -> str:
    """`text` with each placeholder replaced, in one pass, and doubled braces as text.

    A value that is no string appears as JSON, null as nothing.

    Raises:
        ExampleInvalid: a name that `fields` lacks.
    """
    if "{" not in text:
        return text

    def value_of(name: str) -> str:
        if name not in fields:
            raise ExampleInvalid(
                f"the example has no field '{name}', which the prompt asks for",
                fix=_advice(name, fields, template),
            )
        value = fields[name]
        if value is None:
            return ""
        return value if isinstance(value, str) else canonical(value).decode()

    return filled(text, value_of, template)


def check(
    text: str, known: Iterable[str], *, where: str, template: Template = Template.PYTHON
) -> None:
    """Refuse names that no example can fill.

    Raises:
        InputError: an unknown name, with close ones.
    """
    fields = tuple(known)
    for name in placeholders(text, template):
        if name not in fields:
            raise InputError(
                f"unknown placeholder '{template.written(name)}'",
                where=where,
                fix=_advice(name, fields, template),
            )


def _advice(name: str, known: Iterable[str], template: Template) -> str:
    fields = tuple(known)
    close = get_close_matches(name, fields, n=1, cutoff=0.6)
    if close:
        meant = f"did you mean '{template.written(close[0])}'?"
    else:
        meant = f"the example has {', '.join(fields) or 'no fields'}."
    advice = f"{meant} To mean the braces themselves, write '{template.literal(name)}'"
    if template is Template.PYTHON:
        advice += ", or set 'template: mustache', where '{{name}}' alone is a placeholder"
    return advice

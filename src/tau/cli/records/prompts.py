"""Reading a prompt out of the store, with the rules by which an application has to fill it."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tau.cli.records.naming import chosen_version, prompt_name
from tau.cli.records.reading import print_json, read
from tau.cli.surface import Exit
from tau.cli.text import line
from tau.domain.json import Json
from tau.domain.placeholders import Template, doubled, placeholders
from tau.domain.resources import ResourcesVersion
from tau.errors import ExampleInvalid, InputError, UsageError
from tau.executors.template import fill
from tau.ports.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rules:
    """What an application has to do with a prompt. `doubled`: braces in it are written twice."""

    template: Template
    placeholders: tuple[str, ...]
    doubled: bool

    @property
    def text(self) -> str | None:
        """One line for people, None where the text is to be used as it is."""
        parts = []
        if self.placeholders:
            names = ", ".join(self.template.written(name) for name in self.placeholders)
            parts.append(f"fill {names}")
        if self.doubled:
            literal = self.template.literal("x")
            parts.append(f"halve the braces of the kind '{literal}', which are text")
        if not parts:
            return None
        return f"template '{self.template}': {' and '.join(parts)}"


def get_prompt(store: str, text: str, *, row: str | None, as_json: bool) -> int:
    """Write exactly the text of a prompt, nothing before or after it; chat messages as JSON.

    With `row`, an object of columns as JSON, what the model is sent for it.

    Raises:
        InputError: there is no such prompt, or the row lacks a column.
    """
    name, version = prompt_name(text)
    fields = None if row is None else _fields(row)

    async def query(opened: Store) -> tuple[ResourcesVersion, Template]:
        found = await chosen_version(opened, name, version)
        return found, await _template(opened, found)

    found, template = read(store, query)
    values = found.resources.values
    if name not in values:
        raise InputError(
            f"{found.id} has no '{name}'", fix=f"it has: {', '.join(values) or 'nothing'}"
        )
    value = values[name]
    rules = _rules(value, template)
    if fields is not None:
        try:
            value = _filled(value, fields, template)
        except ExampleInvalid as error:
            raise InputError(error.what, where="--filled", fix=error.fix) from None
    if as_json:
        print_json(
            {
                "name": name,
                "version": found.id,
                "resources_hash": found.resources.hash,
                "value": value,
                "template": template.value,
                "placeholders": list(rules.placeholders),
                "doubled_braces": rules.doubled,
            }
        )
        return Exit.OK
    if isinstance(value, str):
        sys.stdout.buffer.write(value.encode("utf-8", "replace"))
    else:
        print_json(value)
    if fields is None and rules.text:
        sys.stdout.flush()
        sys.stderr.write(f"{line(rules.text)} (--filled ROW shows it)\n")
    return Exit.OK


async def _template(opened: Store, version: ResourcesVersion) -> Template:
    """How the run that published it asks for columns."""
    if version.run_id is None:
        return Template.PYTHON
    run = await opened.runs.get(version.run_id)
    return Template(str(run.config.get("template") or Template.PYTHON.value))


def _fields(row: str) -> Mapping[str, Json]:
    try:
        value = json.loads(row)
    except ValueError as error:
        raise UsageError(
            "the row is not JSON", why=str(error), fix='write --filled \'{"column": "value"}\''
        ) from None
    if not isinstance(value, dict):
        raise UsageError("the row is no object", fix='write --filled \'{"column": "value"}\'')
    return value


def _texts(value: Any) -> list[str]:  # noqa: ANN401  (JSON)
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return _texts(value.get("content"))
    return [text for each in value for text in _texts(each)] if isinstance(value, list) else []


def _rules(value: Json, template: Template) -> _Rules:
    texts = _texts(value)
    asked = (name for text in texts for name in placeholders(text, template))
    return _Rules(
        template=template,
        placeholders=tuple(dict.fromkeys(asked)),
        doubled=any(doubled(text, template) for text in texts),
    )


def _filled(value: Json, fields: Mapping[str, Json], template: Template) -> Json:
    if isinstance(value, str):
        return fill(value, fields, template)
    if isinstance(value, Mapping):
        content = value.get("content")
        return {**value, "content": _filled(content, fields, template)} if content else value
    if isinstance(value, Sequence):
        return [_filled(each, fields, template) for each in value]
    return value

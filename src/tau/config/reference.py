"""The reference page of the configuration, made from its schema.

`python -m tau.config.reference > docs/reference/config.md`
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from tau.config.json_schema import schema

_HEAD = """\
# Configuration

<!-- Made by `python -m tau.config.reference`; a test holds it current. -->

One object in JSON, YAML (`.yaml`, `.yml`) or TOML (`.toml`); a file with any other ending is read
as JSON. `tau check FILE` reports every mistake at once, with file, line and JSON pointer, and
`tau schema config` prints the JSON Schema.

- Every field may be left out; `null` is the same as leaving it out. At least one of `optimize` and
  `validate` needs rows.
- Unknown fields are warnings with a suggestion, and errors with `strict`. Unknown settings of a
  plug-in are always errors.
- Values are never converted: `true` is no number, `"2"` is none, and `2.0` is no whole number.
- Keys of objects must differ. Numbers must be finite, whole numbers fit into 64 bits, and nothing
  is nested deeper than 100 levels.
- YAML is read as JSON with less punctuation: only `true` and `false` are booleans, so that `no`,
  `on`, `2024-01-01`, `12:30` and `0123` are texts. Anchors work; merge keys and tags do not.
- Files must be UTF-8, or begin with a byte order mark, and be regular files; `.gz` is unpacked.
- Relative paths are relative to the configuration's folder.
- Keys of providers are read from the environment and never from this file. Commands that graders
  and executors start inherit a short list of harmless variables (PATH, HOME, LANG, LC_*, TZ,
  TMPDIR, VIRTUAL_ENV, ...) and what their `env` names; nothing else, whatever it is called.
- Two configurations mean the same run where rows, resources, model, parameters, executor, graders,
  safety, algorithm, seed and replicates are equal; workers, intervals, limits, retries, budgets
  and paths may differ.
"""


def markdown() -> str:
    """The whole page."""
    published = schema()
    parts = [_HEAD, "## Fields\n", *_fields(published["properties"])]
    properties, defs = published["properties"], published["$defs"]
    for title, field in (
        ("Datasets", "optimize"),
        ("Budget", "budget"),
        ("Retries", "retries"),
        ("Safety", "safety_reward"),
        ("Claim", "claim"),
        ("Objective", "objective"),
    ):
        parts += [f"\n## {title}\n", *_object(_object_of(properties[field]))]
        if field == "retries":
            classes = defs["retries.RetryFields"]["properties"]
            parts += ["\nOf a class of failures:\n", *_fields(classes)]
    parts += ["\n## Guards\n", *_object(defs["guard"])]
    parts.append("\n## Models\n")
    for way in _objects(properties["model"]):
        if "properties" in way:
            parts += [f"### {_providers(way)}\n", *_object(way), ""]
    for title, ways in (
        ("Executors", properties["executor"]),
        ("Graders", defs["grader"]),
        ("Algorithms", properties["algorithm"]),
    ):
        parts.append(f"\n## {title}\n")
        for way in _objects(ways):
            parts += [f"### `{way['properties']['type']['const']}`\n", *_object(way), ""]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)).rstrip() + "\n"


def _providers(way: Mapping[str, Any]) -> str:
    names = way["properties"]["name"]["pattern"].removeprefix("^(").partition(")")[0]
    return ", ".join(f"`{name}/...`" for name in names.split("|"))


def _object(way: Mapping[str, Any]) -> Iterator[str]:
    if "description" in way:
        yield _text(way["description"]) + "\n"
    settings = {name: each for name, each in way["properties"].items() if name != "type"}
    if settings:
        yield from _fields(settings, way.get("required", ()))


def _fields(properties: Mapping[str, Any], required: Any = ()) -> Iterator[str]:  # noqa: ANN401
    yield "| field | value | default | meaning |"
    yield "|---|---|---|---|"
    for name, each in properties.items():
        default = "required" if name in required else _default(each)
        meaning = _text(each.get("description", "")).replace("|", "\\|")
        yield f"| `{name}` | {_kind(each)} | {default} | {meaning} |"


def _default(each: Mapping[str, Any]) -> str:
    if each.get("default") is None:
        return ""
    return f"`{json.dumps(each['default'], ensure_ascii=False)}`"


def _kind(each: Mapping[str, Any]) -> str:
    """What a field takes, in a few words."""
    if "$ref" in each:
        return str(each["$ref"]).rpartition("/")[2].rpartition(".")[2].lower()
    if "enum" in each and len(each["enum"]) <= 8:
        return ", ".join(f"`{value}`" for value in each["enum"])
    if "anyOf" in each:
        kinds = [_kind(way) for way in each["anyOf"] if way.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    names = {
        "integer": "whole number",
        "number": "number",
        "string": "text",
        "boolean": "true or false",
        "array": "list",
        "object": "object",
    }
    kind = names.get(each.get("type", ""), "any value")
    return kind + _bounds(each)


def _bounds(each: Mapping[str, Any]) -> str:
    signs = (
        ("exclusiveMinimum", ">"),
        ("minimum", "≥"),
        ("exclusiveMaximum", "<"),
        ("maximum", "≤"),
    )
    bounds = [f"{sign} {each[key]:,}" for key, sign in signs if key in each and each[key] < 2**31]
    return f" {', '.join(bounds)}" if bounds else ""


def _objects(ways: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [way for way in ways["anyOf"] if way.get("type") == "object"]


def _object_of(ways: Mapping[str, Any]) -> Mapping[str, Any]:
    return next(way for way in ways["anyOf"] if "properties" in way)


def _text(description: str) -> str:
    return " ".join(description.split())


if __name__ == "__main__":
    sys.stdout.write(markdown())

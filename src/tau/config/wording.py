"""Validation against a settings dataclass, in our words and with our pointers."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, get_args, get_type_hints

import orjson
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from tau.config.report import IssueReport, JsonPath, dotted, suggestion
from tau.config.values import describe

_CONFIG = ConfigDict(
    extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
)

_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "string": "text",
    "bool": "true or false",
    "none_required": "null",
}
_LISTS = {"list", "tuple", "set", "frozen_set", "sequence", "iterable"}
_OBJECTS = {"dict", "mapping", "dataclass", "model", "model_attributes", "mapping_or_sequence"}
_TEMPLATES = {
    "greater_than": "must be greater than {gt:g}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "missing": "is required",
    "missing_argument": "is required",
    "finite_number": "must be finite",
    "too_short": "must have at least {min_length} item(s)",
    "too_long": "must have at most {max_length} item(s)",
    "string_too_short": "must have at least {min_length} character(s)",
    "string_too_long": "must have at most {max_length} character(s)",
}
_EXTRA = {"unexpected_keyword_argument", "extra_forbidden"}


@cache
def adapter(settings: Hashable) -> TypeAdapter[list[Any]]:
    """The validator of a list of `settings`: only through a container does the config reach it."""
    return TypeAdapter(list[settings], config=_CONFIG)  # type: ignore[valid-type]


def validated(
    settings: Any,  # noqa: ANN401  (a class; mypy does not take those as hashable)
    value: Mapping[str, Any],
    *,
    steps: JsonPath,
    report: IssueReport,
) -> Any:  # noqa: ANN401  (an instance of `settings`)
    """`value` as an instance of `settings`, or None with every mistake reported.

    Strict, as JSON is: true is no number, "1" is none either, and 1.0 is no whole number.
    """
    try:
        return adapter(settings).validate_json(b"[" + orjson.dumps(value) + b"]")[0]
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=True)
    for where, group in _grouped(details, value).items():
        _report(settings, (*steps, *where), where, group, report)
    return None


def plain(value: Any) -> Any:  # noqa: ANN401
    """A settings object as JSON, defaults included."""
    kind: Any = type(value)
    return adapter(kind).dump_python([value], mode="json")[0]


def _grouped(details: Iterable[ErrorDetails], value: Any) -> dict[JsonPath, list[ErrorDetails]]:  # noqa: ANN401
    """Errors by where they are in `value`: the branches of a union are one place."""
    groups: dict[JsonPath, list[ErrorDetails]] = {}
    for each in details:
        way: list[str | int] = []
        item: Any = value
        loc = each["loc"][1:]
        for position, step in enumerate(loc):
            last = position == len(loc) - 1
            if isinstance(item, Mapping) and step in item:
                item = item[str(step)]
            elif isinstance(item, list) and isinstance(step, int) and step < len(item):
                item = item[step]
            elif not (last and each["type"] in {"missing", "missing_argument", *_EXTRA}):
                continue  # the name of a union's branch
            way.append(step)
        groups.setdefault(tuple(way), []).append(each)
    return groups


def _report(
    settings: type[Any],
    steps: JsonPath,
    where: JsonPath,
    group: Sequence[ErrorDetails],
    report: IssueReport,
) -> None:
    first = group[0]
    if first["type"] in _EXTRA:
        known = _field_names(settings, where[:-1])
        fix = suggestion(str(where[-1]), known) or "it takes no settings"
        report.error(steps, f"unknown training config field '{dotted(steps)}'", fix=fix)
        return
    texts = list(dict.fromkeys(_words(each) for each in group))
    if all(text.startswith("must be ") for text in texts):
        text = "must be " + " or ".join(part.removeprefix("must be ") for part in texts)
        wrong_kind = all(_wanted(each) for each in group)
        if wrong_kind:
            text += f", not {describe(first['input'])}"
    else:
        text = "; or ".join(texts)
    report.error(steps, f"training config field '{dotted(steps)}' {text}", fix=_fix(first))


def _words(error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    wanted = _wanted(error)
    if wanted:
        return f"must be {wanted}"
    if kind in _TEMPLATES:
        return _TEMPLATES[kind].format(**context)
    if kind == "predicate_failed":
        condition = error["msg"].removeprefix("Predicate ").removesuffix(" failed")
        return f"must be {condition.replace('_', ' ')}"
    if kind in {"value_error", "assertion_error"}:
        return f"is not usable: {context.get('error', error['msg'])}"
    return f"is not usable: {error['msg'][:1].lower()}{error['msg'][1:]}"


def _wanted(error: ErrorDetails) -> str | None:
    kind = error["type"].removesuffix("_type").removesuffix("_parsing")
    if kind in _LISTS:
        return "a list"
    if kind in _OBJECTS:
        return "an object"
    if kind == "int_from_float":
        return "a whole number"
    return _KINDS.get(kind)


def _fix(error: ErrorDetails) -> str | None:
    given, kind = error["input"], error["type"]
    if kind in {"literal_error", "enum"} and isinstance(given, str):
        expected = str(error.get("ctx", {}).get("expected", ""))
        return suggestion(given[:80], [each for each in expected.split("'")[1::2] if each])
    if isinstance(given, float) and kind == "int_type" and given.is_integer():
        return f"write {int(given)}"
    if isinstance(given, str) and kind in {"int_type", "float_type", "bool_type"}:
        return "write it without quotes"
    return None


def _field_names(settings: type[Any], where: JsonPath) -> list[str]:
    """The fields of the dataclass that `where` leads to inside `settings`."""
    kind: Any = settings
    for step in where:
        if not is_dataclass(kind) or not isinstance(step, str):
            continue
        hint = get_type_hints(kind).get(step)
        kind = next((each for each in _parts(hint) if is_dataclass(each)), None)
    return [each.name for each in fields(kind)] if is_dataclass(kind) else []


def _parts(hint: Any) -> list[Any]:  # noqa: ANN401
    return [hint, *(part for each in get_args(hint) for part in _parts(each))]

"""Graders of JSON: is it JSON, does it fit a schema, are its fields the expected ones?"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Gt, Le, MinLen

from tau.domain.dataset import Example
from tau.domain.json import Json
from tau.domain.reward import Reward
from tau.domain.rollout import Output
from tau.errors import GraderFailed, InputError
from tau.graders import json_numbers
from tau.graders.closeness import close, quantity
from tau.graders.comparable import comparable, trimmed
from tau.graders.deterministic import Deterministic
from tau.graders.document import (
    Absent,
    Fence,
    NoDocument,
    Path,
    at,
    document,
    parsed_text,
    path,
    shown,
)
from tau.graders.excerpt import excerpt
from tau.graders.reference import no_reference
from tau.plugins import extra_module
from tau.ports.grader import Grader, GraderContext

if TYPE_CHECKING:  # an extra
    import jsonschema_rs

_SHOWN_ERRORS = 5
_NUMBER = (int, float, Decimal)


@dataclass(frozen=True, slots=True, kw_only=True)
class IsJsonSettings:
    """What counts as JSON."""

    fence: Fence = "allow"
    """Whether the document may, must or must not stand in a fenced ``` block."""
    kind: Literal["any", "object", "array"] = "any"
    """What the document has to be."""


class IsJson(Deterministic[IsJsonSettings]):
    """1 if the output is one strict JSON document."""

    Settings: ClassVar[type[Any]] = IsJsonSettings

    def judge(self, example: Example, output: Output) -> Reward:
        try:
            value = document(output, self.settings.fence)
        except NoDocument as error:
            return self.reward(0.0, passed=False, reason=str(error))
        found = "object" if isinstance(value, Mapping) else "array"
        if not isinstance(value, Mapping | list | tuple):
            found = "scalar"
        passed = self.settings.kind in {"any", found}
        return self.reward(
            1.0 if passed else 0.0,
            passed=passed,
            reason="is JSON" if passed else f"expected a JSON {self.settings.kind}, got {found}",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonSchemaSettings:
    """Exactly one of `schema` and `file`."""

    schema: dict[str, Any] | bool | None = None
    """The JSON Schema, draft 2020-12 unless its `$schema` says otherwise."""
    file: Annotated[str, MinLen(1)] | None = None
    """A file holding it, relative to the configuration file."""
    fence: Fence = "allow"
    """Whether the document may, must or must not stand in a fenced ``` block."""
    formats: bool = True
    """Whether `format` is checked and not only noted."""


class JsonSchema(Deterministic[JsonSchemaSettings]):
    """1 if the output's JSON fits the schema. References to other documents are never fetched."""

    Settings: ClassVar[type[Any]] = JsonSchemaSettings

    def __init__(
        self, name: str, settings: JsonSchemaSettings, validator: "jsonschema_rs.Validator"
    ) -> None:
        super().__init__(name, settings)
        self._validator = validator

    @classmethod
    def check(cls, settings: Any, context: GraderContext, example: Example | None) -> None:  # noqa: ANN401
        _validator(settings, context.base_dir)

    @classmethod
    def build(cls, settings: Any, context: GraderContext) -> Grader:  # noqa: ANN401
        return cls(context.name, settings, _validator(settings, context.base_dir))

    def judge(self, example: Example, output: Output) -> Reward:
        try:
            value = document(output, self.settings.fence)
        except NoDocument as error:
            return self.reward(0.0, passed=False, reason=str(error))
        try:
            errors = list(islice(self._validator.iter_errors(value), _SHOWN_ERRORS + 1))
        except (ValueError, TypeError, RecursionError) as error:
            raise GraderFailed("the schema could not be applied", why=str(error)[:300]) from error
        if not errors:
            return self.reward(1.0, passed=True, reason="fits the schema")
        said = [_sentence(error) for error in errors[:_SHOWN_ERRORS]]
        if len(errors) > _SHOWN_ERRORS:
            said.append("and more")
        return self.reward(0.0, passed=False, reason=f"does not fit the schema: {'; '.join(said)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonFieldsSettings:
    """Which fields are compared, and how."""

    paths: tuple[Annotated[str, MinLen(1)], ...] = ()
    """`a.b.0` or `/a/b/0`; without any, each field at the top of the row's `expected`."""
    weights: Mapping[str, Annotated[float, Gt(0)]] = field(default_factory=dict)
    """Weights of single paths; 1 where none is given."""
    absolute: Annotated[float, Ge(0)] = 0.0
    """The difference of numbers that is still right."""
    relative: Annotated[float, Ge(0)] | None = None
    """The same as a share of the expected number; the larger one counts. Between two
    integers it counts only from a millionth on. Unset: numbers of as many places are equal or not,
    further digits may be rounding, and with an exponent a billionth is allowed."""
    casefold: bool = False
    """Ignore case in texts."""
    trim: bool = True
    """Ignore white space at both ends of texts."""
    pass_at: Annotated[float, Ge(0), Le(1)] = 1.0
    """The least score that passes."""
    fence: Fence = "allow"
    """Whether the document may, must or must not stand in a fenced ``` block."""


class JsonFields(Deterministic[JsonFieldsSettings]):
    """The weighted share of expected fields that the output's JSON has right.

    `expected` is an object or list, or a text holding one. Fields beyond the expected ones are no
    mistake. Objects and lists inside are compared whole. Integers are compared digit by digit, and
    texts without differences nobody sees: accents in one or two characters, line ends, invisible
    characters.
    """

    Settings: ClassVar[type[Any]] = JsonFieldsSettings

    def __init__(self, name: str, settings: JsonFieldsSettings) -> None:
        super().__init__(name, settings)
        self._paths = tuple(path(each) for each in settings.paths)

    @classmethod
    def check(cls, settings: Any, context: GraderContext, example: Example | None) -> None:  # noqa: ANN401
        strange = sorted(set(settings.weights) - set(settings.paths)) if settings.paths else []
        if strange:
            raise InputError(
                f"'weights' names {excerpt(strange[0], 80)}, which is not one of 'paths'",
                fix=f"use one of {', '.join(settings.paths[:10])}",
            )
        super().check(settings, context, example)

    def judge(self, example: Example, output: Output) -> Reward:
        wanted = self._wanted(example)
        try:
            value = document(output, self.settings.fence)
        except NoDocument as error:
            return self.reward(0.0, passed=False, reason=str(error))
        weights = {place.text: self.settings.weights.get(place.text, 1.0) for place, _ in wanted}
        said = ((place.text, self._mistake(value, place, want)) for place, want in wanted)
        mistakes = {name: mistake for name, mistake in said if mistake}
        right = sum(weight for name, weight in weights.items() if name not in mistakes)
        score = right / sum(weights.values()) if mistakes else 1.0
        reason = f"{len(wanted) - len(mistakes)} of {len(wanted)} fields are right"
        details = "; ".join(islice(mistakes.values(), _SHOWN_ERRORS))
        return self.reward(
            score,
            passed=score >= self.settings.pass_at,
            reason=f"{reason}: {details}" if mistakes else reason,
            metrics={"fields": float(len(wanted)), "right": float(len(wanted) - len(mistakes))},
        )

    def check_reference(self, example: Example) -> None:
        self._wanted(example)

    def _wanted(self, example: Example) -> Sequence[tuple[Path, Json]]:
        expected = example.expected
        if isinstance(expected, str):
            try:
                expected = parsed_text(expected)
            except NoDocument as error:
                raise no_reference(example.expected, "an object") from error
        if not isinstance(expected, Mapping | list | tuple) or not expected:
            raise no_reference(example.expected, "an object with at least one field")
        if not self._paths:
            names = expected if isinstance(expected, Mapping) else map(str, range(len(expected)))
            return [(p := Path(text=name, steps=(name,)), at(expected, p)) for name in names]
        try:
            return [(place, at(expected, place)) for place in self._paths]
        except Absent as error:
            raise GraderFailed(
                "the row's reference answer cannot be used",
                why=f"'expected' has nothing at {excerpt(str(error), 80)}",
                fix="correct 'paths', or give the field in every row",
            ) from error

    def _mistake(self, value: Json, place: Path, wanted: Json) -> str | None:
        try:
            given = at(value, place)
        except Absent:
            return f"{excerpt(place.text, 80)} is missing, expected {shown(wanted)}"
        if same(given, wanted, self._same_scalar):
            return None
        return f"{excerpt(place.text, 80)} is {shown(given)}, expected {shown(wanted)}"

    def _same_scalar(self, given: Json, wanted: Json) -> bool:
        if isinstance(given, bool) or isinstance(wanted, bool):
            return given is wanted
        if isinstance(given, _NUMBER) and isinstance(wanted, _NUMBER):
            return self._same_number(given, wanted)
        if isinstance(given, str) and isinstance(wanted, str):
            return self._text(given) == self._text(wanted)
        return given is None and wanted is None

    def _same_number(self, given: float | Decimal, wanted: float | Decimal) -> bool:
        left, right = quantity(given), quantity(wanted)
        if left is None or right is None:
            return given == wanted
        return close(left, right, absolute=self.settings.absolute, relative=self.settings.relative)

    def _text(self, text: str) -> str:
        text = comparable(text, form="NFC", casefold=self.settings.casefold)
        return trimmed(text) if self.settings.trim else text


def same(given: Json, wanted: Json, same_scalar: Callable[[Json, Json], bool]) -> bool:
    """Whether two documents are equal, however deep; order counts in lists only."""
    rest = [(given, wanted)]
    while rest:
        left, right = rest.pop()
        if isinstance(right, Mapping):
            if not isinstance(left, Mapping) or left.keys() != right.keys():
                return False
            rest.extend((left[name], right[name]) for name in right)
        elif isinstance(right, list | tuple):
            if not isinstance(left, list | tuple) or len(left) != len(right):
                return False
            rest.extend(zip(left, right, strict=True))
        elif not same_scalar(left, right):
            return False
    return True


def _sentence(error: "jsonschema_rs.ValidationError") -> str:
    place = "".join(f"/{step}" for step in error.instance_path)
    said = excerpt(error.message, 200)[1:-1]
    return f"at {excerpt(place, 80)}: {said}" if place else said


def _validator(settings: JsonSchemaSettings, base_dir: FilePath) -> "jsonschema_rs.Validator":
    if (settings.schema is None) == (settings.file is None):
        raise InputError("json-schema needs exactly one of 'schema' and 'file'")
    where = settings.file or "schema"
    schema: Any = _schema_file(base_dir / settings.file) if settings.file else settings.schema
    library = extra_module("jsonschema_rs", user="the grader 'json-schema'")
    try:
        made: jsonschema_rs.Validator = library.validator_for(
            schema,
            validate_formats=settings.formats,
            offline=True,
        )
    except (ValueError, TypeError) as error:
        raise InputError(
            "the JSON Schema cannot be used",
            where=where,
            why=str(error).partition("\n")[0][:300],
            fix="put the schema right; what it refers to must be inside it, nothing is fetched",
        ) from error
    return made


def _schema_file(file: FilePath) -> Any:  # noqa: ANN401
    try:
        return json_numbers.parsed(file.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"cannot read '{file}'", why=error.strerror or str(error)) from error
    except ValueError as error:
        raise InputError(f"'{file}' is not JSON", why=str(error)) from error

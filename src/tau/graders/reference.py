"""Reference answers: what a row's `expected` says, or that it says nothing usable."""

import orjson

from tau.domain.dataset import Example
from tau.domain.json import Json
from tau.errors import GraderFailed, InputError


def reference_texts(example: Example) -> tuple[str, ...]:
    """The accepted answers: `expected` is a text, number or truth value, or a list of these.

    Numbers and truth values are taken as their JSON text.

    Raises:
        GraderFailed: there is none, or it is something else.
    """
    expected = example.expected
    given = expected if isinstance(expected, list | tuple) else [expected]
    texts = tuple(scalar_text(item) for item in given)
    known = tuple(text for text in texts if text is not None)
    if not known or len(known) < len(texts):
        raise no_reference(expected, "a text or a list of texts")
    return known


def scalar_text(value: Json) -> str | None:
    """A text itself, a number or truth value as JSON, None for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return (
            orjson.dumps(value).decode("ascii") if isinstance(value, bool | float) else str(value)
        )
    return None


def no_reference(expected: Json, wanted: str) -> GraderFailed:
    """The error of a row whose `expected` cannot be graded against."""
    if expected is None:
        return GraderFailed(
            "the row has no reference answer",
            why="it has no field 'expected'",
            fix=f"give 'expected' as {wanted}, or map the column that holds it to 'expected'",
        )
    return GraderFailed(
        "the row's reference answer cannot be used",
        why=f"'expected' is {_kind(expected)}",
        fix=f"give 'expected' as {wanted}",
    )


def as_input_error(failure: GraderFailed) -> InputError:
    """The same said before anything starts, of the dataset's sample row."""
    return InputError(failure.what, why=failure.why, fix=failure.fix)


def _kind(value: Json) -> str:
    if isinstance(value, str):
        return "a text" if value.strip() else "an empty text"
    if isinstance(value, bool):
        return "a truth value"
    if isinstance(value, int | float):
        return "a number"
    return "an object" if hasattr(value, "keys") else "a list of something else" if value else "[]"

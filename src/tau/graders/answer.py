"""What user code answers about an output, turned into a reward."""

import math
from collections.abc import Mapping
from decimal import Decimal
from numbers import Real

from tau.domain.reward import Reward
from tau.errors import GraderFailed
from tau.graders.excerpt import excerpt

_SHAPE = (
    "answer with true, false, a number from 0 to 1, or an object with 'score' and, if wanted, "
    "'passed', 'reason', 'feedback' and 'metrics'"
)
_KNOWN = frozenset({"score", "passed", "reason", "feedback", "metrics"})
_TEXT_LIMIT = 8000
_ROUNDING = 1e-6
"""How far beyond 0 and 1 a score may be by rounding, as that of a cosine in single precision."""


def to_reward(name: str, answer: object, who: str) -> Reward:
    """The reward named `name` that `who` meant.

    A truth value is 1 or 0, passed or not; a number is the score; an object has a `score` of these
    kinds. Numbers are all of Python's real numbers, `Decimal`, and single values of NumPy and its
    like (what has an `item()`); what is beyond 0 or 1 by no more than rounding is 0 or 1. Without
    `feedback` the reason is the feedback. Of texts the first 8,000 characters count.

    Raises:
        GraderFailed: anything else, a score outside 0..1, or a field nobody knows.
    """
    if isinstance(answer, Reward):
        if answer.score is None:
            raise GraderFailed(f"{who} gave no score", why=answer.error or answer.reason or None)
        answer = {field: getattr(answer, field) for field in _KNOWN}
    if not isinstance(answer, Mapping):
        answer = {"score": answer}
    strange = sorted(str(field) for field in answer.keys() - _KNOWN)
    if strange:
        raise GraderFailed(f"{who} answered with an unknown field '{strange[0][:80]}'", fix=_SHAPE)
    given = _scalar(answer.get("score"))
    passed = _scalar(answer.get("passed"))
    if passed is None and isinstance(given, bool):
        passed = given
    if not (passed is None or isinstance(passed, bool)):
        raise _wrong(who, "passed", "true or false", passed)
    reason = _text(who, "reason", answer.get("reason"))
    return Reward(
        name=name,
        score=_score(who, given),
        passed=passed,
        reason=reason,
        feedback=_text(who, "feedback", answer.get("feedback")) or reason,
        metrics=_metrics(who, answer.get("metrics")),
    )


def _scalar(value: object) -> object:
    """A single value of NumPy and its like as Python's own."""
    if value is None or isinstance(value, bool | int | float | str | Real | Decimal | Mapping):
        # NumPy registers its numbers as real ones; its truth values and arrays have to be asked.
        return value
    item = getattr(value, "item", None)
    try:
        found: object = item() if callable(item) else value
    except (TypeError, ValueError, RuntimeError):  # it holds several values
        return value
    return found


def _real(value: object) -> float | None:
    """The number, or None where it is none."""
    value = _scalar(value)
    if not isinstance(value, Real | Decimal):
        return None
    try:
        return float(value)
    except OverflowError:  # an integer beyond floats
        return math.inf
    except ValueError:  # a signalling NaN
        return math.nan


def _score(who: str, value: object) -> float:
    score = _real(value)
    if score is None:
        raise _wrong(who, "score", "a number or truth value", value)
    if -_ROUNDING <= score <= 1 + _ROUNDING:  # not true of NaN
        return min(1.0, max(0.0, score))
    raise GraderFailed(
        f"{who} gave the score {excerpt(str(value), 60)[1:-1]}", why="scores are from 0 to 1"
    )


def _text(who: str, field: str, value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _wrong(who, field, "a text", value)
    # A lone surrogate could not be stored.
    return value[:_TEXT_LIMIT].encode("utf-8", "replace").decode("utf-8")


def _metrics(who: str, value: object) -> dict[str, float]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _wrong(who, "metrics", "an object of numbers", value)
    found: dict[str, float] = {}
    for name, given in value.items():
        number = _real(given) if isinstance(name, str) else None
        if number is None:
            raise _wrong(who, "metrics", "an object of numbers", given)
        if not math.isfinite(number):
            raise GraderFailed(f"{who} gave a metric '{name[:80]}' that is not finite")
        found[name] = number
    return found


def _wrong(who: str, field: str, wanted: str, value: object) -> GraderFailed:
    kind = "nothing" if value is None else f"of type {type(value).__name__}"
    if isinstance(value, str | bool | int | float):
        kind = f"{type(value).__name__} ({excerpt(str(value), 40)})"
    elif isinstance(value, tuple | list):
        kind = f"{type(value).__name__} of {len(value)}"
    return GraderFailed(f"{who} answered with a '{field}' that is {kind}, not {wanted}", fix=_SHAPE)

"""What user code answers about an output, turned into a reward."""

import math
from collections.abc import Mapping

from tau.domain.reward import Reward
from tau.errors import GraderFailed

_SHAPE = (
    "answer with true, false, a number from 0 to 1, or an object with 'score' and, if wanted, "
    "'passed', 'reason', 'feedback' and 'metrics'"
)
_KNOWN = frozenset({"score", "passed", "reason", "feedback", "metrics"})
_TEXT_LIMIT = 8000


def to_reward(name: str, answer: object, who: str) -> Reward:
    """The reward named `name` that `who` meant.

    A truth value is 1 or 0, passed or not; a number is the score; an object has a `score` of these
    kinds. Without `feedback` the reason is the feedback. Of texts the first 8,000 characters count.

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
    given = answer.get("score")
    passed = answer.get("passed")
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


def _score(who: str, value: object) -> float:
    if not isinstance(value, int | float):
        raise _wrong(who, "score", "a number or truth value", value)
    if not 0 <= value <= 1:  # not true of NaN either
        raise GraderFailed(f"{who} gave the score {value!r:.60}", why="scores are from 0 to 1")
    return float(value)


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
    for name, number in value.items():
        if not isinstance(name, str) or not isinstance(number, int | float):
            raise _wrong(who, "metrics", "an object of numbers", number)
        if not math.isfinite(number):
            raise GraderFailed(f"{who} gave a metric '{name[:80]}' that is not finite")
    return {name: float(number) for name, number in value.items()}


def _wrong(who: str, field: str, wanted: str, value: object) -> GraderFailed:
    kind = "nothing" if value is None else type(value).__name__
    return GraderFailed(f"{who} answered with a '{field}' that is {kind}, not {wanted}", fix=_SHAPE)

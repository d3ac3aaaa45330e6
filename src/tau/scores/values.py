"""What a file calls a score, as a number in 0..1."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tau.domain.visible import clipped
from tau.errors import InputError
from tau.scores.sheet import listed

MISSING = frozenset({"", "-", "nan", "na", "n/a", "none", "null", "<na>"})
_WORDS = {
    "true": 1.0, "y": 1.0, "pass": 1.0, "passed": 1.0, "yes": 1.0, "correct": 1.0, "right": 1.0,
    "false": 0.0, "n": 0.0, "fail": 0.0, "failed": 0.0, "no": 0.0, "incorrect": 0.0, "wrong": 0.0,
}  # fmt: skip
_SCALES = ((1, 5), (0, 5), (1, 10), (0, 10), (0, 100), (-1, 1))


@dataclass(frozen=True, slots=True)
class Scale:
    """The worst and the best value a score can have; `worst` above `best` where less is better."""

    worst: float = 0.0
    best: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what is no scale.

        Raises:
            InputError: ends that are equal or not finite.
        """
        if not (math.isfinite(self.worst) and math.isfinite(self.best)) or self.worst == self.best:
            raise InputError(
                f"a scale from {self.worst:g} to {self.best:g} is none",
                fix="give the worst and the best possible score, such as --scale 1 5",
            )

    @property
    def given(self) -> bool:
        """Whether anything is to be rescaled."""
        return (self.worst, self.best) != (0.0, 1.0)

    def rescaled(self, value: float) -> float:
        """`value` with the worst at 0 and the best at 1."""
        if not self.given:
            return value
        return (value - self.worst) / (self.best - self.worst)


AS_GIVEN = Scale()
"""Scores that are in 0..1 already."""


class _Known(dict[object, float | None]):
    """Values met before; a new one is worked out once."""

    def __init__(self, scale: Scale) -> None:
        super().__init__()
        self._scale = scale

    def __missing__(self, value: object) -> float | None:
        found = number(value)
        if found is not None and not _is_word(value):
            found = self._scale.rescaled(found)
        self[value] = found
        return found


def number(value: object) -> float | None:
    """A number, a word such as `pass`, or None for what stands for nothing.

    Raises:
        ValueError: neither.
    """
    if value is None:
        return None
    if isinstance(value, bool | int | float):
        return _finite(float(value))
    if not isinstance(value, str):
        raise ValueError(f"{type(value).__name__} is no number")
    text = value.strip().casefold()
    if text in MISSING:
        return None
    if text in _WORDS:
        return _WORDS[text]
    if "_" in text:  # what Python reads as a number and nobody writes as one
        raise ValueError(f"{text} is no number")
    if text.endswith("%"):
        return _finite(float(text[:-1]) / 100)
    return _finite(float(text))


def column(
    values: Sequence[object], ids: Sequence[str], *, name: str, where: str, scale: Scale | None
) -> list[float | None]:
    """A column of scores in 0..1; None where a row has none.

    Without a `scale` they must be so already, and nothing can rescale them.

    Raises:
        InputError: a value that is no score, or one out of the scale.
    """
    known = _Known(scale or AS_GIVEN)
    try:
        found = [float(v) if v.__class__ is bool else known[v] for v in values]
    except (ValueError, TypeError, OverflowError):
        raise _no_numbers(values, ids, name, where) from None
    low = min((v for v in found if v is not None), default=0.0)
    high = max((v for v in found if v is not None), default=0.0)
    if low < -1e-12 or high > 1 + 1e-12:
        raise _outside(values, found, ids, name, where, scale)
    if low < 0 or high > 1:  # what rounding made of the ends of a scale
        found = [None if v is None else min(1.0, max(0.0, v)) for v in found]
    return found


def amounts(
    values: Sequence[object], ids: Sequence[str], *, name: str, where: str
) -> list[float | None]:
    """A column of costs: numbers of at least 0, None where a row has none.

    Raises:
        InputError: anything else.
    """
    try:
        found = [number(v) for v in values]
    except (ValueError, TypeError, OverflowError):
        raise _no_numbers(values, ids, name, where) from None
    for row, value in zip(ids, found, strict=True):
        if value is not None and value < 0:
            raise InputError(
                f"a cost is below 0: {value:g} in row {listed([row])} of '{name}'", where=where
            )
    return found


def _finite(value: float) -> float | None:
    if math.isnan(value):
        return None
    if math.isinf(value):
        raise ValueError("infinite")
    return value


def _is_word(value: object) -> bool:
    return isinstance(value, str) and value.strip().casefold() in _WORDS


def _no_numbers(values: Sequence[object], ids: Sequence[str], name: str, where: str) -> InputError:
    wrong = [(row, value) for row, value in zip(ids, values, strict=True) if _is_no_number(value)]
    row, value = wrong[0]
    return InputError(
        f"{len(wrong):,} of {len(values):,} values of '{name}' are no scores, the first "
        f"{clipped(repr(value), 40)} in row {listed([row])}",
        where=where,
        why="a score is a number, true or false, pass or fail, yes or no, or empty",
        fix="name the column of scores, or correct these rows",
    )


def _is_no_number(value: object) -> bool:
    try:
        number(value)
    except (ValueError, TypeError, OverflowError):
        return True
    return False


def _outside(
    values: Sequence[object], found: Sequence[float | None], ids: Sequence[str],
    name: str, where: str, scale: Scale | None,
) -> InputError:  # fmt: skip
    wrong = [at for at, v in enumerate(found) if v is not None and not -1e-12 <= v <= 1 + 1e-12]
    known = [v for v in (number(value) for value in values) if v is not None]
    low, high = min(known), max(known)
    ends = sorted((scale.worst, scale.best)) if scale else (0, 1)
    between = f"between {ends[0]:g} and {ends[1]:g}"
    worst, best = next(((a, b) for a, b in _SCALES if a <= low and high <= b), (low, high))
    return InputError(
        f"{len(wrong):,} of {len(known):,} scores of '{name}' are not {between}, the first "
        f"{clipped(str(values[wrong[0]]), 40)} in row {listed([ids[wrong[0]]])}",
        where=where,
        why=f"they go from {low:g} to {high:g}",
        fix=f"say which score is worst and which is best, such as --scale {worst:g} {best:g}"
        if scale
        else f"rescale them first, such as (score - {worst:g}) / {best - worst:g}",
    )

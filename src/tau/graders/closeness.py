"""Whether two numbers are the same: exactly for integers, within a tolerance for the others."""

from decimal import Decimal
from fractions import Fraction

_ROUNDING = Fraction(1, 10**9)
_LEAST_FOR_INTEGERS = Fraction(1, 10**6)
"""A smaller share is meant for the rounding of floats, and never makes two integers the same."""
_LARGEST_EXPONENT = 10_000


def exact(value: float | Decimal) -> Fraction | None:
    """The value as it is written, or None where it is not finite or too large to compare."""
    if isinstance(value, int):
        return Fraction(value)
    number = value if isinstance(value, Decimal) else Decimal(repr(float(value)))
    if not number.is_finite() or (number != 0 and abs(number.adjusted()) > _LARGEST_EXPONENT):
        return None
    return Fraction(number)


def close(given: Fraction, wanted: Fraction, *, absolute: float, relative: float | None) -> bool:
    """Whether `given` may stand for `wanted`.

    Without `relative`, or with one below a millionth, two integers are the same or they are not,
    however they are written; without it a number that is none may differ by a billionth.
    """
    share = _ROUNDING if relative is None else exact(relative) or Fraction(0)
    if share < _LEAST_FOR_INTEGERS and given.denominator == wanted.denominator == 1:
        share = Fraction(0)
    allowed = max(exact(absolute) or Fraction(0), share * abs(wanted))
    return abs(given - wanted) <= allowed


def written(value: Fraction) -> str:
    """The number for a sentence, in full where that is short."""
    if value.denominator == 1 and value.numerator.bit_length() <= 130:
        return str(value.numerator)
    shown = Decimal(value.numerator) / Decimal(value.denominator)
    if Fraction(shown) == value and abs(shown.adjusted()) < 30:
        return f"{shown.normalize():f}"
    return f"{shown:.12g}"


def metrics(value: Fraction, wanted: Fraction) -> dict[str, float]:
    """The number and its distance, where they fit into floats."""
    found = {}
    for name, number in (("value", value), ("difference", abs(value - wanted))):
        try:
            found[name] = float(number)
        except OverflowError:
            continue
    return found

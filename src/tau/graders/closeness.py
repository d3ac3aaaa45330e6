"""Whether two numbers are the same: exactly as they are written, or as near as rounding brings."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

_ROUNDING = Fraction(1, 10**9)
_LEAST_FOR_INTEGERS = Fraction(1, 10**6)
"""A smaller share is meant for the rounding of floats, and never makes two integers the same."""
_LARGEST_EXPONENT = 10_000


_FLOATS = 15
"""Significant digits that a float holds for sure."""
_NOISE = Fraction(1, 10**14)
_LEAST_NOISE, _FINE = Fraction(1, 10**9), 6
"""Further digits are noise up to this size, or behind so many places."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A number and the decimal places it is written out to; None: not written out in digits.

    `divided`: it is written as a fraction, which is exact too.
    """

    value: Fraction
    places: int | None = None
    divided: bool = False

    @property
    def digits(self) -> int:
        """The significant digits it is written with."""
        return len(str(abs(int(self.value * 10 ** (self.places or 0)))))


def quantity(value: float | Decimal) -> Quantity | None:
    """A number of JSON as it is written; None where it is not finite or too large to compare."""
    found = exact(value)
    if found is None:
        return None
    number = value if isinstance(value, Decimal | int) else Decimal(repr(float(value)))
    exponent = Decimal(number).as_tuple().exponent
    plain = isinstance(exponent, int) and "E" not in str(number)
    return Quantity(value=found, places=max(0, -exponent) if plain else None)  # type: ignore[operator]


def exact(value: float | Decimal) -> Fraction | None:
    """The value as it is written, or None where it is not finite or too large to compare."""
    if isinstance(value, int):
        return Fraction(value)
    number = value if isinstance(value, Decimal) else Decimal(repr(float(value)))
    if not number.is_finite() or (number != 0 and abs(number.adjusted()) > _LARGEST_EXPONENT):
        return None
    return Fraction(number)


def close(given: Quantity, wanted: Quantity, *, absolute: float, relative: float | None) -> bool:
    """Whether `given` may stand for `wanted`.

    Without `relative` they are the same as they are written: integers, fractions and decimals of
    as many places are equal or not; where one has more digits, those may be noise or rounded off;
    what is not written out (exponents, words of size) may differ by a billionth unless both are
    integers. A `relative` below a millionth never makes two integers the same.
    """
    distance = abs(given.value - wanted.value)
    if distance <= (exact(absolute) or Fraction(0)):
        return True
    if relative is None:
        return _same(given, wanted, distance)
    share = exact(relative) or Fraction(0)
    if share < _LEAST_FOR_INTEGERS and given.value.denominator == wanted.value.denominator == 1:
        return False
    return distance <= share * abs(wanted.value)


def _same(given: Quantity, wanted: Quantity, distance: Fraction) -> bool:
    size = abs(wanted.value)
    integers = given.value.denominator == wanted.value.denominator == 1
    if integers or distance > _ROUNDING * size or (given.divided and wanted.divided):
        return False
    if given.divided or wanted.divided:
        decimal = wanted if given.divided else given
        places = decimal.places
        rounded = places is None or (places > 0 and distance < Fraction(1, 10**places))
        return rounded or (decimal.digits > _FLOATS and distance <= _NOISE * size / 5)
    if given.places is None or wanted.places is None:
        return True
    if given.places == wanted.places:
        return max(given.digits, wanted.digits) > _FLOATS and distance <= _NOISE * size / 5
    fewer = min(given.places, wanted.places)
    noise = max(_LEAST_NOISE, _NOISE * size / 5)
    return distance < Fraction(1, 10**fewer) and (fewer >= _FINE or distance <= noise)


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

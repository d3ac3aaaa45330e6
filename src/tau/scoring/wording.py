"""The words for a difference: what is sure first, rounded so that nothing is overstated."""

import math
from statistics import NormalDist

_NORMAL = NormalDist()
_HALVINGS = 50


def at_least_text(low: float) -> str:
    """A lower bound in points (hundredths), rounded down: `+34 points`."""
    return _text(math.floor(low * 100 + 1e-9), math.floor(low * 1000 + 1e-9) / 10)


def at_most_text(high: float) -> str:
    """An upper bound in points, rounded up."""
    return _text(math.ceil(high * 100 - 1e-9), math.ceil(high * 1000 - 1e-9) / 10)


def points_text(difference: float) -> str:
    """An estimate in points, to the nearest."""
    return _text(round(difference * 100), round(difference * 1000) / 10)


def _text(whole: int, tenths: float) -> str:
    """Whole points; tenths where a whole one is too coarse."""
    number = f"{whole:+d}" if abs(whole) >= 10 else f"{tenths + 0.0:+.1f}".removesuffix(".0")
    if number in ("+0", "-0"):
        number = "0"
    return f"{number} point" if number in ("+1", "-1") else f"{number} points"


def allowing_for_selection(difference: float, low: float, null: float, alpha: float) -> float:
    """The estimate once it counts that only results beyond the bar are promoted.

    The difference under which the mean of promoted results is the observed one (H. Zhong and R.
    Prentice, Biostatistics 9, 2008, 621-634), by the normal distribution; between `low` and
    `difference`.
    """
    z = -_NORMAL.inv_cdf(alpha)
    error = (difference - low) / z
    if error <= 0:
        return difference
    observed = (difference - null) / error
    least, most = 0.0, observed
    for _ in range(_HALVINGS):
        middle = (least + most) / 2
        beyond = z - middle
        if middle + _NORMAL.pdf(beyond) / max(1e-300, 1 - _NORMAL.cdf(beyond)) > observed:
            most = middle
        else:
            least = middle
    return min(difference, max(low, null + most * error))


def proved_text(low: float) -> str:
    """What is sure of a promoted difference: each bound holds with 1 - alpha."""
    if low >= 0:
        return f"surely at least {at_least_text(low)}"
    return f"surely no more than {points_text(-at_worst(low)).lstrip('+')} worse"


def at_worst(low: float) -> float:
    """A loss rounded up to a tenth of a point."""
    return math.floor(low * 1000 + 1e-9) / 1000


def estimate_text(difference: float, shrunk: float | None) -> str:
    """The estimate, and the one that allows for having been selected where that is lower."""
    measured = f"measured {points_text(difference)}"
    if shrunk is None or points_text(shrunk) == points_text(difference):
        return measured
    return f"{measured}, about {points_text(shrunk)} when allowing for luck in being promoted"


def groups_wanted(rows: int | None, pairs: int, groups: int | None) -> int | None:
    """How many groups so many rows are, if they are as large as those that were seen."""
    if rows is None or groups is None or not 0 < groups < pairs:
        return None
    return math.ceil(rows * groups / pairs)


def settling_text(rows: int, groups: int | None, noun: str = "row") -> str:
    """`about 93 rows`, or, where groups are what counts, `about 24 groups (93 rows)`."""
    said = f"{rows:,} {noun}{'' if rows == 1 else 's'}"
    if groups is None:
        return f"about {said}"
    return f"about {groups:,} group{'' if groups == 1 else 's'} ({said})"

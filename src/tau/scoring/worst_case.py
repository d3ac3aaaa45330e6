"""Bounds for the mean of bounded differences that suppose nothing of their distribution.

A rare loss may be in no row that was seen. `n` rows do not rule out that a share u of all rows, not
seen yet, loses everything there is to lose: at 1 - alpha, u is up to 1 - alpha^(1/n), about 3 / n.
"""

import math
from collections import Counter
from collections.abc import Sequence
from statistics import NormalDist

_NORMAL = NormalDist()
_STEPS = 60
_CLOSE = 0.05
"""Of the mean so few standard deviations away, a p-value is one half for all that is decided."""
_DISTINCT = 200
"""Beyond so many distinct values, those within one step count as their mean."""
_STEP = 0.01
_MOST_ROWS = 10**9
"""More are never told: a gain next to nothing would want more than numbers can say."""


def p_unseen(n: float, mean: float, worst: float) -> float:
    """The chance to see none of a share of losses of `worst` that would undo a gain of `mean`."""
    return math.exp(-n * math.log1p(mean / worst)) if mean > 0 else 1.0


def low_unseen(n: float, mean: float, worst: float, alpha: float) -> float:
    """The mean with the largest share of unseen losses that `n` rows do not rule out."""
    unseen = 1 - math.exp(math.log(alpha) / n)
    return (1 - unseen) * mean - unseen * worst


def rows_unseen(mean: float, alpha: float) -> int:
    """How many rows rule out that unseen losses, of all there is to lose, undo a gain of `mean`.

    At most 10^9 are told.
    """
    return math.ceil(min(_MOST_ROWS, math.log(alpha) / -math.log1p(mean))) if mean > 0 else 0


def p_worst_case(values: Sequence[float], worst: float) -> float:
    """p-value that the mean of a population of which `values` are seen is at most 0.

    All values are at least -`worst`. The mean under random weights, exponential and independent,
    of the values and one more of -`worst` is at most 0 with this probability (N. Gaffke, 2005;
    E. Learned-Miller and P. S. Thomas, arXiv 1905.06208; for right and wrong answers it is the
    bound of Clopper and Pearson). Its tail is taken from the saddlepoint (R. Lugannani and S. Rice,
    Adv. Appl. Probab. 12, 1980, 475-490).
    """
    counts = _counted(values)
    counts[-worst] += 1
    if math.fsum(value * count for value, count in counts.items()) <= 0:
        return 1.0
    return _tail(list(counts.items()))


def low_worst_case(values: Sequence[float], worst: float, alpha: float) -> float:
    """The largest mean that `p_worst_case` rejects at alpha, to about 3e-5."""
    counts = _counted(values)
    counts[-worst] += 1
    low, high = -worst, math.fsum(values) / len(values)
    for _ in range(16):
        middle = (low + high) / 2
        moved = [(value - middle, count) for value, count in counts.items()]
        above = math.fsum(value * count for value, count in moved) > 0
        if above and _tail(moved) <= alpha:
            low = middle
        else:
            high = middle
    return low


def _counted(values: Sequence[float]) -> Counter[float]:
    counts: Counter[float] = Counter(values)
    if len(counts) <= _DISTINCT:
        return counts
    numbers = [math.floor(value / _STEP) for value in values]
    sums: dict[int, float] = dict.fromkeys(numbers, 0.0)
    for number, value in zip(numbers, values, strict=True):
        sums[number] += value
    steps = Counter(numbers)
    return Counter({total / steps[number]: steps[number] for number, total in sums.items()})


def _tail(counts: Sequence[tuple[float, int]]) -> float:
    """P(sum of value * Gamma(count) <= 0), the sum's mean being above 0.

    The cumulants' generating function is K(t) = - sum of count * log(1 - t value).
    """
    t = _saddlepoint(counts)
    exponent = math.fsum([count * math.log1p(-t * value) for value, count in counts])
    curvature = math.fsum([count * (value / (1 - t * value)) ** 2 for value, count in counts])
    w, u = -math.sqrt(max(0.0, 2 * exponent)), t * math.sqrt(curvature)
    if w > -_CLOSE:
        return 0.5
    return min(1.0, max(0.0, _NORMAL.cdf(w) + _NORMAL.pdf(w) * (1 / w - 1 / u)))


def _saddlepoint(counts: Sequence[tuple[float, int]]) -> float:
    """The t below 0 at which K'(t) = 0: by Newton's steps, halving where they lead too far."""
    low, high = 1 / min(value for value, _ in counts), 0.0
    t = low / 2
    for _ in range(_STEPS):
        slope = curvature = 0.0
        for value, count in counts:
            part = value / (1 - t * value)
            slope += count * part
            curvature += count * part * part
        if slope > 0:
            high = t
        else:
            low = t
        after = t - slope / curvature
        if not low < after < high:
            after = (low + high) / 2
        if abs(after - t) <= 1e-9 * abs(t):
            return after
        t = after
    return t

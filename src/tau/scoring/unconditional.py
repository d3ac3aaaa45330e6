"""Exact unconditional tests for pairs that are right or wrong: fixed, broken, or the same.

McNemar's exact test conditions on how many pairs differ and keeps far below its level where these
are few. The tests here look at all `n` pairs; what is unknown, how often pairs differ at all, is
taken at its worst, so that the level holds whatever it is.
"""

import math
from collections.abc import Callable
from functools import lru_cache
from statistics import NormalDist

from tau.scoring.binomial import at_least, binomial_tail, bulk, half_tails
from tau.scoring.tango import score_statistic, tango_interval

CONDITIONAL_BEYOND = 300
"""Beyond so many pairs McNemar's exact test has nearly all the power there is, and is used."""
NORMAL_BEYOND = 2_000
"""Beyond so many pairs the score statistic against a margin is taken to be normal."""

_SHARES = (*(0.0025 * k for k in range(1, 40)), *(0.1 + 0.01 * k for k in range(91)))
"""Shares of differing pairs at which the size is looked up first; it is smooth between them."""
_REFINEMENTS = 8
_INTEGERS = 2_000
_HALVINGS = 30
_LEFT_OUT = 1e-4
"""What R. L. Berger and D. D. Boos (JASA 89, 1994, 1012-1016) pay for not looking at shares of
differing pairs that the data rule out with this probability."""
_NORMAL = NormalDist()
JUST = 1e-6
"""The bound where the test rejects 0 and the score interval only nearly does."""


@lru_cache(maxsize=8192)
def p_better(n: int, fixed: int, broken: int) -> float:
    """One-sided p-value that fixing is no likelier than breaking.

    Estimation, then maximization (C. J. Lloyd, Aust. N. Z. J. Stat. 50, 2008, 329-345): tables are
    ordered by the p-value that McNemar's statistic has where pairs differ as often as observed; the
    p-value is the largest probability of a table at least as extreme, however often pairs differ.
    """
    if fixed <= broken:
        return 1.0
    if n > CONDITIONAL_BEYOND:
        return _conditional(fixed + broken, fixed)
    return _size(n, _region(n, _estimated(n, fixed + broken, fixed)))


def fewest_fixed(n: int, discordant: int, alpha: float) -> int | None:
    """The fewest of `discordant` pairs among `n` that must be fixed for a p-value within alpha."""
    if n <= CONDITIONAL_BEYOND:
        least = _rejected(n, alpha)[discordant]
        return least if least <= discordant else None
    return _fewest_conditional(discordant, alpha)


def agreeing_interval(n: int, fixed: int, broken: int, alpha: float) -> tuple[float, float]:
    """Interval at level 1 - alpha for P(fixed) - P(broken): Tango's, in agreement with `p_better`.

    It leaves out 0 exactly when the test of that direction rejects at alpha / 2.
    """
    low, high = tango_interval(n, fixed, broken, alpha)
    if fixed >= broken:
        low = max(low, JUST) if _rejects(n, fixed, broken, alpha / 2) else min(low, 0.0)
    if broken >= fixed:
        high = min(high, -JUST) if _rejects(n, broken, fixed, alpha / 2) else max(high, 0.0)
    return low, high


def _rejects(n: int, fixed: int, broken: int, alpha: float) -> bool:
    """Whether `p_better` is within alpha; of many tables of one size this is the quicker way."""
    if n > CONDITIONAL_BEYOND:
        return p_better(n, fixed, broken) <= alpha
    least = fewest_fixed(n, fixed + broken, alpha)
    return least is not None and fixed >= least


def interval_against(
    n: int, fixed: int, broken: int, margin: float, alpha: float
) -> tuple[float, float]:
    """Tango's interval; it leaves out -`margin` exactly where `p_not_worse` rejects."""
    low, high = tango_interval(n, fixed, broken, alpha)
    if p_not_worse(n, fixed, broken, margin) <= alpha / 2:
        return max(low, JUST - margin), high
    return min(low, -margin), high


def p_not_worse(n: int, fixed: int, broken: int, margin: float) -> float:
    """One-sided p-value that the candidate is worse by `margin` (above 0) or more.

    Tables are ordered by Tango's score statistic; the p-value is the largest probability of one at
    least as extreme over the shares of differing pairs that the data do not rule out.
    """
    observed = score_statistic(n, fixed, broken, -margin)
    if observed <= 0:
        return 1.0
    if n > NORMAL_BEYOND:
        return 1 - _NORMAL.cdf(observed)
    least = [_least_fixed(n, differing, observed, margin) for differing in range(n + 1)]
    low, high = _plausible(n, fixed + broken)
    low, high = max(low, margin), max(high, margin)
    steps = 60
    worst = max(
        _beyond(n, least, share=low + (high - low) * step / steps, margin=margin)
        for step in range(steps + 1)
    )
    return min(1.0, worst + _LEFT_OUT)


def _conditional(discordant: int, least: int) -> float:
    """McNemar's p-value; exact in integers while that is quick."""
    if discordant <= _INTEGERS:
        return binomial_tail(discordant, least)
    return at_least(discordant, least, 0.5)


@lru_cache(maxsize=8192)
def _fewest_conditional(discordant: int, alpha: float) -> int | None:
    low, high = discordant // 2 + 1, discordant + 1
    while low < high:
        middle = (low + high) // 2
        if _conditional(discordant, middle) <= alpha:
            high = middle
        else:
            low = middle + 1
    return low if low <= discordant else None


@lru_cache(maxsize=1 << 17)
def _estimated(n: int, differing: int, fixed: int) -> float:
    """P(McNemar's statistic is at least as large) where pairs differ as often as observed."""
    z = (2 * fixed - differing) / math.sqrt(differing)
    first, chances = bulk(n, differing / n)
    total = 0.0
    for count, chance in enumerate(chances, start=first):
        least = math.ceil((count + z * math.sqrt(count)) / 2 - 1e-9)
        if count and least <= count:
            total += chance * half_tails(count)[least]
    return total


def _region(n: int, cutoff: float) -> tuple[int, ...]:
    """By number of differing pairs, the fewest fixed whose estimated p-value is within `cutoff`.

    One more than all of them where there is none.
    """
    found = [1]
    for differing in range(1, n + 1):
        low, high = differing // 2 + 1, differing + 1
        while low < high:
            middle = (low + high) // 2
            if _estimated(n, differing, middle) <= cutoff + 1e-12:
                high = middle
            else:
                low = middle + 1
        found.append(low)
    return tuple(found)


def _size(n: int, region: tuple[int, ...]) -> float:
    """The largest probability of `region` where fixing and breaking are equally likely."""
    chances = [
        half_tails(differing)[least] if least <= differing else 0.0
        for differing, least in enumerate(region)
    ]

    def at(share: float) -> float:
        first, weights = bulk(n, share)
        return sum(map(float.__mul__, weights, chances[first : first + len(weights)]))

    sizes = [at(share) for share in _SHARES]
    best = max(range(len(sizes)), key=sizes.__getitem__)
    low, high = _SHARES[max(0, best - 1)], _SHARES[min(len(_SHARES) - 1, best + 1)]
    peak = sizes[best]
    for _ in range(_REFINEMENTS):  # thirds: the size has one peak between neighbours
        left, right = low + (high - low) / 3, high - (high - low) / 3
        one, other = at(left), at(right)
        low, high = (low, right) if one > other else (left, high)
        peak = max(peak, one, other)
    return min(1.0, peak)


@lru_cache(maxsize=256)
def _rejected(n: int, alpha: float) -> tuple[int, ...]:
    """The largest region that keeps the level."""
    low, high = 0.0, 2 * alpha
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _size(n, _region(n, middle)) <= alpha:
            low = middle
        else:
            high = middle
    return _region(n, low)


def _least_fixed(n: int, differing: int, observed: float, margin: float) -> int:
    low, high = 0, differing + 1
    while low < high:
        middle = (low + high) // 2
        if score_statistic(n, middle, differing - middle, -margin) >= observed - 1e-9:
            high = middle
        else:
            low = middle + 1
    return low


def _beyond(n: int, least: list[int], *, share: float, margin: float) -> float:
    """P(a table of the region) where pairs differ with `share` and the difference is -margin."""
    fixes = (share - margin) / (2 * share)
    first, chances = bulk(n, min(1.0, share))
    return math.fsum(
        chance * at_least(count, least[count], fixes)
        for count, chance in enumerate(chances, start=first)
        if chance > 1e-12
    )


def _plausible(n: int, differing: int) -> tuple[float, float]:
    """The shares that `differing` of `n` do not rule out (C. Clopper and E. Pearson, 1934)."""

    def solve(too_far: float, near: float, unlikely: Callable[[float], float]) -> float:
        for _ in range(40):
            middle = (too_far + near) / 2
            if unlikely(middle) < _LEFT_OUT / 2:
                too_far = middle
            else:
                near = middle
        return too_far

    estimate = differing / n
    low = 0.0 if differing == 0 else solve(0.0, estimate, lambda p: at_least(n, differing, p))
    high = (
        1.0 if differing == n else solve(1.0, estimate, lambda p: at_least(n, n - differing, 1 - p))
    )
    return low, high

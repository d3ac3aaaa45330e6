"""Paired outcomes that are right or wrong: so many fixed, so many broken, out of n."""

import math
from functools import lru_cache
from statistics import NormalDist

_NORMAL = NormalDist()


def mcnemar(fixed: int, broken: int) -> float:
    """One-sided exact p-value that fixing is no likelier than breaking.

    P(X >= fixed) for X ~ Binomial(fixed + broken, 1/2) (Q. McNemar, Psychometrika 12, 1947,
    153-157, in its exact form). Two-sided: twice the smaller of both sides, at most 1.
    """
    return binomial_tail(fixed + broken, fixed)


def binomial_tail(n: int, least: int) -> float:
    """P(X >= least) for X ~ Binomial(n, 1/2), exact but for the last division."""
    if least <= 0:
        return 1.0
    if 2 * least <= n:
        return 1 - binomial_tail(n, n - least + 1)
    term = math.comb(n, least) if least <= n else 0
    total = 0
    for k in range(least, n + 1):
        total += term
        term = term * (n - k) // (k + 1)
    return total / (1 << n)


@lru_cache(maxsize=65536)
def fewest_fixed(discordant: int, alpha: float) -> int | None:
    """The fewest of `discordant` examples that must be fixed for a p-value of at most alpha."""
    low, high = discordant // 2 + 1, discordant + 1
    while low < high:
        middle = (low + high) // 2
        if binomial_tail(discordant, middle) <= alpha:
            high = middle
        else:
            low = middle + 1
    return low if low <= discordant else None


def score_interval(n: int, fixed: int, broken: int, alpha: float) -> tuple[float, float]:
    """Interval at level 1 - alpha for P(fixed) - P(broken), in agreement with `mcnemar`.

    The score interval for paired proportions (T. Tango, Statistics in Medicine 17, 1998, 891-908)
    holds every difference that the score test with the restricted maximum-likelihood estimate of
    the nuisance does not reject. At 0 that is McNemar's test without correction, which is laxer
    than the exact one; so 0 is added where the exact test does not reject. Hence the interval
    leaves out 0 exactly when the exact test rejects, and is never smaller than Tango's.
    """
    z = -_NORMAL.inv_cdf(alpha / 2)
    low = _score_bound(n, fixed, broken, z)
    high = -_score_bound(n, broken, fixed, z)
    if fixed >= broken and mcnemar(fixed, broken) > alpha / 2:
        low = min(low, 0.0)
    if broken >= fixed and mcnemar(broken, fixed) > alpha / 2:
        high = max(high, 0.0)
    return low, high


def _score_bound(n: int, fixed: int, broken: int, z: float) -> float:
    """The difference below the estimate at which the score statistic is z, by bisection."""
    low, high = -1.0, (fixed - broken) / n
    for _ in range(60):
        middle = (low + high) / 2
        if _score_statistic(n, fixed, broken, middle) > z:
            low = middle
        else:
            high = middle
    return low


def _score_statistic(n: int, fixed: int, broken: int, difference: float) -> float:
    """Tango's (1998) equation 15; P(broken) under the hypothesis solves a x^2 + b x + c = 0."""
    a = 2 * n
    b = (2 * n - fixed + broken) * difference - fixed - broken
    c = -broken * difference * (1 - difference)
    breaks = (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)
    variance = n * (2 * breaks + difference * (1 - difference))
    distance = fixed - broken - n * difference
    if distance <= 0:
        return 0.0
    return distance / math.sqrt(variance) if variance > 0 else math.inf

"""Tango's score statistic and interval for the difference of paired shares."""

import math
from statistics import NormalDist

_NORMAL = NormalDist()


def tango_interval(n: int, fixed: int, broken: int, alpha: float) -> tuple[float, float]:
    """Interval at level 1 - alpha for P(fixed) - P(broken).

    The score interval for paired proportions (T. Tango, Statistics in Medicine 17, 1998, 891-908)
    holds every difference that the score test with the restricted maximum-likelihood estimate of
    the nuisance does not reject.
    """
    z = -_NORMAL.inv_cdf(alpha / 2)
    return _score_bound(n, fixed, broken, z), -_score_bound(n, broken, fixed, z)


def _score_bound(n: int, fixed: int, broken: int, z: float) -> float:
    """The difference below the estimate at which the score statistic is z, by bisection."""
    low, high = -1.0, (fixed - broken) / n
    for _ in range(60):
        middle = (low + high) / 2
        if score_statistic(n, fixed, broken, middle) > z:
            low = middle
        else:
            high = middle
    return low


def score_statistic(n: int, fixed: int, broken: int, difference: float) -> float:
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


def p_tango(n: int, fixed: int, broken: int, difference: float) -> float:
    """One-sided p-value of the score test that P(fixed) - P(broken) is at most `difference`."""
    return 1 - _NORMAL.cdf(score_statistic(n, fixed, broken, difference))

"""What many scores say together: a mean and how sure it is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

Z_95 = 1.959963984540054
"""The 97.5 % point of the standard normal distribution."""

_PRIOR = 0.5
"""Sum of squares of two imagined scores, one 0 and one 1: no few equal scores look certain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """The mean of `n` scores with a two-sided 95 % interval `low`..`high` for the true mean."""

    n: int
    mean: float
    low: float
    high: float


def summarize(scores: Sequence[float]) -> Estimate:
    """The mean of known scores, each at most 1, with its interval; missing ones are not among them.

    Wilson's score interval (E. B. Wilson, JASA 22, 1927, 209-212) for the effective sample size
    n / d (as Korn and Graubard, Survey Methodology 24, 1998, 193-201, do it for proportions). The
    design effect d is the scores' variance over m (1 - m), the largest that scores in 0..1 with
    mean m can have (Bhatia and Davis, Amer. Math. Monthly 107, 2000, 353-357). Where all scores
    are 0 or 1, d is 1 and this is Wilson's interval itself; for graded scores it becomes the
    normal interval of the mean as n grows, and unlike that it is never empty or outside 0..1.

    Scores below 0 (a safety ceiling) widen the range from the lowest one to 1.

    Raises:
        ValueError: no scores, or one that is not finite or above 1.
    """
    if not scores:
        raise ValueError("no scores to summarize")
    if not all(math.isfinite(score) and score <= 1 for score in scores):
        raise ValueError("scores must be finite and at most 1")
    n = len(scores)
    start = min(0.0, min(scores))
    width = 1 - start
    mean = (math.fsum(scores) / n - start) / width
    squares = math.fsum(((score - start) / width - mean) ** 2 for score in scores)
    most = n * mean * (1 - mean)
    effect = min(1.0, (squares + _PRIOR) / (most + _PRIOR))
    low, high = _wilson(mean, n / effect)
    return Estimate(
        n=n, mean=start + width * mean, low=start + width * low, high=start + width * high
    )


def _wilson(mean: float, n: float) -> tuple[float, float]:
    """Both solutions m of n (mean - m)^2 = z^2 m (1 - m)."""
    zz = Z_95 * Z_95
    centre = (mean + zz / (2 * n)) / (1 + zz / n)
    half = Z_95 * math.sqrt(mean * (1 - mean) / n + zz / (4 * n * n)) / (1 + zz / n)
    return max(0.0, min(mean, centre - half)), min(1.0, max(mean, centre + half))

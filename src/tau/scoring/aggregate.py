"""What many scores say together: a mean and how sure it is."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist

_ALPHA = 0.05
_NORMAL = NormalDist()

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
    mean = math.fsum(scores) / len(scores)
    low, high = effective_interval(scores, start=min(0.0, min(scores)), alpha=_ALPHA)
    return Estimate(n=len(scores), mean=mean, low=min(low, mean), high=max(high, mean))


def summarize_by_example(scores: Iterable[tuple[str, float]]) -> Estimate:
    """The mean over examples of (example, score) rows; `n` counts examples.

    The replicates of one example are averaged first: they say how noisy it is, and nothing about
    examples not seen, so that counting them one by one would make the interval too short.

    Raises:
        ValueError: no scores, or one that is not finite or above 1.
    """
    examples: dict[str, list[float]] = {}
    for example, score in scores:
        examples.setdefault(example, []).append(score)
    return summarize([math.fsum(known) / len(known) for known in examples.values()])


@dataclass(slots=True)
class RunningMean:
    """As `summarize_by_example`, one score after the other: each costs the same, however many."""

    rows: int = 0
    _examples: dict[str, tuple[int, float]] = field(default_factory=dict)
    _total: float = 0.0
    _rest: float = 0.0
    _squares: float = 0.0
    _lowest: float = 0.0

    def add(self, example: str, score: float) -> None:
        """One more score, finite and at most 1."""
        count, known = self._examples.get(example, (0, 0.0))
        before = known / count if count else 0.0
        after = (known + score) / (count + 1)
        self._examples[example] = (count + 1, known + score)
        self._sum(after - before)
        self._squares += after * after - before * before
        self._lowest = min(self._lowest, score)
        self.rows += 1

    def _sum(self, change: float) -> None:
        """Add to the total and keep what rounding took (A. Neumaier, ZAMM 54, 1974, 39-51)."""
        total = self._total + change
        large, small = sorted((self._total, change), key=abs, reverse=True)
        self._rest += (large - total) + small
        self._total = total

    @property
    def mean(self) -> float:
        """The mean over examples; 0 where there are none."""
        return (self._total + self._rest) / len(self._examples) if self._examples else 0.0

    def estimate(self) -> Estimate | None:
        """The mean with its interval, None without scores."""
        n = len(self._examples)
        if n == 0:
            return None
        start, width = self._lowest, 1 - self._lowest
        mean = min(1.0, max(start, self.mean))
        share = (mean - start) / width
        moved = (self._squares - 2 * start * self._total + n * start * start) / width**2
        low, high = _interval(n, share, max(0.0, moved - n * share * share), _ALPHA)
        low, high = start + width * low, start + width * high
        return Estimate(n=n, mean=mean, low=min(low, mean), high=max(high, mean))


def effective_interval(
    scores: Sequence[float], *, start: float, alpha: float
) -> tuple[float, float]:
    """Wilson's interval for the effective sample size, for scores in `start`..1 (see above)."""
    n = len(scores)
    width = 1 - start
    mean = (math.fsum(scores) / n - start) / width
    squares = math.fsum(((score - start) / width - mean) ** 2 for score in scores)
    low, high = _interval(n, mean, squares, alpha)
    return start + width * low, start + width * high


def _interval(n: int, mean: float, squares: float, alpha: float) -> tuple[float, float]:
    """For `n` scores in 0..1 with this mean and sum of squared deviations."""
    most = n * mean * (1 - mean)
    effect = min(1.0, (squares + _PRIOR) / (most + _PRIOR))
    return _wilson(mean, n / effect, -_NORMAL.inv_cdf(alpha / 2))


def _wilson(mean: float, n: float, z: float) -> tuple[float, float]:
    """Both solutions m of n (mean - m)^2 = z^2 m (1 - m)."""
    zz = z * z
    centre = (mean + zz / (2 * n)) / (1 + zz / n)
    half = z * math.sqrt(mean * (1 - mean) / n + zz / (4 * n * n)) / (1 + zz / n)
    return max(0.0, min(mean, centre - half)), min(1.0, max(mean, centre + half))

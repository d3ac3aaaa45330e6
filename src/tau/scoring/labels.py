"""A judge's mean difference, corrected by the rows that people scored too.

Prediction-powered inference (A. Angelopoulos and others, Science 382, 2023, 669-674) with the
weight of the judge that makes the variance least (PPI++, arXiv 2311.01453). The labelled rows are
some of the judged ones, so that this is the regression estimator of a sample in two phases (W. G.
Cochran, Sampling Techniques, 1977, 12.6): unbiased whatever the judge's errors, if the labelled
rows were drawn with known probabilities.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from tau.scoring.student import t_beyond, t_quantile

FEWEST_LABELS = 10
"""With fewer labelled rows (or groups of them) nothing is decided."""
FEW_LABELS = 20
"""With fewer the interval is known to be rough, and that is said."""
_UNSEEN = 2.0
"""Squares added to those of the judge's errors: few labels that all agree don't make it perfect.

With .25 a judge that takes 30 % of one side's wrong answers for right was believed in .12 of runs
with 10 labels; with this in at most .05 of those with 10 to 60."""
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One row: the judge's difference; people's, and the chance that they were asked, or None."""

    judge: float
    human: float | None = None
    share: float = 1.0
    group: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """The corrected difference with its standard error.

    `weight` is that of the judge: 0 says that its verdicts are of no use. `human_only` is the
    standard error of the labelled rows alone, `floor` the one that no number of labels undercuts.
    """

    difference: float
    error: float
    human_only: float
    floor: float
    weight: float
    labels: int
    freedom: int

    def p_greater(self, null: float) -> float:
        """One-sided p-value that the difference is at most `null`."""
        return t_beyond((self.difference - null) / self.error, self.freedom)

    def p_less(self, null: float) -> float:
        """One-sided p-value that the difference is at least `null`."""
        return t_beyond((null - self.difference) / self.error, self.freedom)

    def interval(self, alpha: float) -> tuple[float, float]:
        """Each bound holds with 1 - alpha / 2."""
        half = t_quantile(alpha / 2, self.freedom) * self.error
        return max(-1.0, self.difference - half), min(1.0, self.difference + half)

    def labels_to_settle(self, distance: float, *, alpha: float, chance: float = 0.8) -> int | None:
        """About how many labels would settle it if the truth is as estimated; None if none would.

        `distance` is that between the estimate and the value to be told from it.
        """
        wanted = (abs(distance) / (_NORMAL.inv_cdf(1 - alpha) + _NORMAL.inv_cdf(chance))) ** 2
        spare = wanted - self.floor**2
        if spare <= 0:
            return None
        each = (self.error**2 - self.floor**2) * self.labels
        return max(FEW_LABELS, self.labels + 1, math.ceil(each / spare))


def corrected(rows: Sequence[Judged]) -> Corrected | None:
    """Correct the judge by the labelled rows; None with fewer than `FEWEST_LABELS` of them.

    Rows of a group belong together: the variance is that of sums over groups.
    """
    labelled = [(row, row.human, 1 / row.share) for row in rows if row.human is not None]
    units = len({row.group if row.group is not None else id(row) for row, _, _ in labelled})
    if units < FEWEST_LABELS:
        return None
    total = math.fsum(weight for _, _, weight in labelled)
    judge = math.fsum(row.judge * weight for row, _, weight in labelled) / total
    human = math.fsum(value * weight for _, value, weight in labelled) / total
    weight = _weight(labelled, judge, human)
    everywhere = math.fsum(row.judge for row in rows) / len(rows)
    errors = {
        id(row): share * (value - human - weight * (row.judge - judge)) / total
        for row, value, share in labelled
    }
    inflated = units / (units - 2)
    floor = _variance(rows, [weight * (row.judge - everywhere) / len(rows) for row in rows])
    alone = _variance(
        [row for row, _, _ in labelled],
        [share * (value - human) / total for _, value, share in labelled],
    )
    both = _variance(
        rows,
        [
            weight * (row.judge - everywhere) / len(rows)
            + math.sqrt(inflated) * errors.get(id(row), 0.0)
            for row in rows
        ],
    )
    return Corrected(
        difference=weight * everywhere + human - weight * judge,
        error=math.sqrt(both + _UNSEEN / units**2),
        human_only=math.sqrt(alone * units / (units - 1) + _UNSEEN / units**2),
        floor=math.sqrt(floor),
        weight=weight,
        labels=len(labelled),
        freedom=units - 2,
    )


def _weight(labelled: Sequence[tuple[Judged, float, float]], judge: float, human: float) -> float:
    """The slope of people's differences on the judge's, kept within 0..1."""
    covariance = math.fsum(
        share * (row.judge - judge) * (value - human) for row, value, share in labelled
    )
    variance = math.fsum(share * (row.judge - judge) ** 2 for row, _, share in labelled)
    return min(1.0, max(0.0, covariance / variance)) if variance > 0 else 0.0


def _variance(rows: Sequence[Judged], parts: Sequence[float]) -> float:
    """Of a sum of parts, independent between groups."""
    sums: dict[str | int, float] = {}
    for row, part in zip(rows, parts, strict=True):
        key = row.group if row.group is not None else id(row)
        sums[key] = sums.get(key, 0.0) + part
    return math.fsum(part * part for part in sums.values())

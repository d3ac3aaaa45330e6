"""Which rows to meet first: those that prompts are expected to differ on, by earlier scores."""

import math
from collections.abc import Mapping, Sequence

from tau.domain.ids import ExampleId

_LEVEL_WEIGHT = 2.0
"""How many imagined scores of the mean level stand beside those of a row."""
_SCATTER_WEIGHT = 10.0
"""How many imagined scores the variance that a row's mean suggests weighs against its scatter."""


def contested_first(
    rows: Sequence[ExampleId], earlier: Mapping[ExampleId, Sequence[float]]
) -> tuple[ExampleId, ...]:
    """`rows` with those first on which scores (in 0..1) will vary most; equal ones as they stand.

    `earlier` are scores of other candidates, by row; a row may be missing. Where the best of a
    fixed set of rows is sought, a row on which all agree decides nothing, and what is spent on
    rows of high variance leaves least unknown (J. Neyman, Journal of the Royal Statistical Society
    97, 1934, 558-625: samples in proportion to the spread within strata; for items of a test F.
    Lord, Applications of Item Response Theory, 1980: most information where either answer is
    likely). Variances are shrunk as those of normal samples under a conjugate prior (A. Gelman et
    al., Bayesian Data Analysis, section 2.6), whose centre is p(1 - p) with p the shrunk mean of
    the row, scaled by how much less than right-or-wrong scores these scatter.

    Means over a prefix of this order are for ranking candidates among each other: they tell
    neither how good one is on all rows, nor anything of those whose scores made the order.
    """
    known = {row: scores for row in rows if (scores := earlier.get(row))}
    if not known:
        return tuple(rows)
    count = sum(map(len, known.values()))
    level = math.fsum(score for scores in known.values() for score in scores) / count
    centre = {row: _centre(known.get(row, ()), level) for row in rows}
    scatter = {row: _scatter(scores) for row, scores in known.items()}
    scale = _scale(centre, scatter, known)
    # Rounding must not order what is equal.
    expected = {
        row: round(
            (_SCATTER_WEIGHT * scale * centre[row] + scatter.get(row, 0.0))
            / (_SCATTER_WEIGHT + max(0, len(known.get(row, ())) - 1)),
            12,
        )
        for row in rows
    }
    return tuple(sorted(rows, key=lambda row: -expected[row]))


def _centre(scores: Sequence[float], level: float) -> float:
    mean = (_LEVEL_WEIGHT * level + math.fsum(scores)) / (_LEVEL_WEIGHT + len(scores))
    return max(0.0, mean * (1 - mean))


def _scatter(scores: Sequence[float]) -> float:
    mean = math.fsum(scores) / len(scores)
    return math.fsum((score - mean) ** 2 for score in scores)


def _scale(
    centre: Mapping[ExampleId, float],
    scatter: Mapping[ExampleId, float],
    known: Mapping[ExampleId, Sequence[float]],
) -> float:
    """How much the scores scatter beside right and wrong ones; 1 where no row has two."""
    expected = math.fsum((len(scores) - 1) * centre[row] for row, scores in known.items())
    return math.fsum(scatter.values()) / expected if expected > 0 else 1.0

"""How far two or more raters agree beyond chance: Cohen's kappa and Krippendorff's alpha."""

import math
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import chain
from statistics import NormalDist
from typing import Literal

from tau.domain.draws import stream

KappaWeights = Literal["linear", "quadratic"]
MeasurementLevel = Literal["nominal", "ordinal", "interval"]

DRAWS = 1_000
"""Resamples of a bootstrap interval."""
_WORD = 8
TableStatistic = Callable[[Sequence[Sequence[int]]], float | None]


def confusion(
    first: Sequence[Hashable], second: Sequence[Hashable], labels: Sequence[Hashable]
) -> tuple[tuple[int, ...], ...]:
    """Counts: a row for each label of the first rater, a column for each of the second.

    Raises:
        ValueError: the raters have not rated the same rows, or used another label.
    """
    place = {label: index for index, label in enumerate(labels)}
    table = [[0] * len(labels) for _ in labels]
    for one, other in zip(first, second, strict=True):
        if one not in place or other not in place:
            raise ValueError(f"a rating that is none of the labels: {one!r}, {other!r}")
        table[place[one]][place[other]] += 1
    return tuple(map(tuple, table))


def cohen_kappa(
    table: Sequence[Sequence[int]], weights: KappaWeights | None = None
) -> float | None:
    """Agreement beyond chance of a confusion table whose labels are in order.

    None where chance alone would agree always: both raters used the same single label, or there
    are no rows.
    """
    size, total = len(table), sum(map(sum, table))
    rows = [sum(row) for row in table]
    columns = [sum(row[index] for row in table) for index in range(size)]
    seen = chance = 0.0
    for i in range(size):
        for j in range(size):
            apart = _weight(i, j, weights)
            seen += apart * table[i][j]
            chance += apart * rows[i] * columns[j]
    return 1 - seen * total / chance if chance > 0 else None


def _weight(i: int, j: int, weights: KappaWeights | None) -> float:
    if weights is None:
        return float(i != j)
    return float(abs(i - j) if weights == "linear" else (i - j) ** 2)


def krippendorff_alpha(
    units: Sequence[Sequence[float | None]], level: MeasurementLevel = "nominal"
) -> float | None:
    """Agreement of any number of raters; a unit has a value for each of them, None where missing.

    None where it is not defined: no unit has two values, or all values are alike.
    Reference: K. Krippendorff, Content Analysis, 2004, chapter 11.
    """
    together: dict[tuple[float, float], float] = {}
    for unit in units:
        counts = Counter(value for value in unit if value is not None)
        raters = counts.total()
        for a, count in counts.items() if raters > 1 else ():
            for b, other in counts.items():
                pairs = count * (other - (a == b)) / (raters - 1)
                together[a, b] = together.get((a, b), 0.0) + pairs
    return _alpha(together, level)


def alpha_of_table(
    table: Sequence[Sequence[int]], level: MeasurementLevel = "nominal"
) -> float | None:
    """Krippendorff's alpha of two raters whose confusion table, in order, is known."""
    size = range(len(table))
    together = {
        (float(i), float(j)): float(table[i][j] + table[j][i])
        for i in size
        for j in size
        if table[i][j] or table[j][i]
    }
    return _alpha(together, level)


def _alpha(together: Mapping[tuple[float, float], float], level: MeasurementLevel) -> float | None:
    """From how often each two values were given to the same unit."""
    marginals: dict[float, float] = {}
    for (a, _), count in together.items():
        marginals[a] = marginals.get(a, 0.0) + count
    values = sorted(marginals)
    if len(values) < 2:
        return None
    apart = _distances(values, marginals, level)
    seen = math.fsum(count * apart(a, b) for (a, b), count in together.items() if a != b)
    chance = math.fsum(
        marginals[a] * marginals[b] * apart(a, b) for a in values for b in values if a != b
    )
    return 1 - (math.fsum(marginals.values()) - 1) * seen / chance


def _distances(
    values: Sequence[float], marginals: Mapping[float, float], level: MeasurementLevel
) -> Callable[[float, float], float]:
    if level == "nominal":
        return lambda a, b: float(a != b)
    if level == "interval":
        return lambda a, b: (a - b) ** 2
    # Of ordinal values only ranks count: the squared number of ratings between the two.
    middle, below = {}, 0.0
    for value in values:
        middle[value] = below + marginals[value] / 2
        below += marginals[value]
    return lambda a, b: (middle[a] - middle[b]) ** 2


def wilson(share: float, rows: float, confidence: float = 0.95) -> tuple[float, float]:
    """E. B. Wilson's interval for a share of `rows`, which may be an effective number.

    Raises:
        ValueError: there are no rows.
    """
    if rows <= 0:
        raise ValueError("no interval from no rows")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    spread = z * math.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows))
    middle = share + z * z / (2 * rows)
    scale = 1 + z * z / rows
    low = 0.0 if share == 0 else max(0.0, (middle - spread) / scale)
    return low, 1.0 if share == 1 else min(1.0, (middle + spread) / scale)


def bootstrap(
    groups: Sequence[Sequence[tuple[int, int]]],
    size: int,
    statistics: Sequence[TableStatistic],
    *,
    seed: int = 0,
    confidence: float = 0.95,
    draws: int = DRAWS,
) -> list[tuple[float, float] | None]:
    """The percentile interval of each statistic of a confusion table, over resampled whole groups.

    A group holds the cells its rows fall into, `size` is that of the table. None where a statistic
    is not defined on at least nine in ten resamples, or there are fewer than two groups.
    """
    if len(groups) < 2:
        return [None] * len(statistics)
    cells = [[i * size + j for i, j in group] for group in groups]
    found: list[list[float]] = [[] for _ in statistics]
    for draw in range(draws):
        table = _resampled(cells, size, seed, draw)
        for values, statistic in zip(found, statistics, strict=True):
            value = statistic(table)
            if value is not None:
                values.append(value)
    outside = (1 - confidence) / 2
    return [
        _between(sorted(values), outside) if 10 * len(values) >= 9 * draws else None
        for values in found
    ]


def _resampled(
    cells: Sequence[Sequence[int]], size: int, seed: int, draw: int
) -> Sequence[Sequence[int]]:
    """The table of as many groups, drawn with replacement by a hash."""
    count = len(cells)
    words = memoryview(stream(_WORD * count, seed, "bootstrap", draw)).cast("Q")
    counts = Counter(chain.from_iterable(cells[word % count] for word in words))
    return [[counts[i * size + j] for j in range(size)] for i in range(size)]


def _between(values: Sequence[float], outside: float) -> tuple[float, float]:
    last = len(values) - 1
    return values[math.floor(outside * last)], values[math.ceil((1 - outside) * last)]

"""What is independent of each other: single rows, or groups of rows that belong together."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

FEW_GROUPS = 12
"""Below so many groups neither a test nor an interval says much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """Sums of differences over `sizes` rows each; `effective_rows` is how many they are worth.

    `design_effect` is how many times the variance of the mean exceeds that of as many independent
    rows; None where the rows are the units.
    """

    totals: tuple[float, ...]
    sizes: tuple[int, ...]
    design_effect: float | None = None

    @property
    def rows(self) -> int:
        """All rows of all units."""
        return sum(self.sizes)

    @property
    def mean(self) -> float:
        """Over rows: the ratio of the sums."""
        return math.fsum(self.totals) / self.rows

    @property
    def effective_rows(self) -> float:
        """Between the number of groups and that of rows."""
        effect = self.design_effect if self.design_effect is not None else 1.0
        return min(self.rows, max(len(self.sizes), self.rows / max(1.0, effect)))

    @property
    def outcomes(self) -> tuple[int, int] | None:
        """How many units are fixed and broken, where each is wholly that or unchanged."""
        if min(self.sizes) != max(self.sizes):
            return None
        size = self.sizes[0]
        if any(total not in (-size, 0, size) for total in self.totals):
            return None
        return self.totals.count(size), self.totals.count(-size)

    def shifted(self, null: float) -> tuple[float, ...]:
        """Totals less what they would be if the mean difference were `null`."""
        if null == 0:
            return self.totals
        return tuple(
            total - null * size for total, size in zip(self.totals, self.sizes, strict=True)
        )

    def mirrored(self) -> "Units":
        """Baseline and candidate swapped."""
        return Units(
            totals=tuple(-total for total in self.totals),
            sizes=self.sizes,
            design_effect=self.design_effect,
        )


def units_of(differences: Sequence[float], groups: Sequence[str] | None = None) -> Units:
    """Rows by group, or single rows where there are no groups or each has a row of its own.

    Raises:
        ValueError: no differences.
    """
    if not differences:
        raise ValueError("no differences to test")
    if groups is None or len(set(groups)) == len(differences):
        return Units(totals=tuple(differences), sizes=(1,) * len(differences))
    members: dict[str, list[float]] = {}
    for group, difference in zip(groups, differences, strict=True):
        members.setdefault(group, []).append(difference)
    totals = tuple(math.fsum(rows) for rows in members.values())
    sizes = tuple(len(rows) for rows in members.values())
    return Units(totals=totals, sizes=sizes, design_effect=_effect(totals, sizes, differences))


def _effect(totals: Sequence[float], sizes: Sequence[int], rows: Sequence[float]) -> float:
    """Variance of the ratio of totals (W. G. Cochran, Sampling Techniques, 1977, 6.13) over s^2/n.

    1 where nothing varies or there is one group only.
    """
    n, groups = len(rows), len(sizes)
    mean = math.fsum(rows) / n
    spread = math.fsum((row - mean) ** 2 for row in rows) / max(1, n - 1)
    if groups < 2 or spread <= 1e-12:
        return 1.0
    between = math.fsum(
        (total - mean * size) ** 2 for total, size in zip(totals, sizes, strict=True)
    )
    return groups / (groups - 1) * between / n**2 / (spread / n)

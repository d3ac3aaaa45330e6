"""Whether the candidate costs less: of money, tokens or time, row by row.

Tested is the mean saving per row, which is what the bill adds up: a candidate that is cheaper on
most rows and far dearer on few is not called cheaper. Costs have long tails, so that the test is
`mean_test`, with the dearest row seen on either side as the worst that a row can cost.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tau.domain.json import Json
from tau.scoring.means import mean_test
from tau.scoring.units import units_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """Baseline minus candidate, per row; `low`..`high` holds it, each bound with 1 - alpha."""

    rows: int
    missing: int
    baseline: float
    candidate: float
    saving: float
    low: float
    high: float
    p_value: float
    p_dearer: float

    @property
    def ratio(self) -> float | None:
        """The candidate's cost over the baseline's; None where the baseline's is nothing."""
        return self.candidate / self.baseline if self.baseline > 0 else None

    def to_json(self) -> dict[str, Json]:
        """By the names of its fields; totals are over `rows`."""
        return {
            "tested": "mean saving per row",
            "rows": self.rows,
            "missing": self.missing,
            "baseline": self.baseline,
            "candidate": self.candidate,
            "ratio": self.ratio,
            "saving": self.saving,
            "low": self.low,
            "high": self.high,
            "p_value": self.p_value,
        }


def saving(
    baseline: Sequence[float | None],
    candidate: Sequence[float | None],
    groups: Sequence[str] | None = None,
    *,
    alpha: float,
) -> Saving | None:
    """Compare the costs of rows that have both; None where none has."""
    known = [
        (number, theirs, ours)
        for number, (theirs, ours) in enumerate(zip(baseline, candidate, strict=True))
        if theirs is not None and ours is not None
    ]
    if not known:
        return None
    dearest = max(max(theirs, ours) for _, theirs, ours in known) or 1.0
    units = units_of(
        [(theirs - ours) / dearest for _, theirs, ours in known],
        None if groups is None else [groups[number] for number, _, _ in known],
    )
    found = mean_test(units, 2 * alpha)
    return Saving(
        rows=len(known),
        missing=len(baseline) - len(known),
        baseline=math.fsum(theirs for _, theirs, _ in known),
        candidate=math.fsum(ours for _, _, ours in known),
        saving=units.mean * dearest,
        low=min(found.low, units.mean) * dearest,
        high=max(found.high, units.mean) * dearest,
        p_value=found.p_greater,
        p_dearer=found.p_less,
    )

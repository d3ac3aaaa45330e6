"""What a judge's verdict depends on besides the answer: asked twice, and on altered answers."""

from collections.abc import Sequence
from dataclasses import dataclass

from tau.scoring.calibration import (
    PASS_MARK,
    IntervalEstimate,
    RatedOutput,
    group_names,
    mean_of,
    share_of,
)
from tau.scoring.perturbations import Perturbation

_CERTAIN = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class AlteredOutput:
    """The judge's score of an output as it was and as it was altered."""

    before: float
    after: float
    group: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """What an alteration does.

    `changed` is the share of verdicts that are another one, `shift` the mean change of the score,
    `passing` the share of altered outputs that pass. `perturbation` None: nothing was altered.
    """

    perturbation: Perturbation | None
    rows: int
    changed: IntervalEstimate
    shift: IntervalEstimate
    passing: IntervalEstimate

    @property
    def gain(self) -> float:
        """The gain that a candidate could make of it alone; 0 where chance does as much."""
        harmless = self.perturbation is not None and self.perturbation.harmless
        return max(0.0, self.shift.value or 0.0) if harmless and self.sure else 0.0

    @property
    def sure(self) -> bool:
        """Whether the change of the score is above what chance does."""
        return self.shift.low is not None and self.shift.low > 0

    @property
    def weak(self) -> bool:
        """Whether it shows a weakness: a sure gain, or answers without substance that pass."""
        if self.perturbation is None or self.perturbation.harmless:
            return self.sure
        return (self.passing.value or 0.0) > 0.0


def sensitivity_of(perturbation: Perturbation | None, rows: Sequence[AlteredOutput]) -> Sensitivity:
    """Compare verdicts before and after.

    Raises:
        ValueError: there are no rows.
    """
    pairs = [RatedOutput(human=row.before, judge=row.after, group=row.group) for row in rows]
    return Sensitivity(
        perturbation=perturbation,
        rows=len(rows),
        changed=share_of(pairs, lambda one: abs(one.judge - one.human) > _CERTAIN),
        shift=mean_of([row.after - row.before for row in rows], group_names(pairs)),
        passing=share_of(pairs, lambda one: one.judge >= PASS_MARK),
    )

"""Whether a mean of paired differences in [-1, 1] is above a value, and an interval that agrees.

Three tests together, each of them for what the others don't see; see
docs/decisions/0010-graded-differences.md for the figures they were chosen by.

- Sign flips: exact where swapping the candidates changes nothing.
- Unseen losses: a gain on all rows seen proves nothing where rare losses, too rare to have been
  seen among so few rows, would undo it.
- The worst case (`tau.scoring.worst_case`), where losses make up more of the squares than gains:
  few large ones were seen and there may be more, which sign flips underrate. It is asked of fewer
  than ten units in any case: among so few, whether losses weigh more is chance.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from tau.scoring.sign_flips import DRAWS, sign_flips
from tau.scoring.unconditional import JUST
from tau.scoring.units import Units
from tau.scoring.worst_case import low_unseen, low_worst_case, p_unseen, p_worst_case

_HALVINGS = 20
_FEW_UNITS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanTest:
    """One-sided p-values against the null value, and the interval at 1 - alpha around the mean."""

    p_greater: float
    p_less: float
    low: float
    high: float


def mean_test(units: Units, alpha: float, *, null: float = 0.0, draws: int = DRAWS) -> MeanTest:
    """Test the mean of `units` against `null` in both directions, each at alpha / 2.

    The interval leaves out `null` exactly where one of the directions rejects.
    """
    sizes = None if max(units.sizes) == 1 else units.sizes
    shifted = units.shifted(null)
    found = sign_flips(shifted, alpha, sizes=sizes, draws=draws)
    values = sorted(_means(shifted, units))
    gain = _Side(values, units, worst=1 + null)
    loss = _Side([-value for value in reversed(values)], units, worst=1 - null)
    p_greater, p_less = gain.p_value(found.p_greater), loss.p_value(found.p_less)
    return MeanTest(
        p_greater=p_greater,
        p_less=p_less,
        low=max(-1.0, null + gain.low(found.low, p_greater, alpha / 2)),
        high=min(1.0, null - loss.low(-found.high, p_less, alpha / 2)),
    )


class _Side:
    """One direction: whether the mean of shifted values, in order of size, is above 0."""

    def __init__(self, values: Sequence[float], units: Units, *, worst: float) -> None:
        self._values = values
        self._firsts = [0.0, *accumulate(self._values)]
        self._squares = [0.0, *accumulate(value * value for value in self._values)]
        self._grouped = units.design_effect is not None
        self._rows = units.effective_rows
        self._mean = math.fsum(values) / len(values)
        self._worst = worst
        self._few = len(self._values) < _FEW_UNITS

    def p_value(self, p_flips: float) -> float:
        """That of all three tests."""
        p = max(p_flips, p_unseen(self._rows, self._mean, self._worst))
        if self._few or self._losses_weigh(0.0):
            p = max(p, p_worst_case(self._values, self._worst))
        return p

    def low(self, low_flips: float, p: float, alpha: float) -> float:
        """The bound below the mean at 1 - alpha; above 0 exactly where `p` is within alpha."""
        low = low_flips
        if not self._grouped:  # with groups the interval would be far too wide for most data
            low = min(low, low_unseen(self._rows, self._mean, self._worst, alpha))
        if self._few:
            low = min(low, self._low_worst(alpha))
        elif self._losses_weigh(low):
            low = min(low, max(self._even(low), self._low_worst(alpha)))
        return max(low, JUST) if p <= alpha else min(low, 0.0)

    def _losses_weigh(self, null: float) -> bool:
        """Whether losses against `null` make up more than half of the squares."""
        count, total, squares = self._sums(bisect_right(self._values, null))
        losses = squares - 2 * null * total + count * null * null
        count, total, squares = self._sums(len(self._values))
        return 2 * losses > squares - 2 * null * total + count * null * null

    def _sums(self, count: int) -> tuple[int, float, float]:
        """Of the `count` smallest values: how many, their sum, that of their squares."""
        return count, self._firsts[count], self._squares[count]

    def _even(self, low: float) -> float:
        """The highest value below `low` against which losses don't weigh more, or nearly."""
        least, most = -self._worst, low
        for _ in range(_HALVINGS):
            middle = (least + most) / 2
            if self._losses_weigh(middle):
                most = middle
            else:
                least = middle
        return least

    def _low_worst(self, alpha: float) -> float:
        return low_worst_case(self._values, self._worst, alpha)


def _means(shifted: Sequence[float], units: Units) -> list[float]:
    """Totals in units of the mean size, so that their plain mean is the mean over rows."""
    size = units.rows / len(units.sizes)
    return list(shifted) if size == 1 else [total / size for total in shifted]

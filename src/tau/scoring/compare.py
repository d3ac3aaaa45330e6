"""Two candidates once, on a fixed set of examples: difference, interval, p-value."""

from dataclasses import dataclass
from enum import StrEnum

from tau.domain.ids import ExampleId
from tau.domain.json import Json
from tau.scoring.means import MeanTest, mean_test
from tau.scoring.sign_flips import DRAWS
from tau.scoring.table import Pairing
from tau.scoring.tango import p_tango
from tau.scoring.unconditional import agreeing_interval, interval_against, p_better, p_not_worse
from tau.scoring.units import Units, units_of


class Method(StrEnum):
    """How a comparison was tested."""

    EXACT = "exact_unconditional"
    SIGN_FLIPS = "sign_flips"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Candidate minus baseline over `n` examples.

    `low`..`high` holds the true mean difference at level 1 - `alpha` and leaves out -`margin`
    exactly when `p_value` (two-sided) is at most alpha. `p_greater` is one-sided: the candidate is
    no better than that. `missing` examples were to be compared and could not be. Where rows belong
    together, `groups` is the number of units and `design_effect` how many times the variance
    exceeds that of independent rows.
    """

    n: int
    missing: int
    difference: float
    low: float
    high: float
    alpha: float
    p_value: float
    p_greater: float
    method: Method
    fixed: tuple[ExampleId, ...]
    broken: tuple[ExampleId, ...]
    margin: float = 0.0
    groups: int | None = None
    design_effect: float | None = None

    def to_json(self) -> Json:
        """For evidence and reports; examples by id."""
        return {
            "n": self.n,
            "missing": self.missing,
            "difference": self.difference,
            "low": self.low,
            "high": self.high,
            "alpha": self.alpha,
            "p_value": self.p_value,
            "p_greater": self.p_greater,
            "method": self.method.value,
            "fixed": list(self.fixed),
            "broken": list(self.broken),
            "margin": self.margin,
            "groups": self.groups,
            "design_effect": self.design_effect,
        }


def compare(
    pairing: Pairing, *, alpha: float = 0.05, margin: float = 0.0, draws: int = DRAWS
) -> Comparison:
    """Compare on all the paired examples at once; not to be repeated while they come in.

    Where all differences are -1, 0 or 1 (right or wrong answers, one replicate), the exact
    unconditional test and the score interval that agrees with it; else `mean_test`. Rows that
    belong together are one unit. With a `margin` the tests are against a loss of so much.

    Raises:
        ValueError: nothing is paired, alpha is not in (0, 1), or the margin not in [0, 1).
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must be between 0 and 1, got {alpha}")
    if not 0 <= margin < 1:
        raise ValueError(f"a margin must be at least 0 and below 1, got {margin}")
    if not pairing.differences:
        raise ValueError("nothing to compare: no example has known scores of both candidates")
    units = units_of(pairing.differences, pairing.groups)
    outcomes, mean = units.outcomes, units.mean
    tested = (
        mean_test(units, alpha, null=-margin, draws=draws)
        if outcomes is None
        else _exact(units, *outcomes, margin=margin, alpha=alpha)
    )
    return Comparison(
        n=len(pairing.differences),
        missing=pairing.missing,
        difference=mean,
        low=min(tested.low, mean),
        high=max(tested.high, mean),
        alpha=alpha,
        p_value=min(1.0, 2 * min(tested.p_greater, tested.p_less)),
        p_greater=tested.p_greater,
        method=Method.SIGN_FLIPS if outcomes is None else Method.EXACT,
        fixed=pairing.fixed,
        broken=pairing.broken,
        margin=margin,
        groups=None if units.design_effect is None else len(units.sizes),
        design_effect=units.design_effect,
    )


def _exact(units: Units, fixed: int, broken: int, *, margin: float, alpha: float) -> MeanTest:
    n = len(units.sizes)
    if margin == 0:
        low, high = agreeing_interval(n, fixed, broken, alpha)
        return MeanTest(
            p_greater=p_better(n, fixed, broken),
            p_less=p_better(n, broken, fixed),
            low=low,
            high=high,
        )
    low, high = interval_against(n, fixed, broken, margin, alpha)
    return MeanTest(
        p_greater=p_not_worse(n, fixed, broken, margin),
        p_less=p_tango(n, broken, fixed, margin),
        low=low,
        high=high,
    )

"""Two candidates once, on a fixed set of examples: difference, interval, p-value."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tau.domain.ids import ExampleId
from tau.domain.json import Json
from tau.scoring.aggregate import effective_interval
from tau.scoring.sign_flips import DRAWS, sign_flips
from tau.scoring.table import Pairing
from tau.scoring.unconditional import agreeing_interval, p_better


class Method(StrEnum):
    """How a comparison was tested."""

    EXACT = "exact_unconditional"
    SIGN_FLIPS = "sign_flips"


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Candidate minus baseline over `n` examples.

    `low`..`high` holds the true mean difference at level 1 - `alpha` and leaves out 0 exactly when
    `p_value` (two-sided) is at most alpha. `p_greater` is one-sided: the candidate is no better.
    `missing` examples were to be compared and could not be.
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
        }


def compare(pairing: Pairing, *, alpha: float = 0.05, draws: int = DRAWS) -> Comparison:
    """Compare on all the paired examples at once; not to be repeated while they come in.

    Where all differences are -1, 0 or 1 (right or wrong answers, one replicate), the exact
    unconditional test and the score interval that agrees with it; else the sign-flip test and its
    inversion.

    Raises:
        ValueError: nothing is paired, or alpha is not in (0, 1).
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must be between 0 and 1, got {alpha}")
    mean = pairing.mean
    if mean is None:
        raise ValueError("nothing to compare: no example has known scores of both candidates")
    tested = (
        _discordant(pairing, alpha)
        if all(difference in (-1.0, 0.0, 1.0) for difference in pairing.differences)
        else _graded(pairing.differences, alpha, draws)
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
        method=tested.method,
        fixed=pairing.fixed,
        broken=pairing.broken,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tested:
    p_greater: float
    p_less: float
    low: float
    high: float
    method: Method


def _discordant(pairing: Pairing, alpha: float) -> _Tested:
    fixed, broken = len(pairing.fixed), len(pairing.broken)
    n = len(pairing.differences)
    low, high = agreeing_interval(n, fixed, broken, alpha)
    return _Tested(
        p_greater=p_better(n, fixed, broken),
        p_less=p_better(n, broken, fixed),
        low=low,
        high=high,
        method=Method.EXACT,
    )


def _graded(differences: Sequence[float], alpha: float, draws: int) -> _Tested:
    """The inverted test, widened to the score interval of the mean on the sides it accepts.

    Inversion alone supposes symmetry and is too short where a few examples differ much and most do
    not at all. Where the test rejects 0, the bound next to 0 stays as the test has it.
    """
    found = sign_flips(differences, alpha, draws=draws)
    low, _ = effective_interval(differences, start=-1.0, alpha=alpha)
    # Mirrored, so that swapping the candidates mirrors the result to the last digit.
    least, _ = effective_interval(
        [-difference for difference in differences], start=-1.0, alpha=alpha
    )
    high = -least
    return _Tested(
        p_greater=found.p_greater,
        p_less=found.p_less,
        low=found.low if found.low > 0 else min(found.low, low),
        high=found.high if found.high < 0 else max(found.high, high),
        method=Method.SIGN_FLIPS,
    )

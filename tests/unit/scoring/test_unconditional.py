"""The exact unconditional tests, held to their level by going through every table."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from tau.scoring.power import power
from tau.scoring.unconditional import fewest_fixed, p_better, p_not_worse

Floats = NDArray[np.float64]


def worst_size(
    n: int, rejects: Callable[[int, int], bool], shares: Floats, margin: float = 0.0
) -> float:
    """The largest probability of a rejection where the difference is -`margin`, over `shares`.

    Every table of fixed and broken is gone through; `shares` are those of pairs that differ.
    """
    tables = [(x, y) for x in range(n + 1) for y in range(n + 1 - x) if rejects(x, y)]
    if not tables:
        return 0.0
    fixed, broken = (np.array(side) for side in zip(*tables, strict=True))
    sizes = []
    for share in shares:
        outcomes = [(share - margin) / 2, (share + margin) / 2, 1 - share]
        counts = np.column_stack([fixed, broken, n - fixed - broken])
        sizes.append(stats.multinomial.pmf(counts, n, outcomes).sum())
    return float(max(sizes))


@pytest.mark.parametrize("alpha", [0.05, 0.025, 0.0125])
@pytest.mark.parametrize("n", [6, 13, 25, 37])
def test_a_gain_that_is_none_is_claimed_within_the_level(n: int, alpha: float) -> None:
    shares = np.linspace(0.001, 1, 400)
    size = worst_size(n, lambda x, y: p_better(n, x, y) <= alpha, shares)

    assert size <= alpha + 1e-5
    if n >= 13:
        assert size >= 0.7 * alpha, "power that lies unused"


@pytest.mark.parametrize("margin", [0.02, 0.1, 0.25])
@pytest.mark.parametrize("n", [12, 30])
def test_a_loss_of_the_margin_passes_as_none_within_the_level(n: int, margin: float) -> None:
    shares = np.linspace(margin, 1, 200)
    rejects = {
        (x, y): p_not_worse(n, x, y, margin) <= 0.05 for x in range(n + 1) for y in range(n + 1 - x)
    }
    if any(rejects.values()):
        assert worst_size(n, lambda x, y: rejects[x, y], shares, margin) <= 0.05 + 1e-4


@pytest.mark.parametrize(
    ("n", "conditional", "least"), [(25, 0.12, 0.235), (30, 0.18, 0.305), (50, 0.40, 0.53)]
)
def test_it_is_more_powerful_than_the_conditional_test(
    n: int, conditional: float, least: float
) -> None:
    def mcnemar(differing: int) -> int:
        tails = stats.binom.sf(np.arange(-1, differing + 1), differing, 0.5)
        return int(np.argmax(tails <= 0.05)) if (tails <= 0.05).any() else differing + 1

    gain, broken = 0.1, 0.03
    weights = stats.binom.pmf(np.arange(n + 1), n, gain + 2 * broken)
    fixes = (gain + broken) / (gain + 2 * broken)
    before = sum(w * stats.binom.sf(mcnemar(d) - 1, d, fixes) for d, w in enumerate(weights))

    assert before == pytest.approx(conditional, abs=0.006)
    assert power(n, gain, broken) >= least


@pytest.mark.parametrize("n", [5, 20, 60])
@pytest.mark.parametrize("alpha", [0.05, 0.0125])
def test_the_plan_and_the_test_agree_on_every_table(n: int, alpha: float) -> None:
    for differing in range(n + 1):
        least = fewest_fixed(n, differing, alpha)
        rejected = [x for x in range(differing + 1) if p_better(n, x, differing - x) <= alpha]
        assert rejected == ([] if least is None else list(range(least, differing + 1)))


def test_a_wider_margin_is_easier_and_far_losses_are_never_excused() -> None:
    values = [p_not_worse(80, 5, 7, margin) for margin in (0.03, 0.05, 0.1, 0.2)]

    assert values == sorted(values, reverse=True)
    assert values[0] > 0.2
    assert values[-1] < 0.01
    assert p_not_worse(80, 0, 30, 0.1) == 1.0
    assert p_not_worse(3_000, 100, 100, 0.05) < 1e-6

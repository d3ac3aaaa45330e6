"""Bounds that suppose nothing of how differences are distributed."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from tau.scoring.means import mean_test
from tau.scoring.power import rows_to_settle
from tau.scoring.units import units_of
from tau.scoring.worst_case import low_unseen, p_unseen, p_worst_case, rows_unseen


@pytest.mark.parametrize(("n", "broken"), [(20, 3), (50, 10), (30, 12)])
def test_of_right_and_wrong_it_is_clopper_and_pearsons(n: int, broken: int) -> None:
    found = p_worst_case([1.0] * (n - broken) + [-1.0] * broken, 1.0)

    assert found == pytest.approx(stats.beta.cdf(0.5, n - broken, broken + 1), rel=0.02)


def test_it_is_the_chance_that_randomly_weighted_values_have_no_gain() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(0.1, 0.3, 50).clip(-1, 1)
    weights = rng.exponential(size=(100_000, 51))

    drawn = (weights[:, :50] @ values - weights[:, 50] <= 0).mean()

    assert p_worst_case(values.tolist(), 1.0) == pytest.approx(drawn, abs=0.001)


def test_what_so_many_rows_do_not_show_is_less_than_three_of_them() -> None:
    assert p_unseen(100, 0.03, 1.0) == pytest.approx(0.052, abs=0.001)
    assert low_unseen(100, 0.0, 1.0, 0.05) == pytest.approx(-0.0295, abs=0.001)


def test_a_gain_next_to_nothing_wants_more_rows_than_anybody_has() -> None:
    assert rows_unseen(5e-324, 0.05) == 10**9
    assert rows_to_settle(5e-324, 0.5, 1e-300) == 10**9


def level(n: int, values: tuple[float, float, float], chances: tuple[float, float, float]) -> float:
    """The exact chance of a promotion, over all samples of three values."""
    total = 0.0
    for first in range(n + 1):
        for second in range(n + 1 - first):
            counts = (first, second, n - first - second)
            sample = [v for v, count in zip(values, counts, strict=True) for _ in range(count)]
            if math.fsum(sample) > 0 and mean_test(units_of(sample), 0.1).p_greater <= 0.05:
                total += float(stats.multinomial.pmf(counts, n, chances))
    return total


@settings(max_examples=12, deadline=None)
@example(n=6, gain=1.0, loss=0.75, ties=0.0, between=0.0)
@given(
    n=st.integers(5, 8),
    gain=st.floats(0.01, 1),
    loss=st.floats(0.01, 1),
    ties=st.sampled_from([0.0, 0.3, 0.8]),
    between=st.floats(-0.05, 0.05),
)
def test_no_population_without_a_gain_is_promoted_more_often_than_the_level(
    n: int, gain: float, loss: float, ties: float, between: float
) -> None:
    """`between` is the value of most rows: a tie that leans a little to one side."""
    rest = -ties * between
    share = ((1 - ties) * gain - rest) / (gain + loss)
    chances = (1 - ties - share, share, ties)
    if min(chances) < 0:
        return

    # The worst case's tail is taken from a saddlepoint, not exactly.
    assert level(n, (gain, -loss, between), chances) <= 0.0505


@pytest.mark.parametrize("n", [10, 50, 150])
def test_small_gains_with_rare_losses_are_not_promoted(n: int) -> None:
    rng = np.random.default_rng(n)
    samples = [np.where(rng.random(n) < 0.03, -0.97, 0.03).tolist() for _ in range(150)]

    promoted = sum(
        mean_test(units_of(sample), 0.1, draws=499).p_greater <= 0.05 for sample in samples
    )

    assert promoted / 150 <= 0.05 + 2 * 0.018


def test_a_hundred_thousand_rows_are_decided_as_their_normal_test_does() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(0.002, 0.3, 100_000).clip(-1, 1)

    found = mean_test(units_of(values.tolist()), 0.1)

    low, high = stats.norm.interval(0.9, values.mean(), stats.sem(values))
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.0004)

import math
from itertools import permutations

import numpy as np
import pytest

from tau.scoring.betting import BETS, bet


def test_the_wealth_is_the_mean_over_bets_of_the_products() -> None:
    values = [1.0, -0.5, 0.0, 0.25]
    wealth = np.mean([math.prod(1 + share * value for value in values) for share in BETS])

    assert bet(values).log_wealth == pytest.approx(math.log(wealth))


def test_the_best_moment_counts() -> None:
    there, back = [1.0] * 10, [-1.0] * 10

    assert bet(there + back).peak == bet(there).peak
    assert bet(there + back).rejects(0.05)
    assert bet(there + back).log_wealth < 0


def test_going_on_is_the_same_as_at_once() -> None:
    values = [0.5, -1.0, 1.0, 0.0, 0.3]

    assert bet(values[:2], population=9).after(values[2:]) == bet(values, population=9)


@pytest.mark.parametrize("population", [None, 120])
def test_peeking_after_every_example_keeps_the_level(population: int | None) -> None:
    """The mean is exactly 0; without replacement it is 0 in every single population."""
    rng = np.random.default_rng(2)
    runs = 1500
    values = np.repeat([1.0, -1.0, 0.0], 40)
    hits = 0
    for _ in range(runs):
        drawn = rng.permutation(values) if population else rng.choice(values, 300)
        hits += bet(drawn.tolist(), population=population).rejects(0.1)

    assert hits / runs <= 0.1 + 3 * math.sqrt(0.09 / runs)
    assert hits / runs >= 0.02, "a process that never wins would pass as well"


@pytest.mark.parametrize("taken", [1, 2, 3, 4, 5])
def test_without_replacement_the_bets_are_exactly_fair(taken: int) -> None:
    """Over all orders of a population whose mean is the null, the wealth is 1 on average."""
    values = [0.5, -0.4, 0.1, -0.4, 0.7, 0.1]
    wealth = [
        math.exp(bet(order[:taken], null=0.1, population=6).log_wealth)
        for order in permutations(values)
    ]

    assert np.mean(wealth) == pytest.approx(1)


def test_an_impossible_null_is_refuted_for_good() -> None:
    """Nine of ten are 1: whatever the last is, the mean is at least .8."""
    found = bet([1.0] * 9, null=0.7, population=10)

    assert found.log_wealth == math.inf
    assert found.rejects(1e-9)
    assert bet([1.0] * 9 + [-1.0], null=0.7, population=10).rejects(1e-9)


def test_the_lowest_possible_values_do_not_refute_their_own_mean() -> None:
    assert not bet([-1.0] * 10, null=-1.0, population=10).rejects(0.9)


def test_a_population_has_an_end() -> None:
    with pytest.raises(ValueError, match="more values than the population of 2"):
        bet([0.0] * 3, population=2)


@pytest.mark.parametrize("value", [1.5, -1.01, float("nan")])
def test_values_out_of_range_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r"must be in \[-1, 1\]"):
        bet([value])

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import minimize_scalar
from scipy.special import xlogy

from tau.scoring.compare import Method, compare
from tau.scoring.sign_flips import sign_flips
from tau.scoring.tango import tango_interval
from tau.scoring.unconditional import agreeing_interval, p_better
from unit.scoring.populations import outcomes, pairing


@pytest.mark.parametrize(
    ("fixed", "broken"), [(0, 0), (1, 0), (0, 1), (6, 0), (9, 3), (3, 9), (80, 61), (700, 650)]
)
def test_of_very_many_it_is_mcnemars_exact_test(fixed: int, broken: int) -> None:
    greater = both = 1.0
    if fixed > broken:
        greater = stats.binomtest(fixed, fixed + broken, alternative="greater").pvalue
    if fixed != broken:
        both = stats.binomtest(fixed, fixed + broken).pvalue

    found = compare(outcomes(1500, fixed, broken))

    assert found.method is Method.EXACT
    assert found.p_greater == pytest.approx(greater, rel=1e-9)
    assert found.p_value == pytest.approx(both, rel=1e-9)
    assert (len(found.fixed), len(found.broken)) == (fixed, broken)


@pytest.mark.parametrize(("n", "fixed", "broken"), [(44, 12, 3), (30, 9, 0), (400, 70, 31)])
def test_the_bounds_are_where_the_score_test_begins_to_reject(
    n: int, fixed: int, broken: int
) -> None:
    for bound in tango_interval(n, fixed, broken, 0.05):
        assert tango_statistic(n, fixed, broken, bound) == pytest.approx(3.8414588, rel=1e-4)


def tango_statistic(n: int, fixed: int, broken: int, difference: float) -> float:
    """The squared score statistic, its nuisance found by maximising the likelihood."""

    def surprise(share: float) -> float:
        return -float(
            xlogy(fixed, share + difference)
            + xlogy(broken, share)
            + xlogy(n - fixed - broken, 1 - 2 * share - difference)
        )

    bounds = (max(0.0, -difference), (1 - difference) / 2)
    share = minimize_scalar(surprise, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x
    variance = 2 * share + difference - difference**2
    return float((fixed - broken - n * difference) ** 2 / (n * variance))


@pytest.mark.parametrize("alpha", [0.3, 0.1, 0.05, 0.0125, 0.001])
def test_the_interval_leaves_out_zero_exactly_when_the_test_rejects(alpha: float) -> None:
    for discordant in range(41):
        for fixed in range(discordant + 1):
            broken = discordant - fixed
            low, high = agreeing_interval(50, fixed, broken, alpha)

            assert (low > 0) == (p_better(50, fixed, broken) <= alpha / 2)
            assert (high < 0) == (p_better(50, broken, fixed) <= alpha / 2)


@pytest.mark.parametrize(
    ("n", "fixed", "broken"),
    [(200, 0.1, 0.1), (200, 0.25, 0.1), (100, 0.05, 0.02), (50, 0.4, 0.1), (50, 0.02, 0.02)],
)
def test_of_right_and_wrong_it_covers_the_true_difference(
    n: int, fixed: float, broken: float
) -> None:
    draws = np.random.default_rng(4).multinomial(n, [fixed, broken, 1 - fixed - broken], 1000)
    truth = fixed - broken
    intervals = [agreeing_interval(n, int(f), int(b), 0.1) for f, b, _ in draws]
    covered = sum(low <= truth <= high for low, high in intervals) / len(intervals)

    # Tango's own coverage dips to .87 here and there; 1,000 draws add an error of .01.
    assert covered >= 0.86


def test_sign_flips_of_few_are_scipys_permutation_test() -> None:
    differences = [0.3, -0.1, 0.5, 0.25, -0.2, 0.7, 0.0, 0.15, 0.4]
    oracle = stats.permutation_test(
        (np.array(differences),),
        np.mean,
        permutation_type="samples",
        alternative="greater",
        n_resamples=np.inf,
    )

    found = sign_flips(differences, 0.05)

    assert compare(pairing(differences)).method is Method.SIGN_FLIPS
    assert found.p_greater == pytest.approx(oracle.pvalue)


def test_sign_flips_of_many_are_close_to_scipys() -> None:
    differences = np.random.default_rng(3).normal(0.05, 0.25, 60).clip(-1, 1)
    oracle = stats.permutation_test(
        (differences,),
        np.mean,
        permutation_type="samples",
        alternative="greater",
        n_resamples=20_000,
        rng=np.random.default_rng(8),
    )

    found = sign_flips(differences.tolist(), 0.05)

    assert found.p_greater == pytest.approx(oracle.pvalue, abs=0.015)


def test_the_graded_interval_of_many_is_students() -> None:
    differences = np.random.default_rng(6).normal(0.1, 0.3, 400).clip(-1, 1)
    student = stats.t.interval(0.95, 399, differences.mean(), stats.sem(differences))

    found = compare(pairing(differences.tolist()))

    assert (found.low, found.high) == pytest.approx(student, abs=0.004)


Draw = Callable[[np.random.Generator, int], "np.ndarray[tuple[int], np.dtype[np.float64]]"]

GRADED: dict[str, tuple[float, Draw]] = {
    "two tries each": (0.1, lambda rng, n: (rng.binomial(2, 0.3, n) - rng.binomial(2, 0.2, n)) / 2),
    "many ties": (0.05, lambda rng, n: (rng.random(n) < 0.2) * rng.uniform(-0.5, 1, n)),
    "rarely much": (0.0225, lambda rng, n: (rng.random(n) < 0.03) * rng.uniform(0.5, 1, n)),
    "skewed": (1 / 9, lambda rng, n: rng.beta(0.5, 4, n)),
}


@pytest.mark.parametrize("n", [12, 100])
@pytest.mark.parametrize("population", GRADED)
def test_of_graded_scores_it_covers_the_true_mean(population: str, n: int) -> None:
    truth, draw = GRADED[population]
    rng = np.random.default_rng(12)
    found = [compare(pairing(draw(rng, n).tolist()), alpha=0.1, draws=499) for _ in range(150)]
    covered = sum(each.low <= truth <= each.high for each in found) / len(found)

    # 150 draws add an error of .024.
    assert covered >= 0.86


def test_sign_flips_keep_their_level_where_nothing_changes() -> None:
    rng = np.random.default_rng(21)
    found = [
        sign_flips(
            ((rng.binomial(3, 0.4, 80) - rng.binomial(3, 0.4, 80)) / 3).tolist(), 0.1, draws=499
        )
        for _ in range(400)
    ]

    assert sum(each.p_greater <= 0.05 for each in found) / len(found) <= 0.05 + 3 * 0.011
    assert sum(each.low > 0 for each in found) == sum(each.p_greater <= 0.05 for each in found)


def test_without_any_difference_there_still_is_an_interval() -> None:
    found = compare(outcomes(60, 0, 0))

    assert found.p_value == 1
    assert found.low == pytest.approx(-found.high)
    # Wilson's upper bound for 0 of 60, which the score interval then is.
    assert found.high == pytest.approx(stats.binomtest(0, 60).proportion_ci(0.95, "wilson").high)


def test_nothing_to_compare_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing to compare"):
        compare(pairing([], missing=4))


@pytest.mark.parametrize("alpha", [0.0, 1.0, float("nan")])
def test_an_impossible_level_is_an_error(alpha: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        compare(outcomes(3, 1, 1), alpha=alpha)

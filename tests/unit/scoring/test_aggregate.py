import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from tau.scoring.aggregate import summarize

Draw = Callable[
    [np.random.Generator, tuple[int, int]], "np.ndarray[tuple[int, int], np.dtype[np.float64]]"
]


@pytest.mark.parametrize(("n", "right"), [(1, 0), (1, 1), (2, 1), (10, 3), (50, 50), (1319, 712)])
def test_of_right_and_wrong_it_is_wilsons_interval(n: int, right: int) -> None:
    wilson = stats.binomtest(right, n).proportion_ci(0.95, method="wilson")

    found = summarize([1.0] * right + [0.0] * (n - right))

    assert found.n == n
    assert found.mean == pytest.approx(right / n, abs=1e-12)
    assert (found.low, found.high) == pytest.approx((wilson.low, wilson.high), abs=1e-9)


def test_of_many_graded_scores_it_is_the_normal_interval() -> None:
    scores = np.random.default_rng(5).beta(8, 3, 20_000)
    error = stats.sem(scores, ddof=0)

    found = summarize(scores.tolist())

    assert found.mean == pytest.approx(float(scores.mean()))
    assert found.high - found.low == pytest.approx(2 * stats.norm.ppf(0.975) * error, rel=0.005)


POPULATIONS: dict[str, tuple[float, Draw]] = {
    "half right": (0.5, lambda rng, size: (rng.random(size) < 0.5).astype(float)),
    "mostly right": (0.9, lambda rng, size: (rng.random(size) < 0.9).astype(float)),
    "even": (0.5, lambda rng, size: rng.random(size)),
    "narrow": (20 / 23, lambda rng, size: rng.beta(20, 3, size)),
    "two humps": (0.5, lambda rng, size: rng.beta(0.3, 0.3, size)),
    "rarely low": (0.965, lambda rng, size: rng.choice([1, 0.3], p=[0.95, 0.05], size=size)),
    "steps": (0.65, lambda rng, size: rng.choice([0, 0.5, 1], p=[0.2, 0.3, 0.5], size=size)),
}


@pytest.mark.parametrize("n", [10, 50, 200])
@pytest.mark.parametrize("name", POPULATIONS)
def test_it_covers_the_true_mean(name: str, n: int) -> None:
    truth, draw = POPULATIONS[name]
    rows = draw(np.random.default_rng(11), (1000, n)).tolist()

    found = [summarize(row) for row in rows]
    covered = sum(each.low <= truth <= each.high for each in found) / len(found)

    # Wilson's own coverage dips to .91 at such sizes; 1,000 draws add an error of .009.
    assert covered >= 0.90


def test_few_equal_scores_are_not_certain() -> None:
    found = summarize([0.5] * 5)

    assert found.mean == 0.5
    assert 0.2 < found.low < 0.4
    assert 0.6 < found.high < 0.8


def test_scores_below_zero_widen_the_range() -> None:
    found = summarize([-1.0, 1.0, 1.0, 1.0])
    usual = summarize([0.0, 1.0, 1.0, 1.0])

    assert found.mean == pytest.approx(0.5)
    assert found.low == pytest.approx(2 * usual.low - 1)
    assert found.high == pytest.approx(2 * usual.high - 1)


@pytest.mark.parametrize("scores", [[], [math.nan], [math.inf], [1.5], [0.5, -math.inf]])
def test_what_is_no_score(scores: list[float]) -> None:
    with pytest.raises(ValueError, match="score"):
        summarize(scores)

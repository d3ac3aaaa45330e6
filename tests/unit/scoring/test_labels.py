"""A judge corrected by people's labels, rows in groups, and Student's distribution."""

import numpy as np
import pytest
from scipy import stats

from tau.scoring.labels import Corrected, Judged, corrected
from tau.scoring.means import mean_test
from tau.scoring.student import t_beyond, t_quantile
from tau.scoring.units import units_of


@pytest.mark.parametrize("df", [1, 5, 18, 198])
@pytest.mark.parametrize("t", [-2.0, 0.0, 0.3, 1.7, 6.0])
def test_the_t_distribution_is_scipys(t: float, df: int) -> None:
    assert t_beyond(t, df) == pytest.approx(stats.t.sf(t, df), rel=1e-8)
    assert t_quantile(0.05, df) == pytest.approx(stats.t.ppf(0.95, df), rel=1e-8)


def judged(
    rng: np.random.Generator, labels: int, error: float, bias: float, shares: bool = False
) -> Corrected:
    n = 400
    chance = 0.8 * rng.random(n)
    before, after = rng.random(n) < chance, rng.random(n) < chance + 0.1

    def verdict(truth: np.ndarray, extra: float) -> np.ndarray:
        return rng.random(n) < np.clip(np.where(truth, 1 - error, error) + extra, 0, 1)

    judge = verdict(after, bias).astype(float) - verdict(before, 0.0)
    asked = np.where(judge != 0, 1.5, 0.8) * labels / n if shares else np.full(n, labels / n)
    chosen = rng.random(n) < asked
    if not shares:
        chosen[:] = False
        chosen[rng.permutation(n)[:labels]] = True
    found = corrected(
        [
            Judged(
                judge=float(judge[row]),
                human=float(after[row]) - float(before[row]) if chosen[row] else None,
                share=float(asked[row]),
            )
            for row in range(n)
        ]
    )
    assert found is not None
    return found


@pytest.mark.parametrize("labels", [20, 50, 200])
@pytest.mark.parametrize(("error", "bias"), [(0.05, 0.0), (0.15, 0.2)])
def test_the_corrected_interval_covers_the_truth(labels: int, error: float, bias: float) -> None:
    rng = np.random.default_rng(labels)
    found = [judged(rng, labels, error, bias).interval(0.1) for _ in range(120)]

    covered = sum(low <= 0.1 <= high for low, high in found) / 120

    # 120 runs add an error of .027.
    assert covered >= 0.82, "few labels that agree may widen it, never narrow it"


def test_rows_asked_for_more_often_count_less() -> None:
    rng = np.random.default_rng(8)

    found = [judged(rng, 100, 0.15, 0.2, shares=True).difference for _ in range(80)]

    assert np.mean(found) == pytest.approx(0.1, abs=0.02)


def test_a_useful_judge_makes_the_interval_shorter_and_a_useless_one_not_longer() -> None:
    rng = np.random.default_rng(9)
    useful, useless = judged(rng, 50, 0.05, 0.0), judged(rng, 50, 0.5, 0.0)

    assert useful.error < 0.75 * useful.human_only
    assert useless.error < 1.1 * useless.human_only


def test_the_labels_that_would_settle_it_are_told_or_that_none_would() -> None:
    found = judged(np.random.default_rng(10), 50, 0.15, 0.0)

    wanted = found.labels_to_settle(0.1, alpha=0.05)

    assert wanted is not None
    assert wanted > 50
    assert found.labels_to_settle(0.001, alpha=0.05) is None


@pytest.mark.parametrize("groups", [15, 40])
@pytest.mark.parametrize("correlation", [0.0, 0.4])
def test_intervals_of_grouped_rows_cover_the_true_difference(
    groups: int, correlation: float
) -> None:
    rng = np.random.default_rng(groups)
    hits = 0
    for _ in range(100):
        group = np.repeat(np.arange(groups), rng.integers(2, 21, groups))
        latent = np.sqrt(correlation) * rng.normal(size=groups)[group]
        latent += np.sqrt(1 - correlation) * rng.normal(size=len(group))
        drawn = (latent > 1.0).astype(float) - (latent < -1.3)
        truth = float(stats.norm.sf(1.0) - stats.norm.cdf(-1.3))
        found = mean_test(units_of(drawn.tolist(), [str(g) for g in group]), 0.1, draws=399)
        hits += found.low <= truth <= found.high

    # 100 runs add an error of .03.
    assert 0.81 <= hits / 100 <= 0.98

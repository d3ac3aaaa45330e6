"""What steers a search: fronts, shrunk means, abilities, ties."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, log_expit

from tau.scoring.margin import cheapest_no_worse, no_worse, no_worse_so_far
from tau.scoring.pareto import draw, front, instance_front, leaders
from tau.scoring.rasch import fit_rasch
from tau.scoring.shrinkage import Prior, fit_prior, shrunk_means
from unit.scoring.populations import examples, name, outcomes, table

A, B, C, D = (name(each) for each in "abcd")


def test_leaders_share_an_example_and_missing_leads_nothing() -> None:
    known = table({"a": [1, 0.5, None], "b": [1, 0.7, None], "c": [None, 0.7, None]})

    assert leaders(known, [A, B, C], examples(3)) == {
        examples(3)[0]: (A, B),
        examples(3)[1]: (B, C),
    }


def test_the_front_drops_who_leads_nowhere_alone() -> None:
    known = table({"a": [1, 1, 0, 0], "b": [1, 0, 0, 0], "c": [0, 0, 1, 0], "d": [0, 1, 1, 0]})

    # The last example has everyone as its leader; b is worst, then c, and d keeps what both led.
    assert instance_front(known, [A, B, C, D], examples(3)) == {A: 2, D: 2}


def test_a_specialist_stays_on_the_front() -> None:
    known = table({"a": [1, 1, 1, 0], "b": [0, 0, 0, 1]})

    assert instance_front(known, [A, B], examples(4)) == {A: 3, B: 1}


def test_of_equal_candidates_the_first_stays() -> None:
    known = table({"a": [1, 0], "b": [1, 0], "c": [1, 0]})

    assert list(instance_front(known, [B, A, C], examples(2))) == [B]


def test_draws_follow_the_weights() -> None:
    drawn = [draw({A: 3, B: 1, C: 0}, 5, "parent", n) for n in range(2000)]

    assert C not in drawn
    assert drawn.count(A) / 2000 == pytest.approx(0.75, abs=0.03)
    with pytest.raises(ValueError, match="no weight is positive"):
        draw({A: 0}, 5, "parent")


def test_the_front_of_several_aims() -> None:
    points = {A: (0.9, -50.0), B: (0.8, -20.0), C: (0.8, -30.0), D: (0.9, -50.0)}

    assert front(points) == (A, B, D)
    assert front({}) == ()
    with pytest.raises(ValueError, match="same aims"):
        front({A: (1.0,), B: (1.0, 2.0)})


def test_shrinkage_pulls_few_examples_further() -> None:
    prior = Prior(mean=0.5, weight=10)

    few, many = prior.shrink(1.0, 5), prior.shrink(1.0, 500)

    assert 0.5 < few.mean < many.mean < 1
    assert few.sd > many.sd


def test_the_prior_finds_how_different_candidates_are() -> None:
    rng = np.random.default_rng(3)
    means = rng.beta(0.6 * 20, 0.4 * 20, 600)
    sums = [(float(rng.binomial(50, mean) / 50), 50) for mean in means]

    found = fit_prior(sums)

    assert found.mean == pytest.approx(0.6, abs=0.02)
    assert found.weight == pytest.approx(20, rel=0.25)


def test_shrunk_means_are_closer_to_the_truth() -> None:
    rng = np.random.default_rng(4)
    means = rng.beta(12, 8, 200)
    raw = rng.binomial(15, means) / 15
    prior = fit_prior([(float(mean), 15) for mean in raw])
    shrunk = np.array([prior.shrink(float(mean), 15).mean for mean in raw])

    assert ((shrunk - means) ** 2).mean() < 0.6 * ((raw - means) ** 2).mean()


@pytest.mark.parametrize(
    "sums", [[], [(0.4, 0)], [(0.4, 9)], [(0.5, 9)] * 4, [(1.0, 9)] * 3, [(1.0, 1), (0.0, 1)]]
)
def test_too_little_to_tell_still_makes_a_prior(sums: list[tuple[float, int]]) -> None:
    prior = fit_prior(sums)

    assert 0 <= prior.mean <= 1
    assert 2 <= prior.weight <= 200


def test_shrunk_means_of_a_table_leave_missing_out() -> None:
    found = shrunk_means(table({"a": [1, None], "b": [0, 0], "c": [None]}), [A, B, C])

    assert [found[each].n for each in (A, B, C)] == [1, 2, 0]
    assert found[B].mean < found[C].mean < found[A].mean


def test_rasch_maximises_the_penalized_likelihood() -> None:
    rng = np.random.default_rng(5)
    scores = (rng.random((4, 15)) < 0.6).astype(float)
    scores[0, 3] = 0.5
    asked = rng.random((4, 15)) < 0.8
    known = table(
        {
            each: [float(s) if a else None for s, a in zip(row, there, strict=True)]
            for each, row, there in zip("abcd", scores, asked, strict=True)
        }
    )

    found = fit_rasch(known, [A, B, C, D], examples(15))

    def loss(values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> float:
        logit = found.level + values[:4, None] - values[None, 4:]
        each = scores * log_expit(logit) + (1 - scores) * log_expit(-logit)
        penalty = (values[:4] ** 2).sum() / 2 + (values[4:] ** 2).sum() / 8
        return float(-(each * asked).sum() + penalty)

    best = minimize(loss, np.zeros(19), tol=1e-10).x
    ours = [*found.ability.values(), *found.difficulty.values()]

    assert ours == pytest.approx(best.tolist(), abs=1e-4)
    assert found.expected(A, examples(15)[2]) == pytest.approx(
        float(expit(found.level + ours[0] - ours[4 + 2]))
    )


def test_rasch_corrects_for_harder_examples() -> None:
    """Equal means, but one was asked the hard half only."""
    easy, hard = [1.0] * 20, [0.0, 1.0] * 10
    known = table(
        {
            "a": [*easy, *hard],
            "b": [*easy, *hard],
            "c": [*[None] * 20, *[1.0] * 10, *[0.0] * 5, *[1.0] * 5],
            "d": [*easy[:15], *[0.0] * 5, *[None] * 20],
        }
    )
    found = fit_rasch(known, [A, B, C, D], examples(40))

    assert known[C].mean == known[D].mean == 0.75
    assert found.ability[C] > found.ability[D]


def test_rasch_stays_finite_and_less_sure_without_scores() -> None:
    found = fit_rasch(table({"a": [1] * 8, "b": [0] * 8, "c": []}), [A, B, C], examples(8))

    assert all(map(math.isfinite, [*found.ability.values(), *found.difficulty.values()]))
    assert found.ability[A] > found.ability[C] == 0 > found.ability[B]
    assert found.error[C] == 1 > found.error[A]
    assert 0 < found.information(A, examples(8)[0]) <= 0.25
    assert fit_rasch(table({}), [], []).ability == {}


def test_no_worse_needs_evidence() -> None:
    assert no_worse(outcomes(400, 10, 10), 0.05)
    assert not no_worse(outcomes(20, 1, 1), 0.05)
    assert not no_worse(outcomes(400, 2, 40), 0.05)
    assert not no_worse(outcomes(0, 0, 0), 0.05)
    assert no_worse_so_far(outcomes(900, 10, 10), 0.05)
    assert not no_worse_so_far(outcomes(20, 1, 1), 0.05)


@pytest.mark.parametrize("margin", [0.0, -0.1])
def test_a_margin_must_be_positive(margin: float) -> None:
    with pytest.raises(ValueError, match="margin must be positive"):
        no_worse(outcomes(9, 1, 1), margin)
    with pytest.raises(ValueError, match="margin must be positive"):
        no_worse_so_far(outcomes(9, 1, 1), margin)


def test_the_cheapest_of_a_tie_wins_and_nothing_worse_does() -> None:
    known = table(
        {
            "a": [1.0] * 270 + [0.0] * 30,
            "b": [1.0] * 268 + [0.0] * 32,
            "c": [1.0] * 200 + [0.0] * 100,
            "d": [1.0] * 269 + [0.0] * 31,
        }
    )
    costs = {A: 900.0, B: 300.0, C: 10.0, D: 300.0}

    found = cheapest_no_worse(known, [A, D, B, C], examples(300), costs, 0.03)

    assert found.tied == (A, D, B)
    assert found.winner == D

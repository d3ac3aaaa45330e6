"""What steers a search: fronts and ties."""

import pytest

from tau.scoring.margin import cheapest_no_worse, no_worse
from tau.scoring.pareto import draw, front, instance_front, leaders
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


def test_no_worse_needs_evidence() -> None:
    assert no_worse(outcomes(400, 10, 10), 0.05)
    assert not no_worse(outcomes(20, 1, 1), 0.05)
    assert not no_worse(outcomes(400, 2, 40), 0.05)
    assert not no_worse(outcomes(0, 0, 0), 0.05)


@pytest.mark.parametrize("margin", [0.0, -0.1])
def test_a_margin_must_be_positive(margin: float) -> None:
    with pytest.raises(ValueError, match="margin must be positive"):
        no_worse(outcomes(9, 1, 1), margin)


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

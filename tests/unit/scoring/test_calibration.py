"""How far a judge agrees with people: intervals that cover, classes, lengths, threshold."""

import pytest

from tau.domain.draws import uniform
from tau.scoring.calibration import RatedOutput, agreement_of, best_threshold


def rated(
    rows: int, right: float, *, seed: int = 0, groups: int = 0, long_bias: float = 0.0
) -> list[RatedOutput]:
    """People say 1 to half of the outputs; the judge agrees on a share `right` of them."""
    found = []
    for row in range(rows):
        unit = row % groups if groups else row
        human = float(uniform(seed, "human", unit) < 0.5)
        length = int(1000 * uniform(seed, "length", row))
        agrees = uniform(seed, "agrees", unit if groups else row) < right
        judge = human if agrees else 1 - human
        if length > 660 and uniform(seed, "long", row) < long_bias:
            judge = 1.0
        group = f"group {unit}" if groups else None
        found.append(RatedOutput(human=human, judge=judge, length=length, group=group))
    return found


def test_the_intervals_of_accuracy_and_kappa_hold_the_truth() -> None:
    hits = kappas = 0
    for seed in range(25):
        found = agreement_of(rated(60, 0.85, seed=seed), seed=seed)
        hits += (found.accuracy.low or 0) <= 0.85 <= (found.accuracy.high or 0)
        kappas += (found.kappa.low or -1) <= 0.7 <= (found.kappa.high or 0)
    assert hits >= 21
    assert kappas >= 21


def test_repeated_groups_are_worth_no_more_than_their_number() -> None:
    single = agreement_of(rated(240, 0.85)).accuracy
    grouped = agreement_of(rated(240, 0.85, groups=24))
    assert grouped.groups == 24
    width = (grouped.accuracy.high or 0) - (grouped.accuracy.low or 0)
    assert width > 2 * ((single.high or 0) - (single.low or 0))


def test_a_judge_that_always_agreed_is_not_called_perfect() -> None:
    found = agreement_of(rated(20, 1.0))
    assert found.kappa.value == 1.0
    assert found.kappa.low is not None
    assert found.kappa.low < 0.85
    assert found.alpha.low is not None
    assert found.alpha.low < 0.85


def test_length_shows_where_the_judge_errs() -> None:
    parts = agreement_of(rated(300, 0.97, long_bias=0.9)).by_length
    assert [part.name for part in parts] == ["shortest third", "middle third", "longest third"]
    assert parts[0].bias == pytest.approx(0, abs=0.1)
    assert parts[2].bias > 0.25
    assert (parts[2].agreement.high or 1) < (parts[0].agreement.low or 0)


def test_classes_of_a_scale_and_their_confusion() -> None:
    pairs = [(0.0, 0.0), (0.0, 0.5), (0.5, 0.5), (0.5, 1.0), (1.0, 1.0), (1.0, 1.0)] * 5
    found = agreement_of([RatedOutput(human=h, judge=j) for h, j in pairs])
    assert found.classes == (0.0, 0.5, 1.0)
    assert found.table == ((5, 5, 0), (0, 5, 5), (0, 0, 10))
    assert [(part.name, part.rows, part.agreement.value) for part in found.by_class] == [
        ("0", 10, 0.5), ("0.5", 10, 0.5), ("1", 10, 1.0),
    ]  # fmt: skip
    assert found.ordered is not None
    assert (found.ordered.value or 0) > (found.kappa.value or 0)
    assert found.bias.value == pytest.approx(1 / 6)
    assert found.by_length == ()


def test_the_threshold_is_told_on_rows_it_was_not_chosen_on() -> None:
    rows = []
    for row in range(200):
        human = float(uniform(1, "human", row) < 0.5)
        judge = round(0.55 + 0.3 * human + 0.2 * (uniform(1, "noise", row) - 0.5), 2)
        rows.append(RatedOutput(human=human, judge=judge))
    found = best_threshold(rows)
    assert found is not None
    assert 0.6 < found.threshold < 0.8
    assert found.chosen_on + found.told_on == 200
    assert min(found.chosen_on, found.told_on) > 70
    assert (found.accuracy.value or 0) > 0.95
    whole = agreement_of(rows)
    assert whole.classes == (0.0, 1.0)  # too many scores to be classes
    assert (whole.accuracy.value or 0) < 0.6


def test_of_pure_noise_the_threshold_promises_nothing() -> None:
    rows = [
        RatedOutput(
            human=float(uniform(2, "human", row) < 0.5), judge=round(uniform(2, "judge", row), 2)
        )
        for row in range(200)
    ]
    found = best_threshold(rows)
    assert found is not None
    assert found.accuracy.value is not None
    assert found.accuracy.value < 0.62


def test_one_class_has_no_threshold_and_no_kappa() -> None:
    found = agreement_of([RatedOutput(human=1.0, judge=1.0)] * 12)
    assert found.threshold is None
    assert found.kappa.value is None
    assert found.accuracy.value == 1.0

from collections.abc import Mapping, Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tau.domain.ids import ExampleId
from tau.scoring.contested import contested_first
from tau.scoring.halving import Halving, plan_halving
from tau.scoring.table import ScoreRow, ScoreTable
from unit.scoring.populations import example, examples, name

SCORES = st.lists(st.floats(0, 1), max_size=6)


def order(*scores: Sequence[float]) -> list[int]:
    """The numbers of rows with these scores, in the order they come."""
    rows = examples(len(scores))
    found = contested_first(rows, {row: scores[n] for n, row in enumerate(rows)})
    return [rows.index(row) for row in found]


@given(st.lists(SCORES, max_size=12), st.permutations(range(12)))
def test_every_row_comes_once_whatever_is_known_and_in_whatever_order(
    scores: list[list[float]], shuffle: list[int]
) -> None:
    rows = examples(len(scores))
    known = {row: scores[n] for n, row in enumerate(rows)}
    found = contested_first(rows, known)
    assert sorted(found) == sorted(rows)
    mixed = {example(n): scores[n][::-1] for n in shuffle if n < len(scores)}
    assert contested_first(rows, mixed) == found


def test_without_earlier_scores_rows_stay_as_they_stand() -> None:
    rows = examples(5)[::-1]
    assert contested_first(rows, {}) == rows
    assert contested_first(rows, {example(2): [], example(9): [1.0, 0.0]}) == rows


def test_rows_that_some_failed_come_before_those_nobody_met_and_those_all_agree_on() -> None:
    assert order([1, 1, 1, 1], [], [1, 0, 1, 0], [0, 0, 0, 0]) == [2, 1, 0, 3]


def test_one_wrong_answer_among_mostly_right_ones_makes_a_row_worth_looking_at() -> None:
    assert order([1], [1], [0], [1], [1])[0] == 2
    assert order([0], [0], [1], [0], [0])[0] == 2


def test_of_graded_scores_those_that_scatter_come_first() -> None:
    even, apart = [0.5, 0.52, 0.48, 0.5] * 5, [0.9, 0.7, 0.95, 0.6] * 5
    assert order(even, apart, even) == [1, 0, 2]


def world(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Right and wrong answers of 12 candidates and of 12 others before them, to 120 items."""
    rng = np.random.default_rng(seed)
    difficulty = rng.normal(0, 2.5, 120)
    ability = rng.normal(1, 0.5, 24)
    right = rng.random((24, 120)) < 1 / (1 + np.exp(difficulty[None] - ability[:, None]))
    return right[:12].astype(float), right[12:].astype(float)


def winner(order: Sequence[ExampleId], truth: Mapping[str, Mapping[ExampleId, float]]) -> str:
    contest = Halving(
        candidates=tuple(map(name, truth)),
        order=tuple(order),
        stages=plan_halving(len(truth), len(order), len(truth) * len(order) // 5),
    )
    standing, known = contest.start(), ScoreTable()
    while wave := contest.wave(standing, known):
        known = known.adding(
            ScoreRow(candidate=who, example=row, score=truth[who][row]) for who, (row, _) in wave
        )
        standing = contest.advance(standing, known)
    return standing.leader


def test_halving_finds_the_best_more_often_where_others_were_measured_before() -> None:
    close = {"hashed": 0, "contested": 0}
    for seed in range(60):
        answers, before = world(seed)
        rows = examples(120)
        truth = {
            f"c{k}": dict(zip(rows, line.tolist(), strict=True)) for k, line in enumerate(answers)
        }
        earlier = {row: before[:, n].tolist() for n, row in enumerate(rows)}
        best = answers.mean(axis=1).max()
        for which, met in (("hashed", rows), ("contested", contested_first(rows, earlier))):
            found = answers[int(winner(met, truth)[1:])].mean()
            close[which] += bool(found >= best - 0.01 - 1e-9)
    assert close["contested"] >= close["hashed"] + 6, close

import orjson
import pytest

from tau.scoring.aggregate import summarize, summarize_by_example
from tau.scoring.table import ScoreRow, ScoreTable, pair
from unit.scoring.populations import example, examples, name, table

A, B = name("a"), name("b")


def row(candidate: str, n: int, score: float | None, replicate: int = 0) -> ScoreRow:
    return ScoreRow(candidate=name(candidate), example=example(n), replicate=replicate, score=score)


def test_missing_is_neither_zero_nor_unasked() -> None:
    found = table({"a": [1.0, None, 0.0]})

    assert found[A].mean == 0.5
    assert (found[A].n, found[A].missing) == (2, 1)
    assert found.unasked(A, examples(4)) == ((example(3), 0),)


def test_a_candidate_without_scores_has_no_mean() -> None:
    assert table({"a": [None, None]})[A].mean is None
    assert ScoreTable()[B].mean is None


def test_replicates_are_averaged_within_their_example() -> None:
    found = ScoreTable.of([row("a", 0, 1.0), *(row("a", 1, 0.0, r) for r in range(3))])

    assert found[A].mean == 0.5
    assert found[A].n == 2


def test_a_missing_score_may_become_known_but_never_the_other_way() -> None:
    found = table({"a": [None]}).adding([row("a", 0, 1.0)]).adding([row("a", 0, None)])

    assert found[A].cells == {(example(0), 0): 1.0}


def test_a_known_score_never_changes() -> None:
    with pytest.raises(ValueError, match=r"is 1\.0 and cannot become 0\.0"):
        table({"a": [1.0]}).adding([row("a", 0, 0.0)])


@pytest.mark.parametrize("score", [float("nan"), float("inf"), 1.1])
def test_impossible_scores_are_refused(score: float) -> None:
    with pytest.raises(ValueError, match="finite and at most 1"):
        table({"a": [score]})


def test_adding_leaves_the_old_table_as_it_was() -> None:
    before = table({"a": [1.0]})
    after = before.adding([row("a", 1, 0.0), row("b", 0, 0.5)])

    assert list(before.candidates) == [A]
    assert before[A].n == 1
    assert after[A].n == 2


def test_pairs_are_common_examples_and_replicates() -> None:
    found = pair(
        ScoreTable.of(
            [
                row("a", 0, 1.0), row("a", 0, 1.0, 1), row("a", 1, 0.0), row("a", 2, 1.0),
                row("b", 0, 0.0), row("b", 0, 0.5, 1), row("b", 1, None), row("b", 3, 1.0),
            ]
        ),
        A,
        B,
    )  # fmt: skip

    assert found.examples == (example(0),)
    assert found.differences == (0.75,)
    assert found.missing == 3


def test_pairs_come_in_the_order_asked_for() -> None:
    found = pair(table({"a": [1, 0, 1], "b": [0, 1, 1]}), A, B, [example(n) for n in (2, 1, 0, 9)])

    assert found.differences == (0.0, -1.0, 1.0)
    assert (found.fixed, found.broken, found.missing) == ((example(0),), (example(1),), 1)


def test_unsafe_scores_count_as_zero_in_pairs() -> None:
    assert pair(table({"a": [0.5, -3.0], "b": [-5.0, -1.0]}), A, B).differences == (0.5, 0.0)


def test_nothing_paired_has_no_mean() -> None:
    assert pair(table({"a": [None], "b": [1.0]}), A, B).mean is None


def test_it_survives_json() -> None:
    before = ScoreTable.of([row("a", 0, 1.0), row("a", 0, None, 1), row("b", 3, 0.25)])

    after = ScoreTable.from_json(orjson.loads(orjson.dumps(before.to_json())))

    assert list(after.rows()) == list(before.rows())


@pytest.mark.parametrize("state", [None, [], {"a": 3}, {"a": "xyz"}, {"a": [["e", 0]]}])
def test_other_json_is_refused(state: object) -> None:
    with pytest.raises(ValueError, match="must be"):
        ScoreTable.from_json(state)  # type: ignore[arg-type]


def test_replicates_do_not_make_a_mean_look_surer() -> None:
    rows = [(f"e{n}", float(n % 2)) for n in range(20)]

    assert summarize_by_example(rows * 5) == summarize([score for _, score in rows])

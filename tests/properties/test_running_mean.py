"""A mean that is kept as scores come is the mean of them all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau.scoring.aggregate import RunningMean, summarize_by_example


def rows(least: float) -> st.SearchStrategy[list[tuple[str, float]]]:
    score = st.floats(least, 1) | st.sampled_from([0.0, 1.0])
    return st.lists(st.tuples(st.sampled_from("abcdefgh"), score), min_size=1, max_size=60)


def kept(found: list[tuple[str, float]]) -> RunningMean:
    running = RunningMean()
    for example, score in found:
        running.add(example, score)
    return running


@given(rows(0))
def test_it_is_what_all_scores_together_say(found: list[tuple[str, float]]) -> None:
    whole, running = summarize_by_example(found), kept(found).estimate()
    assert running is not None
    assert running.n == whole.n
    assert (running.mean, running.low, running.high) == pytest.approx(
        (whole.mean, whole.low, whole.high), abs=1e-6
    )


@given(rows(-3))
def test_scores_below_zero_widen_it(found: list[tuple[str, float]]) -> None:
    whole, running = summarize_by_example(found), kept(found).estimate()
    assert running is not None
    assert running.mean == pytest.approx(whole.mean, abs=1e-9)
    assert running.low <= running.mean <= running.high
    assert kept(found).rows == len(found)


def test_nothing_known_is_no_estimate() -> None:
    assert RunningMean().estimate() is None

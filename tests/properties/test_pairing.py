"""Pairing of two sides, whatever order and gaps their rows have."""

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau.errors import InputError
from tau.scores.pairing import Paired, pair_sides
from tau.scores.reading import read_scores
from tau.scores.sides import Request, sides_of
from tau.scores.values import AS_GIVEN, Scale, column, number

IDS = st.text(
    st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=12
).filter(lambda text: text.strip() == text)  # fmt: skip
SCORES = st.none() | st.floats(0, 1) | st.booleans()
Side = Mapping[str, float | bool | None]
SIDE = st.dictionaries(IDS, SCORES, min_size=1, max_size=12)


def as_score(value: float | bool | None) -> float | None:
    """What a score is once it has been read."""
    return None if value is None else float(value)


def paired(before: Side, after: Side, form: str, *, common: bool = False) -> Paired:
    """Both sides written as files, read and paired."""
    with TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{name}.{form}" for name in ("before", "after")]
        for path, side in zip(paths, (before, after), strict=True):
            rows = [{"id": row, "score": score} for row, score in side.items()]
            if form == "jsonl":
                text = "".join(json.dumps(row) + "\n" for row in rows)
            else:
                out = io.StringIO()
                writer = csv.DictWriter(out, ["id", "score"])
                writer.writeheader()
                writer.writerows(rows)
                text = out.getvalue()
            path.write_text(text, encoding="utf-8", newline="")
        request = Request(common=common)
        return pair_sides(*sides_of([read_scores(str(path)) for path in paths], request), request)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@given(before=SIDE, data=st.data())
def test_rows_meet_by_id_whatever_their_order(form: str, before: Side, data: st.DataObject) -> None:
    order = data.draw(st.permutations(list(before)))
    after = {row: data.draw(SCORES) for row in order}

    found = paired(before, after, form).scores

    assert list(found.ids) == list(before)
    for row, ours, theirs in zip(found.ids, found.baseline, found.candidate, strict=True):
        assert ours == (as_score(before[row]))
        assert theirs == (as_score(after[row]))


@given(before=SIDE, after=SIDE)
def test_rows_of_one_side_are_refused_or_missing(before: Side, after: Side) -> None:
    alone = set(before) ^ set(after)
    if not alone:
        return
    with pytest.raises(InputError):
        paired(before, after, "jsonl")
    if not set(before) & set(after):
        return

    found = paired(before, after, "jsonl", common=True).scores

    assert set(found.ids) == set(before) | set(after)
    both = zip(found.ids, found.baseline, found.candidate, strict=True)
    assert all(ours is None or theirs is None for row, ours, theirs in both if row in alone)


@given(st.text(max_size=20) | st.floats() | st.integers() | st.booleans() | st.none())
def test_a_score_is_a_finite_number_or_nothing_or_refused(value: object) -> None:
    try:
        found = number(value)
    except (ValueError, OverflowError):
        return
    assert found is None or abs(found) < float("inf")


@given(
    st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.lists(st.floats(0, 1), min_size=1, max_size=9)
)
def test_a_scale_turns_its_ends_into_0_and_1(worst: float, best: float, at: list[float]) -> None:
    if abs(best - worst) < 1e-3:
        return
    values = [worst + share * (best - worst) for share in at]
    ids = [str(n) for n in range(len(at))]

    found = column(values, ids, name="x", where="y", scale=Scale(worst, best))

    assert found == pytest.approx(at, abs=1e-6)
    assert all(value is not None and 0 <= value <= 1 for value in found)


@given(st.lists(st.sampled_from([1, 1.0, True, "1", "true", 0, False, "pass", "0%", "100 %"])))
def test_true_and_1_are_told_apart_where_scores_are_rescaled(values: list[object]) -> None:
    found = column(
        values, [str(n) for n in range(len(values))], name="x", where="y", scale=AS_GIVEN
    )

    assert set(found) <= {0.0, 1.0}
    mixed = [True, 1, 5, "pass", "1", "no"]
    scale = Scale(1, 5)
    assert column(mixed, list("abcdef"), name="x", where="y", scale=scale) == [1, 0, 1, 1, 0, 0]

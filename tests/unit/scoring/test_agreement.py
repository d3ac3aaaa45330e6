"""Agreement statistics against scikit-learn, scipy and krippendorff, on recorded panels."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import krippendorff
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import cohen_kappa_score, confusion_matrix

from tau.scoring.agreement import (
    MeasurementLevel,
    alpha_of_table,
    bootstrap,
    cohen_kappa,
    confusion,
    krippendorff_alpha,
    wilson,
)

PANELS = Path(__file__).parents[2] / "data" / "judge_panels"
COVERAGE = {"not_covered": 0.0, "partially_covered": 0.5, "fully_covered": 1.0}
VERDICT = {"NO_COVERAGE": 0.0, "PARTIAL_COVERAGE": 0.5, "FULL_COVERAGE": 1.0}
NAMED = {"1": 1.0, "2": 2.0, "Tie": 0.0, "0": 0.0}
LEVELS: tuple[MeasurementLevel, ...] = ("nominal", "ordinal", "interval")
EXACT = 1e-9


def rows_of(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (PANELS / name).read_text().splitlines()]


def panels() -> Iterator[tuple[str, list[list[float | None]]]]:
    """By name, the units with a value or nothing of each rater."""
    summaries = rows_of("summhay.jsonl")
    yield (
        "summhay",
        [
            [
                COVERAGE.get(str(row["human"])),
                *(VERDICT.get(str(v)) for v in row["judges"].values()),
            ]
            for row in summaries
        ],
    )
    pairs = rows_of("pandalm.jsonl")
    yield (
        "pandalm",
        [
            [*map(float, row["humans"]), *(NAMED.get(str(v)) for v in row["judges"].values())]
            for row in pairs
        ],
    )


PANEL = dict(panels())


def columns(units: list[list[float | None]]) -> Iterator[tuple[list[float], list[float]]]:
    """Every two raters on the units that both rated."""
    raters = len(units[0])
    for one in range(raters):
        for other in range(one + 1, raters):
            both = [(u[one], u[other]) for u in units if u[one] is not None is not u[other]]
            yield [float(a or 0) for a, _ in both], [float(b or 0) for _, b in both]


@pytest.mark.parametrize("name", PANEL)
def test_kappa_and_confusion_are_those_of_scikit_learn(name: str) -> None:
    compared = 0
    for first, second in columns(PANEL[name]):
        labels = sorted({*first, *second})
        table = confusion(first, second, labels)
        named = [str(value) for value in first], [str(value) for value in second]
        names = [str(value) for value in labels]
        assert np.array_equal(table, confusion_matrix(*named, labels=names))
        for weights in (None, "linear", "quadratic"):
            expected = cohen_kappa_score(*named, labels=names, weights=weights)
            assert cohen_kappa(table, weights) == pytest.approx(expected, abs=EXACT)
            compared += 1
    assert compared >= 30


@pytest.mark.parametrize("name", PANEL)
@pytest.mark.parametrize("level", LEVELS)
def test_alpha_is_that_of_krippendorff(name: str, level: MeasurementLevel) -> None:
    units = PANEL[name]
    data = np.array([[np.nan if v is None else v for v in unit] for unit in units]).T
    expected = krippendorff.alpha(reliability_data=data, level_of_measurement=level)
    assert krippendorff_alpha(units, level) == pytest.approx(expected, abs=EXACT)


@given(
    st.lists(
        st.lists(st.sampled_from([None, 0.0, 0.25, 1.0, 4.0]), min_size=3, max_size=3),
        min_size=2,
        max_size=25,
    ),
    st.sampled_from(LEVELS),
)
def test_alpha_with_missing_values(
    units: list[list[float | None]], level: MeasurementLevel
) -> None:
    found = krippendorff_alpha(units, level)
    pairable = [[v for v in unit if v is not None] for unit in units]
    values = {v for unit in pairable if len(unit) > 1 for v in unit}
    if len(values) < 2:
        assert found is None
        return
    data = np.array([[np.nan if v is None else v for v in unit] for unit in units]).T
    expected = krippendorff.alpha(reliability_data=data, level_of_measurement=level)
    assert found == pytest.approx(expected, abs=EXACT)


@pytest.mark.parametrize("level", LEVELS[:2])
def test_alpha_of_a_table_is_that_of_its_rows(level: MeasurementLevel) -> None:
    for first, second in columns(PANEL["summhay"]):
        labels = sorted({*first, *second})
        whole = krippendorff_alpha(list(zip(first, second, strict=True)), level)
        assert alpha_of_table(confusion(first, second, labels), level) == pytest.approx(
            whole, abs=EXACT
        )


@given(st.integers(0, 60), st.integers(1, 60))
def test_wilson_is_that_of_scipy(hits: int, rows: int) -> None:
    hits = min(hits, rows)
    expected = binomtest(hits, rows).proportion_ci(method="wilson")
    assert wilson(hits / rows, rows) == pytest.approx((expected.low, expected.high), abs=EXACT)


def test_chance_alone_is_told_as_nothing() -> None:
    assert cohen_kappa([[12]]) is None
    assert cohen_kappa([[12, 0], [0, 0]]) is None
    assert krippendorff_alpha([(1.0, 1.0), (1.0, 1.0)]) is None
    assert krippendorff_alpha([(1.0, None), (None, 0.0)]) is None


def test_another_label_is_refused() -> None:
    with pytest.raises(ValueError, match="none of the labels"):
        confusion(["yes"], ["maybe"], ["no", "yes"])


def test_the_bootstrap_is_fixed_and_wider_by_groups() -> None:
    cells = [(n % 2, (n + n % 7 // 6) % 2) for n in range(120)]
    single = bootstrap([[cell] for cell in cells], 2, [cohen_kappa])
    assert single == bootstrap([[cell] for cell in cells], 2, [cohen_kappa])
    ((low, high),) = [found for found in single if found is not None]
    assert low < (cohen_kappa([[51, 9], [8, 52]]) or 0) < high
    repeated = bootstrap([[cell] * 6 for cell in cells[:20]], 2, [cohen_kappa])
    ((wide_low, wide_high),) = [found for found in repeated if found is not None]
    assert wide_high - wide_low > 1.5 * (high - low)
    assert bootstrap([[(0, 0)]], 2, [cohen_kappa]) == [None]

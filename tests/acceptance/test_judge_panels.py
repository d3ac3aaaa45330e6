"""Agreement statistics on whole recorded panels, against scikit-learn and krippendorff."""

import gzip
import json
from itertools import combinations
from pathlib import Path

import krippendorff
import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from tau.scoring.agreement import MeasurementLevel, cohen_kappa, confusion, krippendorff_alpha

pytestmark = pytest.mark.acceptance

SCORES = {
    "not_covered": 0.0, "partially_covered": 0.5, "fully_covered": 1.0,
    "NO_COVERAGE": 0.0, "PARTIAL_COVERAGE": 0.5, "FULL_COVERAGE": 1.0,
}  # fmt: skip
LEVELS: tuple[MeasurementLevel, ...] = ("nominal", "ordinal", "interval")


@pytest.fixture
def units(acceptance_data: Path) -> list[list[float | None]]:
    with gzip.open(acceptance_data / "judges_humans/summhay_coverage.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file]
    return [
        [
            SCORES.get(row["human_coverage"]),
            *(
                SCORES.get(str((verdict or {}).get("coverage")))
                for verdict in row["judges"].values()
            ),
        ]
        for row in rows
    ]


@pytest.mark.parametrize("level", LEVELS)
def test_alpha(units: list[list[float | None]], level: MeasurementLevel) -> None:
    assert len(units) == 899
    data = np.array([[np.nan if v is None else v for v in unit] for unit in units]).T
    expected = krippendorff.alpha(reliability_data=data, level_of_measurement=level)
    assert krippendorff_alpha(units, level) == pytest.approx(expected, abs=1e-9)


def test_kappa(units: list[list[float | None]]) -> None:
    for one, other in combinations(range(len(units[0])), 2):
        both = [(u[one], u[other]) for u in units if u[one] is not None and u[other] is not None]
        first, second = ([pair[side] for pair in both] for side in (0, 1))
        table = confusion(first, second, sorted(SCORES[name] for name in list(SCORES)[:3]))
        expected = cohen_kappa_score(list(map(str, first)), list(map(str, second)))
        assert cohen_kappa(table) == pytest.approx(expected, abs=1e-9)

"""Candidates by quality and cost: which of them nothing beats, and how it is drawn."""

import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau.charts.front import Spot, front_chart
from tau.domain.claim import CostMeasure
from tau.domain.dataset import Split
from tau.domain.ids import RunId
from tau.domain.run import Run
from tau.domain.spend import NANO
from tau.ports.insights import MeanCost
from tau.reports.front import KnownCosts, QualityCost, quality_cost
from tau.scoring.aggregate import Estimate

POINTS = st.dictionaries(
    st.text("abcdef0123456789", min_size=16, max_size=16),
    st.tuples(st.integers(0, 8).map(lambda n: n / 8), st.integers(1, 6)),
    min_size=2,
    max_size=12,
)


def run(minimize: str | None = None) -> Run:
    config: dict[str, Any] = {"claim": {"minimize": minimize}} if minimize else {}
    return Run(
        id=RunId("run-1"), config_hash="", model_ref="m", seed=0, algorithm="reflect", config=config
    )


def estimate(mean: float, n: int = 10) -> Estimate:
    return Estimate(n=n, mean=mean, low=max(0.0, mean - 0.2), high=min(1.0, mean + 0.2))


def found(
    points: Mapping[str, tuple[float, float]],
    minimize: str | None = "latency",
    **given: Any,  # noqa: ANN401
) -> QualityCost | None:
    """Of candidates with (mean, cost): seconds, and a hundredth of a dollar for each."""
    costs = [
        MeanCost(
            resources=name, split=Split.OPTIMIZE, rows=10, duration_ms=1000 * cost,
            nano_usd=given.get("usd", NANO / 100) * cost,
            output_tokens=given.get("tokens", 7.0) and given.get("tokens", 7.0) * cost,
        )
        for name, (_, cost) in points.items()
    ]  # fmt: skip
    return quality_cost(
        run(minimize),
        KnownCosts(
            estimates={
                Split.OPTIMIZE: {name: estimate(mean) for name, (mean, _) in points.items()}
            },
            costs=costs,
            characters={name: 100 * n for n, name in enumerate(points, start=1)},
            baseline=next(iter(points)),
            best=list(points)[-1],
        ),
    )


@given(points=POINTS)
def test_the_front_is_what_nothing_beats(points: dict[str, tuple[float, int]]) -> None:
    told = found(points)
    assert told is not None
    for one in told.points:
        mean, cost = points[one.resources]
        beaten = any(
            (other >= mean and theirs <= cost) and (other > mean or theirs < cost)
            for other, theirs in points.values()
        )
        assert one.undominated is not beaten
    assert {*told.leading, *told.others} == set(told.points)
    assert [one.cost for one in told.points] == sorted(one.cost for one in told.points)


@pytest.mark.parametrize(
    ("minimize", "given", "measure"),
    [
        ("usd", {}, CostMeasure.USD),
        ("latency", {}, CostMeasure.LATENCY),
        ("output_tokens", {}, CostMeasure.OUTPUT_TOKENS),
        ("prompt_length", {}, CostMeasure.PROMPT_LENGTH),
        (None, {}, CostMeasure.USD),
        (None, {"usd": 0}, CostMeasure.OUTPUT_TOKENS),
        (None, {"usd": 0, "tokens": None}, CostMeasure.LATENCY),
        ("output_tokens", {"tokens": None}, CostMeasure.USD),
    ],
)
def test_the_cost_is_what_the_objective_names_else_what_is_known(
    minimize: str | None, given: dict[str, Any], measure: CostMeasure
) -> None:
    told = found({"a" * 16: (0.5, 1), "b" * 16: (0.75, 2)}, minimize, **given)
    assert told is not None
    assert told.measure is measure


def test_one_candidate_alone_is_no_front() -> None:
    assert found({"a" * 16: (0.5, 1)}) is None


def test_the_split_with_the_baseline_and_the_most_candidates_counts() -> None:
    scores = {name: estimate(0.5) for name in "abc"}
    told = KnownCosts(
        estimates={
            Split.VALIDATE: {"b": estimate(0.5), "c": estimate(0.5)},
            Split.OPTIMIZE: {"a": scores["a"], "b": scores["b"]},
        },
        costs=(), characters={}, baseline="a", best="b",
    )  # fmt: skip
    assert told.split is Split.OPTIMIZE
    assert KnownCosts(
        estimates={Split.VALIDATE: scores, Split.OPTIMIZE: scores},
        costs=(), characters={}, baseline="a", best="b",
    ).split is Split.VALIDATE  # fmt: skip


@given(points=POINTS)
def test_the_drawing_is_whole_and_within_its_frame(points: dict[str, tuple[float, int]]) -> None:
    told = found(points)
    assert told is not None
    picture = told.picture(candidates="/runs/x/candidates")
    root = ElementTree.fromstring(picture)
    width, height = (float(root.attrib[name]) for name in ("width", "height"))
    for one in root.iter():
        for name, most in (("x", width), ("cx", width), ("y", height), ("cy", height)):
            if name in one.attrib:
                assert -1 <= float(one.attrib[name]) <= most
    marks = root.findall(".//{*}a")
    assert len(marks) == len(points)
    assert all(mark.find(".//{*}title") is not None for mark in marks)
    assert "nan" not in picture.lower()


def test_what_harms_in_a_label_is_text() -> None:
    spots = [
        Spot(label="<script>", cost=cost, mean=0.5, low=0.4, high=0.6, tone="accepted")
        for cost in (1.0, 1.0)
    ]
    picture = front_chart("t<i>", spots, unit="<b>", figure=lambda cost: f"<{cost}>")
    assert not re.search(r"<(script|i|b|1)", picture)


def test_hundreds_of_candidates_are_thinned_and_named_ones_kept() -> None:
    spots = [
        Spot(label=str(n), cost=n + 1, mean=0.5, low=0.4, high=0.6, tone="best" if n == 777 else
             "discarded", undominated=n == 0)
        for n in range(2000)
    ]  # fmt: skip
    picture = front_chart("t", spots, unit="u", figure=str)
    assert "777: " in picture
    assert picture.count('class="dot') <= 402

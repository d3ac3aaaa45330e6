import xml.etree.ElementTree as ET

import pytest

from tau.charts.intervals import Interval, interval_chart
from tau.charts.outcomes import ExampleOutcome, Fate, outcome_chart
from tau.charts.progress import Trial, progress_chart
from tau.charts.svg import Svg, element

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = '"><script>alert(1)</script>\x00\x1b[31m&'


def drawn(picture: Svg) -> ET.Element:
    return ET.fromstring(picture)


def found(picture: ET.Element, tag: str, kind: str) -> list[ET.Element]:
    return [one for one in picture.iter(f"{SVG}{tag}") if kind in one.get("class", "").split()]


def row(label: str = "a", low: float = 0.25, middle: float = 0.5, high: float = 0.75) -> Interval:
    return Interval(label=label, low=low, middle=middle, high=high, tone="best")


def test_an_interval_is_drawn_to_scale() -> None:
    picture = drawn(interval_chart("Scores", [row(), row(low=0, middle=0.5, high=1)]))
    first, second = found(picture, "circle", "point")
    ranges = found(picture, "line", "best")
    lengths = [float(line.get("x2", 0)) - float(line.get("x1", 0)) for line in ranges[::3]]

    assert first.get("cx") == second.get("cx")
    assert float(first.get("cy", 0)) < float(second.get("cy", 0))
    assert lengths[1] == pytest.approx(2 * lengths[0])


def test_what_lies_outside_is_drawn_at_the_edge() -> None:
    inside = drawn(interval_chart("t", [row(low=-1, middle=1, high=1)], start=-1, end=1))
    outside = drawn(interval_chart("t", [row(low=-9, middle=5, high=5)], start=-1, end=1))

    assert ET.tostring(inside) == ET.tostring(outside)


@pytest.mark.parametrize(
    "picture",
    [
        interval_chart(HOSTILE, [row(label=HOSTILE)]),
        progress_chart(
            HOSTILE, [Trial(label=HOSTILE, rollouts=1, mean=0.5, rows=3)], baseline=None
        ),
        outcome_chart(HOSTILE, [ExampleOutcome(label=HOSTILE, fate=Fate.BROKEN)]),
        element("text", HOSTILE, class_=HOSTILE),
    ],
)
def test_hostile_text_stays_text(picture: Svg) -> None:
    whole = drawn(picture)

    assert [one for one in whole.iter() if "script" in one.tag] == []
    assert "\x1b" not in picture
    assert "\x00" not in picture


def test_candidates_stand_where_they_were_tried_and_scored() -> None:
    trials = [
        Trial(label="base", rollouts=1, mean=0.0, rows=16, tone="baseline"),
        Trial(label="late", rollouts=100, mean=1.0, rows=64, tone="best"),
    ]
    picture = drawn(progress_chart("Search", trials, baseline=0.0))
    first, last = (one for one in picture.iter(f"{SVG}circle"))

    assert float(first.get("cx", 0)) < float(last.get("cx", 0))
    assert float(first.get("cy", 0)) > float(last.get("cy", 0))
    assert float(first.get("r", 0)) < float(last.get("r", 0))
    line = found(picture, "line", "baseline")[0]
    assert line.get("y1") == first.get("cy")


def test_many_candidates_are_thinned_and_the_best_stays() -> None:
    trials = [Trial(label=str(n), rollouts=n + 1, mean=0.5, rows=1) for n in range(9_999)]
    trials.append(Trial(label="b", rollouts=10_000, mean=0.9, rows=1, tone="best"))
    picture = drawn(progress_chart("Search", trials, baseline=None))

    assert len(found(picture, "circle", "dot")) <= 2_001
    assert len(found(picture, "circle", "best")) == 1


def test_fates_are_told_apart_without_colour() -> None:
    outcomes = [ExampleOutcome(label=str(fate), fate=fate) for fate in Fate]
    picture = drawn(outcome_chart("Examples", outcomes))
    marks = [one.text or "" for one in found(picture, "text", "mark")]

    assert len(found(picture, "rect", "cell")) == len(Fate)
    assert len(set(marks)) == len(Fate)

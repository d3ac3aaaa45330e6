"""The dashboard's pictures: well-formed, harmless, and with everything in them."""

from xml.etree import ElementTree

import pytest

from tau.charts.curve import Dot, Point, curve_chart
from tau.charts.lineage import Node, lineage_chart
from tau.charts.matrix import Cell, matrix_chart
from tau.charts.svg import Svg
from tau.charts.timeline import Stack, meter, timeline_chart
from tau.charts.waterfall import Bar, waterfall_chart

HOSTILE = "</title><script>x</script>\x00\ud800\"'&"
SVG = "{http://www.w3.org/2000/svg}"


def parsed(picture: Svg) -> ElementTree.Element:
    root = ElementTree.fromstring(picture)  # raises for what is not well-formed
    assert not list(root.iter(f"{SVG}script"))
    assert "style=" not in picture
    return root


def marks(root: ElementTree.Element, tag: str, name: str) -> list[ElementTree.Element]:
    return [one for one in root.iter(SVG + tag) if one.get("class") == name]


def points(line: ElementTree.Element) -> list[tuple[float, float]]:
    found = [one.split(",") for one in (line.get("points") or "").split()]
    return [(float(x), float(y)) for x, y in found]


def test_a_curve_has_its_band_its_dots_and_the_baseline() -> None:
    best = [Point(rollouts=10, mean=0.5, low=0.2, high=0.8),
            Point(rollouts=20, mean=0.75, low=0.6, high=0.9)]  # fmt: skip
    dots = [Dot(label=HOSTILE, rollouts=5, mean=0.1, href="/x?a=1&b=2"),
            Dot(label="b", rollouts=10, mean=0.5, tone="best"),
            Dot(label="a", rollouts=40, mean=0.4, tone="baseline")]  # fmt: skip
    root = parsed(curve_chart(HOSTILE, best, dots, baseline=0.4))
    line = points(marks(root, "polyline", "line best")[0])
    assert [round(x) for x, _ in line] == [217, 394, 394, 748]
    assert line[0][1] == line[1][1] > line[2][1] == line[3][1], "higher is better, in steps"
    assert len(points(marks(root, "polygon", "band")[0])) == 8
    assert (len(marks(root, "circle", "dot other")), len(marks(root, "rect", "dot baseline"))) == (
        1,
        1,
    )
    assert [one.get("href") for one in root.iter(SVG + "a")] == ["/x?a=1&b=2"]


def test_scores_outside_the_scale_stay_in_the_picture() -> None:
    best = [Point(rollouts=1, mean=-5, low=-9, high=7)]
    root = parsed(curve_chart("t", best, [], baseline=None))
    assert all(0 <= y <= 280 for _, y in points(marks(root, "polygon", "band")[0]))


def test_a_lineage_puts_children_below_and_right_of_their_parents() -> None:
    nodes = [
        Node(key="a", parent=None, label=HOSTILE, score=0.2, evidence=10, tone="baseline"),
        Node(key="b", parent="a", label="b", score=None, evidence=0),
        Node(key="c", parent="a", label="c", score=0.9, evidence=40, tone="best", href="/c"),
        Node(key="d", parent="b", label="d", score=0.5, evidence=5),
        Node(key="e", parent="unknown", label="e", score=0.5, evidence=5),
    ]
    root = parsed(lineage_chart("t", nodes))
    circles = {one.find(SVG + "title").text[0]: one for one in root.iter(SVG + "circle")}  # type: ignore[union-attr,index]
    place = {key: (float(c.get("cx", 0)), float(c.get("cy", 0))) for key, c in circles.items()}
    assert place["b"][1] < place["d"][1] < place["c"][1], "depth first"
    assert place["b"][0] == place["c"][0] < place["d"][0]
    assert place["e"][0] < place["b"][0]
    assert float(circles["c"].get("r", 0)) > float(circles["d"].get("r", 0))
    assert len(marks(root, "path", "edge")) == 3


@pytest.mark.parametrize("parents", [{"a": "b", "b": "a"}, {"a": "a"}])
def test_a_circle_of_parents_ends(parents: dict[str, str]) -> None:
    nodes = [Node(key=k, parent=p, label=k, score=1, evidence=1) for k, p in parents.items()]
    assert len(marks(parsed(lineage_chart("t", nodes)), "circle", "node other")) == len(parents)


def test_a_matrix_has_a_square_per_measurement() -> None:
    failed = Cell(score=None, mark="✕", about=HOSTILE)
    rows: list[tuple[str, list[Cell | None]]] = [
        (HOSTILE, [Cell(score=1.0, href="/r"), None]),
        ("b", [Cell(score=0.0, mark="·"), failed]),
    ]
    root = parsed(matrix_chart("t", rows, ["baseline", HOSTILE]))
    filled = [float(one.get("fill-opacity", 0)) for one in marks(root, "rect", "cell scored")]
    assert filled == [1.0, 0.12]
    assert len(marks(root, "rect", "cell failed")) == 1


def test_a_waterfall_keeps_time() -> None:
    bars = [Bar(label=HOSTILE, depth=0, start_ns=10**18, end_ns=10**18 + 4_000_000, kind="rollout"),
            Bar(label="call", depth=1, start_ns=10**18 + 1_000_000, end_ns=10**18 + 3_000_000,
                kind="model_call", failed=True)]  # fmt: skip
    root = parsed(waterfall_chart("t", bars))
    whole, call = root.iter(SVG + "rect")
    assert float(call.get("width", 0)) == pytest.approx(float(whole.get("width", 0)) / 2)
    assert float(call.get("x", 0)) > float(whole.get("x", 0))
    assert call.get("class") == "bar model_call failed"
    assert "2.0 ms" in "".join(root.itertext())


def test_a_timeline_stacks_what_there_was() -> None:
    stacks = [Stack(label="one", amounts={"succeeded": 3, "failed": 1}),
              Stack(label=HOSTILE, amounts={"succeeded": 2})]  # fmt: skip
    root = parsed(timeline_chart("t", stacks, top="4", first="a", last="b"))
    heights = [float(one.get("height", 0)) for one in marks(root, "rect", "bar succeeded")]
    failed = float(marks(root, "rect", "bar failed")[0].get("height", 0))
    assert heights == pytest.approx([3 * failed, 2 * failed])


@pytest.mark.parametrize(("share", "width"), [(-1, 0), (0, 0), (0.001, 4), (0.5, 100), (7, 200)])
def test_a_meter_is_filled_to_its_share(share: float, width: float) -> None:
    root = parsed(meter("t", share))
    assert float(marks(root, "rect", "fill best")[0].get("width", 0)) == width


def test_empty_pictures_are_whole() -> None:
    for picture in (
        curve_chart("t", [], [], baseline=None), lineage_chart("t", []), matrix_chart("t", [], []),
        waterfall_chart("t", []), timeline_chart("t", [], top="0", first="", last=""),
    ):  # fmt: skip
        parsed(picture)

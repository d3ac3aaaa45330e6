"""The dashboard's pictures: well-formed, harmless, and with everything in them."""

from xml.etree import ElementTree

import pytest

from tau.charts.curve import CertifiedPoint, Dot, Point, curve_chart, dot_key, ticks
from tau.charts.lanes import Stretch, lane_chart
from tau.charts.lineage import Node, edge_key, lineage_chart
from tau.charts.matrix import Cell, cell_mark
from tau.charts.svg import Svg
from tau.charts.timeline import Stack, meter, timeline_chart
from tau.charts.waterfall import SpanBar, waterfall_chart

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
    assert [round(x) for x, _ in line] == [284, 528, 528, 1016]
    assert line[0][1] == line[1][1] > line[2][1] == line[3][1], "higher is better, in steps"
    assert len(points(marks(root, "polygon", "band")[0])) == 8
    assert (len(marks(root, "circle", "dot other")), len(marks(root, "rect", "dot baseline"))) == (
        1,
        1,
    )
    assert [one.get("href") for one in root.iter(SVG + "a")] == ["/x?a=1&b=2"]


def test_another_split_is_a_line_of_its_own() -> None:
    best = [Point(rollouts=10, mean=0.5, low=0.2, high=0.8)]
    beside = [Point(rollouts=20, mean=0.25, low=0, high=1)]
    root = parsed(curve_chart("t", best, [], baseline=None, beside=beside))
    mine, other = (points(marks(root, "polyline", f"line {n}")[0]) for n in ("best", "beside"))
    assert mine[0][1] < other[0][1], "the higher score stands higher"
    assert mine[-1][0] == other[-1][0], "both go on to the end"


def test_fates_differ_in_shape_and_the_key_shows_the_same() -> None:
    tones = ["baseline", "best", "accepted", "discarded", "gated", "other"]
    dots = [Dot(label=tone, rollouts=5, mean=0.5, tone=tone) for tone in tones]
    root = parsed(curve_chart("t", [], dots, baseline=None))
    found = {one.get("class"): one for one in root.iter() if "dot" in (one.get("class") or "")}
    shapes = {tone: found[f"dot {tone}"] for tone in tones}
    assert {tone: one.tag.removeprefix(SVG) for tone, one in shapes.items()} == {
        "baseline": "rect", "best": "circle", "accepted": "path", "discarded": "circle",
        "gated": "path", "other": "circle",
    }  # fmt: skip
    assert shapes["accepted"].get("d") != shapes["gated"].get("d")
    for tone in tones:
        key = next(one for one in parsed(dot_key(tone)).iter() if one.get("class") == f"dot {tone}")
        assert key.tag == shapes[tone].tag


def test_scores_outside_the_scale_stay_in_the_picture() -> None:
    best = [Point(rollouts=1, mean=-5, low=-9, high=7)]
    root = parsed(curve_chart("t", best, [], baseline=None))
    assert all(0 <= y <= 320 for _, y in points(marks(root, "polygon", "band")[0]))


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


def test_edges_tell_how_a_candidate_was_made() -> None:
    nodes = [
        Node(key="a", parent=None, label="a", score=0.2, evidence=1, tone="baseline"),
        Node(key="b", parent="a", label="b", score=0.2, evidence=1, operator="reflect"),
        Node(key="c", parent="a", label="c", score=0.2, evidence=1, operator="merge", chosen=True),
        Node(key="d", parent="a", label="d", score=0.2, evidence=1, operator=HOSTILE),
    ]
    root = parsed(lineage_chart("t", nodes))
    edges = [one for one in root.iter(f"{SVG}path") if "edge" in (one.get("class") or "")]
    assert len({one.get("class") for one in edges}) == 3
    key = next(parsed(edge_key("merge")).iter(f"{SVG}path"))
    assert key.get("class") == edges[1].get("class")
    assert len(marks(root, "circle", "chosen")) == 1
    assert "merge" in "".join(root.itertext())


@pytest.mark.parametrize("parents", [{"a": "b", "b": "a"}, {"a": "a"}])
def test_a_circle_of_parents_ends(parents: dict[str, str]) -> None:
    nodes = [Node(key=k, parent=p, label=k, score=1, evidence=1) for k, p in parents.items()]
    assert len(marks(parsed(lineage_chart("t", nodes)), "circle", "node other")) == len(parents)


def test_a_square_is_fuller_the_better_and_says_what_it_is() -> None:
    full, half, failed = (
        parsed(cell_mark(Cell(score=score, mark=mark, about=HOSTILE)))
        for score, mark in ((1.0, ""), (0.5, ""), (None, "✕"))
    )
    shade = [float(marks(one, "rect", "cell scored")[0].get("fill-opacity", "")) for one in
             (full, half)]  # fmt: skip
    assert shade == [1.0, 0.56]
    assert marks(failed, "rect", "cell failed")
    assert [one.text for one in marks(failed, "text", "mark")] == ["✕"]


@pytest.mark.parametrize("last", [1, 3, 5, 6, 11, 74, 75, 184, 499, 1000, 12_345, 100_000])
def test_marks_of_an_axis_are_whole_and_few(last: int) -> None:
    found = ticks(last)
    assert found[0] == 0
    assert found[-1] <= last
    assert 2 <= len(found) <= 6
    assert all(type(one) is int for one in found)


def test_what_was_certified_stands_apart_with_its_interval() -> None:
    best = [Point(rollouts=40, mean=0.5, low=0.2, high=0.8)]
    apart = CertifiedPoint(mean=0.7, low=0.6, high=0.8, label="certified: +0.2")
    root = parsed(curve_chart("t", best, [], baseline=0.5, certified=apart))
    right = max(x for x, _ in points(marks(root, "polyline", "line best")[0]))
    bars = marks(root, "line", "range best")
    assert len(bars) == 3
    assert all(float(one.get("x1", "")) > right for one in bars)
    assert marks(root, "path", "point certified")


@pytest.mark.parametrize("linked", [True, False])
def test_a_picture_with_links_is_a_group_and_one_without_an_image(linked: bool) -> None:
    dot = Dot(label="d", rollouts=1, mean=0.5, href="/x" if linked else None)
    root = parsed(curve_chart("t", [], [dot], baseline=None))
    assert root.get("role") == ("group" if linked else "img")
    assert root.get("aria-label") == "t"


def test_a_waterfall_keeps_time() -> None:
    start = 10**18
    bars = [
        SpanBar(label=HOSTILE, depth=0, start_ns=start, end_ns=start + 4_000_000, kind="rollout"),
        SpanBar(label="call", depth=1, start_ns=start + 1_000_000, end_ns=start + 3_000_000,
                kind="model_call", failed=True),
    ]  # fmt: skip
    root = parsed(waterfall_chart("t", bars))
    whole, call = root.iter(SVG + "rect")
    assert float(call.get("width", 0)) == pytest.approx(float(whole.get("width", 0)) / 2)
    assert float(call.get("x", 0)) > float(whole.get("x", 0))
    assert call.get("class") == "bar model_call failed"
    assert "2.0 ms" in "".join(root.itertext())


def test_a_timeline_stacks_what_there_was() -> None:
    stacks = [Stack(label="one", amounts={"succeeded": 3, "failed": 1}),
              Stack(label=HOSTILE, amounts={"succeeded": 2})]  # fmt: skip
    root = parsed(timeline_chart("t", stacks, say=str, first="a", last="b"))
    heights = [float(one.get("height", 0)) for one in marks(root, "rect", "bar succeeded")]
    failed = float(marks(root, "rect", "bar failed")[0].get("height", 0))
    assert heights == pytest.approx([3 * failed, 2 * failed])


@pytest.mark.parametrize(("limit", "drawn"), [(None, 0), (5.0, 1), (4.0, 1), (400.0, 0)])
def test_a_limit_is_a_line_where_it_is_near(limit: float | None, drawn: int) -> None:
    stacks = [Stack(label="one", amounts={"evaluate": 4})]
    root = parsed(timeline_chart("t", stacks, say=str, first="a", last="b", limit=limit))
    lines = marks(root, "line", "limit")
    bar = marks(root, "rect", "bar evaluate")[0]
    assert len(lines) == drawn
    assert all(float(one.get("y1", 0)) <= float(bar.get("y", 0)) for one in lines)
    assert (f"limit {limit}" in "".join(root.itertext())) is (limit is not None)


def test_attempts_at_the_same_time_do_not_cover_each_other() -> None:
    stints = [
        Stretch(lane="w1", start_ms=0, end_ms=100, tone="succeeded", label=HOSTILE, href="/r1"),
        Stretch(lane="w1", start_ms=50, end_ms=150, tone="failed", label="b"),
        Stretch(lane="w1", start_ms=100, end_ms=200, tone="running", label="c"),
        Stretch(lane="w2", start_ms=0, end_ms=200, tone="succeeded", label="d"),
    ]
    root = parsed(lane_chart("t", ["w1", "w2"], stints, first="a", last="b"))
    one, two, three, four = (
        tuple(float(bar.get(name, 0)) for name in ("x", "y", "width", "height"))
        for bar in root.iter(f"{SVG}rect")
    )
    assert one[1] == three[1] != two[1], "what comes later takes a row that is free again"
    assert one[1] + one[3] <= two[1]
    assert two[1] + two[3] <= four[1], "another worker, another lane"
    assert four[2] == pytest.approx(2 * one[2], rel=0.01)


@pytest.mark.parametrize(("share", "width"), [(-1, 0), (0, 0), (0.001, 4), (0.5, 100), (7, 200)])
def test_a_meter_is_filled_to_its_share(share: float, width: float) -> None:
    root = parsed(meter("t", share))
    assert float(marks(root, "rect", "fill best")[0].get("width", 0)) == width


def test_empty_pictures_are_whole() -> None:
    for picture in (
        curve_chart("t", [], [], baseline=None), lineage_chart("t", []),
        cell_mark(Cell(score=None)),
        waterfall_chart("t", []), lane_chart("t", [], [], first="", last=""),
        timeline_chart("t", [], say=str, first="", last=""),
    ):  # fmt: skip
        parsed(picture)

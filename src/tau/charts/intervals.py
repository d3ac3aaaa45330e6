"""Means with their intervals on one scale, and a difference around 0."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tau.charts.svg import Svg, element, number, picture

_WIDTH = 460
_EDGE = 14
_ROW = 42
_AXIS = 22


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A point between `low` and `high`; `tone` is a class for colour (baseline, best, other)."""

    label: str
    low: float
    middle: float
    high: float
    tone: str = "other"
    figure: str = ""


def interval_chart(
    title: str, rows: Sequence[Interval], *, start: float = 0, end: float = 1
) -> Svg:
    """One row each, from `start` to `end`; what lies outside is drawn at the edge.

    Words stand above their row, so that it fits a phone.
    """
    height = _ROW * len(rows) + _AXIS
    return picture(
        title,
        _WIDTH,
        height,
        [
            *_axis(start, end, height),
            *(s for n, row in enumerate(rows) for s in _row(n, row, start, end)),
        ],
        kind="intervals",
    )


def _axis(start: float, end: float, height: float) -> Iterator[Svg]:
    for step in range(5):
        value = start + (end - start) * step / 4
        x = _x(value, start, end)
        strong = "axis zero" if value == 0 and start < 0 else "axis"
        yield element("line", x1=x, x2=x, y1=18, y2=height - _AXIS + 4, class_=strong)
        sign = "+" if start < 0 < value else "−" if value < 0 else ""
        anchor = "start" if step == 0 else "end" if step == 4 else "middle"
        place = 0 if step == 0 else _WIDTH if step == 4 else x
        yield element(
            "text", f"{sign}{number(abs(value))}", x=place, y=height - 4, text_anchor=anchor,
            class_="tick",
        )  # fmt: skip


def _row(index: int, row: Interval, start: float, end: float) -> Iterator[Svg]:
    top = _ROW * index
    y = top + 29
    low, middle, high = (_x(value, start, end) for value in (row.low, row.middle, row.high))
    yield element("text", row.label, x=0, y=top + 14, class_="label")
    yield element("text", row.figure, x=_WIDTH, y=top + 14, text_anchor="end", class_="figure")
    yield element("line", x1=low, x2=high, y1=y, y2=y, class_=f"range {row.tone}")
    for end_x in (low, high):
        yield element("line", x1=end_x, x2=end_x, y1=y - 5, y2=y + 5, class_=f"range {row.tone}")
    if row.tone == "baseline":
        yield element("rect", x=middle - 5, y=y - 5, width=10, height=10, class_="point baseline")
    else:
        yield element("circle", cx=middle, cy=y, r=5.5, class_=f"point {row.tone}")


def _x(value: float, start: float, end: float) -> float:
    share = min(1.0, max(0.0, (value - start) / (end - start)))
    return _EDGE + share * (_WIDTH - 2 * _EDGE)

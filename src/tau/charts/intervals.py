"""Means with their intervals on one scale, and a difference around 0."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tau.charts.svg import Svg, element, number, picture

_ROW = 26
_LABEL = 170
_PLOT = 360
_FIGURE = 230
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
    """One row each, from `start` to `end`; what lies outside is drawn at the edge."""
    width, height = _LABEL + _PLOT + _FIGURE, _ROW * len(rows) + _AXIS
    return picture(
        title,
        width,
        height,
        [
            *_axis(start, end, height),
            *(s for n, row in enumerate(rows) for s in _row(n, row, start, end)),
        ],
    )


def _axis(start: float, end: float, height: float) -> Iterator[Svg]:
    for step in range(5):
        value = start + (end - start) * step / 4
        x = _x(value, start, end)
        strong = "axis zero" if value == 0 and start < 0 else "axis"
        yield element("line", x1=x, x2=x, y1=0, y2=height - _AXIS + 4, class_=strong)
        sign = "+" if start < 0 < value else ""
        yield element(
            "text", f"{sign}{number(value)}", x=x, y=height - 4, text_anchor="middle", class_="tick"
        )


def _row(index: int, row: Interval, start: float, end: float) -> Iterator[Svg]:
    y = _ROW * index + _ROW / 2
    low, middle, high = (_x(value, start, end) for value in (row.low, row.middle, row.high))
    yield element("text", row.label, x=_LABEL - 10, y=y + 4, text_anchor="end", class_="label")
    yield element("line", x1=low, x2=high, y1=y, y2=y, class_=f"range {row.tone}")
    for end_x in (low, high):
        yield element("line", x1=end_x, x2=end_x, y1=y - 5, y2=y + 5, class_=f"range {row.tone}")
    yield element("circle", cx=middle, cy=y, r=5, class_=f"point {row.tone}")
    yield element("text", row.figure, x=_LABEL + _PLOT + 12, y=y + 4, class_="figure")


def _x(value: float, start: float, end: float) -> float:
    share = min(1.0, max(0.0, (value - start) / (end - start)))
    return _LABEL + share * _PLOT

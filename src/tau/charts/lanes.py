"""Who worked on what when: a lane per worker, a bar per attempt."""

from collections.abc import Sequence
from dataclasses import dataclass

from tau.charts.svg import Svg, element, picture

_WIDTH = 1100
_LABEL = 150
_ROW = 26
_AXIS = 22
_THINNEST = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """One attempt of a worker; `tone` is its state, `label` is shown where the reader points."""

    lane: str
    start_ms: int
    end_ms: int
    tone: str
    label: str
    href: str | None = None


def lane_chart(title: str, lanes: Sequence[str], stretches: Sequence[Stretch], *, first: str,
               last: str) -> Svg:  # fmt: skip
    """Time goes to the right, from the first start to the last end; `first` and `last` name them.

    Attempts that a worker holds at the same time are drawn in thinner bars below each other.
    """
    start = min((one.start_ms for one in stretches), default=0)
    whole = max(1, max((one.end_ms for one in stretches), default=0) - start)
    scale = (_WIDTH - _LABEL) / whole
    height = _ROW * max(1, len(lanes)) + _AXIS
    parts: list[Svg] = []
    for n, lane in enumerate(lanes):
        y = _ROW * n
        parts.append(element("text", lane, x=0, y=y + 17, class_="label"))
        parts.append(element("line", x1=_LABEL, x2=_WIDTH, y1=y + _ROW, y2=y + _ROW,
                             class_="axis"))  # fmt: skip
        own = [one for one in stretches if one.lane == lane]
        rows = _rows(own)
        tall = (_ROW - 6) / max(1, 1 + max(rows, default=0))
        for one, row in zip(own, rows, strict=True):
            bar = element(
                "rect", element("title", one.label),
                x=_LABEL + (one.start_ms - start) * scale, y=y + 3 + tall * row,
                width=max(_THINNEST, (one.end_ms - one.start_ms) * scale - 0.5),
                height=max(1.0, tall - 0.7), class_=f"bar {one.tone}",
            )  # fmt: skip
            parts.append(element("a", bar, href=one.href) if one.href else bar)
    parts.append(element("text", first, x=_LABEL, y=height - 5, class_="tick"))
    parts.append(element("text", last, x=_WIDTH, y=height - 5, text_anchor="end", class_="tick"))
    return picture(title, _WIDTH, height, parts,
                   linked=any(one.href for one in stretches))  # fmt: skip


def _rows(stretches: Sequence[Stretch]) -> list[int]:
    """For each of them the first row that is free when it starts."""
    free: list[int] = []
    order = sorted(range(len(stretches)), key=lambda n: stretches[n].start_ms)
    found = [0] * len(stretches)
    for n in order:
        one = stretches[n]
        row = next((r for r, until in enumerate(free) if until <= one.start_ms), len(free))
        if row == len(free):
            free.append(0)
        free[row] = max(one.end_ms, one.start_ms + 1)
        found[n] = row
    return found

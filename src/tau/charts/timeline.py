"""Amounts per slice of time, stacked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tau.charts.svg import Svg, element, picture

_WIDTH = 760
_HEIGHT = 150
_LEFT = 64
_BOTTOM = 22
_TOP = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """What there was within one slice, by tone; `label` is shown where the reader points."""

    label: str
    amounts: Mapping[str, float]

    @property
    def total(self) -> float:
        """All together."""
        return sum(self.amounts.values())


def timeline_chart(
    title: str, stacks: Sequence[Stack], *, top: str, first: str, last: str, least: int = 12
) -> Svg:
    """A bar per slice; `top` names the highest, `first` and `last` the times at both ends."""
    highest = max((stack.total for stack in stacks), default=0) or 1
    wide = (_WIDTH - _LEFT) / max(least, len(stacks))
    base, room = float(_HEIGHT - _BOTTOM), _HEIGHT - _BOTTOM - _TOP
    parts: list[Svg] = []
    for y, text in ((float(_TOP), top), (base, "0")):
        parts.append(element("line", x1=_LEFT, x2=_WIDTH, y1=y, y2=y, class_="axis"))
        parts.append(element("text", text, x=_LEFT - 7, y=y + 4, text_anchor="end", class_="tick"))
    for n, stack in enumerate(stacks):
        y = base
        bars = [element("title", stack.label)]
        for tone, amount in stack.amounts.items():
            height = room * amount / highest
            y -= height
            bars.append(element("rect", x=_LEFT + wide * n + 0.5, y=y, height=height,
                                width=max(1.0, wide - 1), class_=f"bar {tone}"))  # fmt: skip
        parts.append(element("g", *bars))
    end = _LEFT + wide * max(1, len(stacks))
    parts.append(element("text", first, x=_LEFT, y=_HEIGHT - 5, class_="tick"))
    if len(stacks) > 3:
        parts.append(element("text", last, x=end, y=_HEIGHT - 5, text_anchor="end", class_="tick"))
    return picture(title, _WIDTH, _HEIGHT, parts)


def meter(title: str, share: float, *, tone: str = "best") -> Svg:
    """A bar filled to `share` of it."""
    filled = 200 * min(1.0, max(0.0, share))
    return picture(
        title,
        200,
        10,
        [
            element("rect", x=0, y=0, width=200, height=10, rx=5, class_="trough"),
            element("rect", x=0, y=0, width=max(4.0, filled) if share > 0 else 0, height=10, rx=5,
                    class_=f"fill {tone}"),
        ],
    )  # fmt: skip

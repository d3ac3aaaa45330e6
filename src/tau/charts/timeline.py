"""Amounts per slice of time, stacked."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from tau.charts.svg import Svg, element, picture

_WIDTH = 560
_HEIGHT = 170
_LEFT = 58
_BOTTOM = 22
_TOP = 14
_WIDEST = 64
_FAR = 4


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
    title: str,
    stacks: Sequence[Stack],
    *,
    say: Callable[[float], str],
    first: str,
    last: str,
    limit: float | None = None,
) -> Svg:
    """A bar per slice, all as wide; `say` writes amounts, `first` and `last` are times at the ends.

    A `limit` is a line across where it is near enough to be seen beside the bars, else a note.
    """
    highest = max((stack.total for stack in stacks), default=0) or 1
    near = limit is not None and limit <= _FAR * highest
    top = max(highest, limit or 0) if near else highest
    wide = min(float(_WIDEST), (_WIDTH - _LEFT) / max(1, len(stacks)))
    parts = [*_scale(top, say)]
    for n, stack in enumerate(stacks):
        parts.append(_bar(stack, _LEFT + wide * n, wide, top))
    if limit is not None:
        y = _y(limit, top) if near else float(_TOP) - 4
        if near:
            parts.append(element("line", x1=_LEFT, x2=_WIDTH, y1=y, y2=y, class_="limit"))
        words = f"limit {say(limit)}{'' if near else ', far above'}"
        parts.append(element("text", words, x=_WIDTH, y=max(9.0, y - 4), text_anchor="end",
                             class_="tick"))  # fmt: skip
    end = _LEFT + wide * max(1, len(stacks))
    parts.append(element("text", first, x=_LEFT, y=_HEIGHT - 5, class_="tick"))
    if end - _LEFT > 120:
        parts.append(element("text", last, x=end, y=_HEIGHT - 5, text_anchor="end", class_="tick"))
    return picture(title, _WIDTH, _HEIGHT, parts)


def _scale(top: float, say: Callable[[float], str]) -> Iterator[Svg]:
    for share in (1.0, 0.5, 0.0):
        y = _y(top * share, top)
        yield element("line", x1=_LEFT, x2=_WIDTH, y1=y, y2=y, class_="axis")
        yield element("text", say(top * share) if share else "0", x=_LEFT - 7, y=y + 4,
                      text_anchor="end", class_="tick")  # fmt: skip


def _bar(stack: Stack, x: float, wide: float, top: float) -> Svg:
    base = float(_HEIGHT - _BOTTOM)
    y = base
    bars = [element("title", stack.label)]
    for tone, amount in stack.amounts.items():
        height = (base - _TOP) * amount / top
        y -= height
        if amount:
            bars.append(element("rect", x=x + 0.5, y=y, height=height, width=max(1.0, wide - 1),
                                class_=f"bar {tone}"))  # fmt: skip
    return element("g", *bars)


def _y(amount: float, top: float) -> float:
    return _TOP + (_HEIGHT - _BOTTOM - _TOP) * (1 - amount / top)


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
        preserveAspectRatio="none",
    )  # fmt: skip

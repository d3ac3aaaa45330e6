"""Quality against cost: every candidate with its interval, and the line that none of them beats."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tau.charts.curve import dot_mark
from tau.charts.svg import Svg, element, number, picture

_WIDTH = 460
_HEIGHT = 300
_LEFT = 40
_RIGHT = 16
_TOP = 12
_BOTTOM = 42
_MOST = 400
_STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A candidate: what it costs, its mean score with the interval, and what to say of it.

    `tone` is a shape of `curve.dot_mark`: baseline, best, accepted (nothing beats it), discarded.
    """

    label: str
    cost: float
    mean: float
    low: float
    high: float
    tone: str = "discarded"
    undominated: bool = False
    href: str | None = None


def front_chart(
    title: str, spots: Sequence[Spot], *, unit: str, figure: Callable[[float], str]
) -> Svg:
    """Scores upwards, costs to the right; cheap and good is in the upper left corner.

    At most 400 candidates are drawn, evenly chosen, those that nothing beats always.
    """
    shown = _thinned(spots)
    across = _Scale.over([spot.cost for spot in shown], _LEFT, _WIDTH - _RIGHT)
    bounds = [value for spot in shown for value in (spot.low, spot.high)]
    up = _Scale.over(bounds, _HEIGHT - _BOTTOM, _TOP, most=max(1.0, *bounds))
    parts = [*_grid(across, up, unit, figure)]
    named = ("baseline", "best")
    drawn = sorted(shown, key=lambda spot: (spot.tone in named, spot.undominated))
    for spot in drawn:
        x, strong = across(spot.cost), " strong" if spot.tone in named else ""
        parts.append(
            element("line", x1=x, x2=x, y1=up(spot.low), y2=up(spot.high),
                    class_=f"spread {spot.tone}{strong}")
        )  # fmt: skip
    line = _steps([spot for spot in shown if spot.undominated], across, up)
    if line:
        parts.append(element("polyline", points=line, class_="line best"))
    parts += [_mark(spot, across(spot.cost), up(spot.mean), figure) for spot in drawn]
    linked = any(spot.href for spot in shown)
    return picture(title, _WIDTH, _HEIGHT, parts, kind="front", linked=linked)


@dataclass(frozen=True, slots=True)
class _Scale:
    """From values between round numbers to places between two edges."""

    low: float
    high: float
    step: float
    start: float
    end: float

    @classmethod
    def over(
        cls, values: Sequence[float], start: float, end: float, most: float | None = None
    ) -> "_Scale":
        """Round numbers around `values`; from 0 on where they reach far down anyway."""
        least, top = min(values), max(values)
        span = (top - least) or abs(top) or 1.0
        if least >= 0 and least < span:
            least, span = 0.0, max(top, span)
        rough = span / 4
        unit = 10.0 ** math.floor(math.log10(rough))
        step = next(unit * one for one in _STEPS if unit * one >= rough * 0.999)
        low = step * math.floor(least / step + 1e-9)
        high = step * math.ceil(top / step - 1e-9)
        if most is not None:
            high = min(high, most)
        return cls(low, high if high > low else low + step, step, start, end)

    def __call__(self, value: float) -> float:
        share = min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))
        return self.start + share * (self.end - self.start)

    @property
    def ticks(self) -> list[float]:
        count = math.floor((self.high - self.low) / self.step + 1e-9)
        return [self.low + n * self.step for n in range(count + 1)]


def _grid(across: _Scale, up: _Scale, unit: str, figure: Callable[[float], str]) -> Iterator[Svg]:
    for value in up.ticks:
        y = up(value)
        yield element("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y, y2=y, class_="axis")
        yield element("text", number(value), x=_LEFT - 7, y=y + 4, text_anchor="end",
                      class_="tick")  # fmt: skip
    last = len(across.ticks) - 1
    for n, value in enumerate(across.ticks):
        x = across(value)
        anchor = "start" if n == 0 else "end" if n == last and x > _WIDTH - 40 else "middle"
        yield element("text", figure(value), x=x, y=_HEIGHT - _BOTTOM + 17, text_anchor=anchor,
                      class_="tick")  # fmt: skip
    yield element("text", unit, x=(_LEFT + _WIDTH - _RIGHT) / 2, y=_HEIGHT - 6,
                  text_anchor="middle", class_="tick")  # fmt: skip


def _steps(spots: Sequence[Spot], across: _Scale, up: _Scale) -> str:
    """What can be had for so much: level until a better one is paid for."""
    places: list[tuple[float, float]] = []
    for spot in sorted(spots, key=lambda spot: (spot.cost, spot.mean)):
        x, y = across(spot.cost), up(spot.mean)
        if places:
            places.append((x, places[-1][1]))
        places.append((x, y))
    return " ".join(f"{number(x)},{number(y)}" for x, y in places) if len(places) > 1 else ""


def _mark(spot: Spot, x: float, y: float, figure: Callable[[float], str]) -> Svg:
    text = (
        f"{spot.label}: {spot.mean:.3f} ({spot.low:.3f} to {spot.high:.3f}) for {figure(spot.cost)}"
    )
    mark = dot_mark(spot.tone, x, y, element("title", text))
    return element("a", mark, href=spot.href) if spot.href else mark


def _thinned(spots: Sequence[Spot]) -> list[Spot]:
    if len(spots) <= _MOST:
        return list(spots)
    step = len(spots) / _MOST
    kept = {int(n * step) for n in range(_MOST)}
    return [
        spot
        for n, spot in enumerate(spots)
        if n in kept or spot.undominated or spot.tone in ("baseline", "best")
    ]

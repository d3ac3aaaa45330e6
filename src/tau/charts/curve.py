"""How a run went: the best so far with its band, a dot for each candidate, against rollouts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle

from tau.charts.svg import Svg, element, number, picture

_WIDTH = 1100
_HEIGHT = 320
_LEFT = 40
_MARGIN = 84
_TOP = 12
_BOTTOM = 34


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """The best mean after `rollouts` of them, with its interval."""

    rollouts: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """A candidate when it was first measured.

    `tone`: baseline, best, accepted, discarded, gated, or other; each is another shape.
    """

    label: str
    rollouts: int
    mean: float
    tone: str = "other"
    href: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CertifiedPoint:
    """The best on examples that chose nothing, with its interval; drawn apart from the rest."""

    mean: float
    low: float
    high: float
    label: str


def curve_chart(
    title: str,
    best: Sequence[Point],
    dots: Sequence[Dot],
    *,
    baseline: float | None,
    beside: Sequence[Point] = (),
    certified: CertifiedPoint | None = None,
) -> Svg:
    """Scores from 0 to 1 upwards, rollouts to the right; marks differ in shape, too.

    `beside` is how the best did on another split.
    """
    last = max([1, *(p.rollouts for p in (*best, *beside)), *(d.rollouts for d in dots)])
    parts = [*_frame(last)]
    if beside:
        line = list(_steps([(p.rollouts, p.mean) for p in beside], last))
        parts.append(element("polyline", points=_joined(line, last), class_="line beside"))
    if baseline is not None:
        y = _y(baseline)
        parts.append(element("line", x1=_LEFT, x2=_WIDTH - _MARGIN, y1=y, y2=y,
                             class_="range baseline"))  # fmt: skip
        parts.append(element("text", "baseline", x=_WIDTH - _MARGIN, y=y - 5, text_anchor="end",
                             class_="tick"))  # fmt: skip
    if best:
        parts += _band(best, last)
    parts += [_dot(dot, last) for dot in dots]
    if certified is not None:
        parts += _apart(certified)
    return picture(title, _WIDTH, _HEIGHT, parts,
                   linked=any(dot.href for dot in dots))  # fmt: skip


def _apart(found: CertifiedPoint) -> Iterator[Svg]:
    """In the margin on the right, behind a line: it is not a part of the search."""
    x, y = _WIDTH - _MARGIN / 2, _y(found.mean)
    edge = _WIDTH - _MARGIN + 8
    yield element("line", x1=edge, x2=edge, y1=_TOP, y2=_HEIGHT - _BOTTOM, class_="axis zero")
    yield element("line", x1=x, x2=x, y1=_y(found.high), y2=_y(found.low), class_="range best")
    for end in (found.high, found.low):
        yield element("line", x1=x - 6, x2=x + 6, y1=_y(end), y2=_y(end), class_="range best")
    about = element("title", found.label)
    yield dot_mark("certified", x, y, about)
    yield element("text", "certified", x=x, y=_HEIGHT - 17, text_anchor="middle", class_="tick")


def _band(best: Sequence[Point], last: int) -> Iterator[Svg]:
    """Steps: a best stays the best until another one is."""
    highs = list(_steps([(p.rollouts, p.high) for p in best], last))
    lows = list(_steps([(p.rollouts, p.low) for p in best], last))
    middle = list(_steps([(p.rollouts, p.mean) for p in best], last))
    yield element("polygon", points=_joined([*highs, *reversed(lows)], last), class_="band")
    yield element("polyline", points=_joined(middle, last), class_="line best")


def _steps(points: Sequence[tuple[int, float]], last: int) -> Iterator[tuple[int, float]]:
    before: float | None = None
    for x, y in points:
        if before is not None:
            yield x, before
        yield x, y
        before = y
    if before is not None:
        yield last, before


def _joined(points: Sequence[tuple[int, float]], last: int) -> str:
    return " ".join(f"{number(_x(x, last))},{number(_y(y))}" for x, y in points)


def _dot(dot: Dot, last: int) -> Svg:
    x, y = _x(dot.rollouts, last), _y(dot.mean)
    about = element("title", f"{dot.label}: {dot.mean:.3f} after {dot.rollouts:,} rollouts")
    mark = dot_mark(dot.tone, x, y, about)
    return element("a", mark, href=dot.href) if dot.href else mark


def dot_mark(tone: str, x: float, y: float, *children: Svg) -> Svg:
    """The shape that stands for a tone: the same in a chart and in its key."""
    name = f"dot {tone}"
    if tone == "best":
        return element("circle", *children, cx=x, cy=y, r=5.5, class_=name)
    if tone == "baseline":
        return element("rect", *children, x=x - 5, y=y - 5, width=10, height=10, class_=name)
    if tone == "accepted":
        return element("path", *children, d=_path("M", (x, y - 5), (x + 5, y + 4), (x - 5, y + 4)),
                       class_=name)  # fmt: skip
    if tone == "certified":
        places = ((x, y - 6), (x + 6, y), (x, y + 6), (x - 6, y))
        return element("path", *children, d=_path("M", *places), class_="point certified")
    if tone == "gated":
        cross = (
            _path("M", (x - 4, y - 4), (x + 4, y + 4), close=False)
            + _path("M", (x - 4, y + 4), (x + 4, y - 4), close=False)
        )  # fmt: skip
        return element("path", *children, d=cross, class_=name)
    return element("circle", *children, cx=x, cy=y, r=3.5, class_=name)


def dot_key(tone: str) -> Svg:
    """A small picture of a shape, for the key of a chart."""
    return element("svg", dot_mark(tone, 7, 7), xmlns="http://www.w3.org/2000/svg",
                   viewBox="0 0 14 14", width=14, height=14, aria_hidden="true",
                   class_="chart mark-key")  # fmt: skip


def _path(move: str, *places: tuple[float, float], close: bool = True) -> str:
    points = "L".join(f"{number(x)} {number(y)}" for x, y in places)
    return f"{move}{points}{'Z' if close else ''}"


def _frame(last: int) -> Iterator[Svg]:
    for step in range(5):
        y = _y(step / 4)
        yield element("line", x1=_LEFT, x2=_WIDTH - _MARGIN, y1=y, y2=y, class_="axis")
        yield element("text", number(step / 4), x=_LEFT - 7, y=y + 4, text_anchor="end",
                      class_="tick")  # fmt: skip
    for mark in ticks(last):
        yield element("text", f"{mark:,}", x=_x(mark, last), y=_HEIGHT - 17,
                      text_anchor="middle" if mark else "start", class_="tick")  # fmt: skip
    yield element("text", "rollouts", x=(_LEFT + _WIDTH - _MARGIN) / 2, y=_HEIGHT - 3,
                  text_anchor="middle", class_="tick")  # fmt: skip


def ticks(last: int) -> list[int]:
    """Whole, round numbers from 0 to `last`, about five of them."""
    step, factors = 1, cycle((2.0, 2.5, 2.0))
    while last / step > 5:
        step = int(step * next(factors))
    return list(range(0, last + 1, step))


def _x(rollouts: float, last: int) -> float:
    return _LEFT + (_WIDTH - _LEFT - _MARGIN) * rollouts / last


def _y(score: float) -> float:
    return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - min(1.0, max(0.0, score)))

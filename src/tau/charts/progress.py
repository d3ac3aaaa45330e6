"""How a search went: what each candidate scored, in the order in which they were first tried."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tau.charts.curve import ticks
from tau.charts.svg import Svg, element, number, picture

_WIDTH = 720
_HEIGHT = 260
_LEFT = 44
_BOTTOM = 36
_RIGHT = 30
_TOP = 10
_MOST = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A candidate, first tried after `rollouts` of them: its mean and how many rows it has."""

    label: str
    rollouts: int
    mean: float
    rows: int
    tone: str = "other"


def progress_chart(title: str, trials: Sequence[Trial], *, baseline: float | None) -> Svg:
    """Score against rollouts: a dot per candidate, larger with more rows; the baseline as a line.

    At most 2,000 dots are drawn, evenly chosen, those that are no `other` always.
    """
    shown = _thinned(trials)
    last = max((trial.rollouts for trial in trials), default=0) or 1
    most = max((trial.rows for trial in trials), default=1)
    parts = [*_frame(last)]
    if baseline is not None:
        y = _y(baseline)
        parts.append(element("line", x1=_LEFT, x2=_WIDTH, y1=y, y2=y, class_="range baseline"))
    for trial in shown:
        parts.append(
            element(
                "circle",
                element("title", f"{trial.label}: {trial.mean:.3f} on {trial.rows} rows"),
                cx=_LEFT + (_WIDTH - _LEFT - _RIGHT) * trial.rollouts / last,
                cy=_y(trial.mean),
                r=3 + 4 * (trial.rows / most) ** 0.5,
                class_=f"dot {trial.tone}",
            )
        )
    return picture(title, _WIDTH, _HEIGHT, parts)


def _thinned(trials: Sequence[Trial]) -> list[Trial]:
    if len(trials) <= _MOST:
        return list(trials)
    step = len(trials) / _MOST
    kept = {int(n * step) for n in range(_MOST)}
    return [trial for n, trial in enumerate(trials) if n in kept or trial.tone != "other"]


def _frame(last: int) -> Iterator[Svg]:
    for step in range(5):
        y = _y(step / 4)
        yield element("line", x1=_LEFT, x2=_WIDTH, y1=y, y2=y, class_="axis")
        yield element(
            "text", number(step / 4), x=_LEFT - 8, y=y + 4, text_anchor="end", class_="tick"
        )
    for mark in ticks(last):
        x = _LEFT + (_WIDTH - _LEFT - _RIGHT) * mark / last
        yield element("text", f"{mark:,}", x=x, y=_HEIGHT - 18, text_anchor="middle",
                      class_="tick")  # fmt: skip
    yield element(
        "text", "rollouts", x=_WIDTH / 2, y=_HEIGHT - 2, text_anchor="middle", class_="tick"
    )


def _y(score: float) -> float:
    return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - min(1.0, max(0.0, score)))

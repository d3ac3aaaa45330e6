"""Example by example: what a candidate fixed, broke and left as it was."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tau.charts.svg import Svg, element, picture

_CELL = 14
_ACROSS = 48
_MARKS = {"fixed": "+", "broken": "−", "same": "", "missing": "?"}


class Fate(StrEnum):
    """What became of an example."""

    FIXED = "fixed"
    BROKEN = "broken"
    SAME = "same"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleOutcome:
    """One example; `label` is shown where the reader points."""

    label: str
    fate: Fate
    href: str | None = None


def outcome_chart(title: str, outcomes: Sequence[ExampleOutcome]) -> Svg:
    """A cell per example in the order given; marks tell the fates apart without colour."""
    rows = -(-len(outcomes) // _ACROSS) or 1
    parts = []
    for n, outcome in enumerate(outcomes):
        x, y = _CELL * (n % _ACROSS), _CELL * (n // _ACROSS)
        inner = (
            element("title", f"{outcome.label}: {outcome.fate}"),
            element("rect", x=x + 1, y=y + 1, width=_CELL - 2, height=_CELL - 2,
                    class_=f"cell {outcome.fate}"),
            element("text", _MARKS[outcome.fate], x=x + _CELL / 2, y=y + _CELL - 3.5,
                    text_anchor="middle", class_="mark"),
        )  # fmt: skip
        link = {"href": outcome.href} if outcome.href else {}
        parts.append(element("a" if link else "g", *inner, **link))
    return picture(title, _CELL * min(_ACROSS, max(1, len(outcomes))), _CELL * rows, parts,
                   linked=any(one.href for one in outcomes))  # fmt: skip

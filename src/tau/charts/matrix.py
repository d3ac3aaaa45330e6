"""Examples down, candidates across: what each scored where."""

from collections.abc import Sequence
from dataclasses import dataclass

from tau.charts.svg import Svg, element, picture

_CELL = 24
_HEAD = 84
_LABEL = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One measurement. `score` is None where it failed or is missing; then `mark` says which."""

    score: float | None
    mark: str = ""
    about: str = ""
    href: str | None = None


def matrix_chart(
    title: str, rows: Sequence[tuple[str, Sequence[Cell | None]]], columns: Sequence[str]
) -> Svg:
    """A square per measurement: fuller is better, a cross is a failure, empty was not tried.

    What the rows are is said behind their squares: on a narrow screen the squares come first.
    """
    parts = [
        element("text", name, x=0, y=0, class_="tick",
                transform=f"translate({_CELL * n + 15} {_HEAD - 6}) rotate(-60)")
        for n, name in enumerate(columns)
    ]  # fmt: skip
    beside = _CELL * len(columns) + 12
    for n, (label, cells) in enumerate(rows):
        y = _HEAD + _CELL * n
        parts.append(element("text", label, x=beside, y=y + 16, class_="label"))
        parts += [
            _square(cell, _CELL * column, y)
            for column, cell in enumerate(cells)
            if cell is not None
        ]
    width = beside + _LABEL
    return picture(title, width, _HEAD + _CELL * len(rows) + 4, parts)


def _square(cell: Cell, x: float, y: float) -> Svg:
    about = element("title", cell.about)
    if cell.score is None:
        square = element("rect", x=x + 1, y=y + 1, width=_CELL - 2, height=_CELL - 2,
                         class_="cell failed")  # fmt: skip
    else:
        share = 0.12 + 0.88 * min(1.0, max(0.0, cell.score))
        square = element("rect", x=x + 1, y=y + 1, width=_CELL - 2, height=_CELL - 2,
                         fill_opacity=share, class_="cell scored")  # fmt: skip
    text = element("text", cell.mark, x=x + _CELL / 2, y=y + 16, text_anchor="middle",
                   class_="mark")  # fmt: skip
    children = [about, square, *([text] if cell.mark else [])]
    if cell.href:
        return element("a", *children, href=cell.href)
    return element("g", *children)

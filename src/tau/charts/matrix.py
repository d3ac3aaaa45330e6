"""Examples down, candidates across: what each scored where."""

from dataclasses import dataclass

from tau.charts.svg import Svg, element


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One measurement. `score` is None where it failed or is missing; then `mark` says which."""

    score: float | None
    mark: str = ""
    about: str = ""
    href: str | None = None


def cell_mark(cell: Cell) -> Svg:
    """A square for one measurement: fuller is better, a cross is a failure."""
    about = element("title", cell.about)
    if cell.score is None:
        square = element("rect", x=1, y=1, width=22, height=22, class_="cell failed")
    else:
        share = 0.12 + 0.88 * min(1.0, max(0.0, cell.score))
        square = element("rect", x=1, y=1, width=22, height=22, fill_opacity=share,
                         class_="cell scored")  # fmt: skip
    text = element("text", cell.mark, x=12, y=16, text_anchor="middle", class_="mark")
    children = [about, square, *([text] if cell.mark else [])]
    return element("svg", *children, xmlns="http://www.w3.org/2000/svg", viewBox="0 0 24 24",
                   width=24, height=24, aria_hidden="true", class_="chart square")  # fmt: skip

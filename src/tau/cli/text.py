"""Lines and tables for terminals; every text in them is made safe to show."""

from collections.abc import Iterable, Sequence

from tau.domain.visible import line, shown

__all__ = ["line", "shown", "table"]


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Aligned lines, two spaces between columns; cells are made safe here."""
    cells = [list(header), *([line(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]

"""CSV and TSV: a header, then a row of cells a line."""

import csv
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import TextIO

from tau.domain.visible import line
from tau.scores.sheet import Sheet, listed, unusable
from tau.scores.source import opened_text

_SEPARATORS = ",\t;|"
_CELL_BYTES = 64 << 20


def read_table(path: str) -> Sheet:
    """The sheet of a CSV or TSV file; which character separates is read off its first line.

    Raises:
        InputError: no header, one with repeated names, or a row of another length.
    """
    with opened_text(path) as text:
        separator, header = _header(path, text)
    return Sheet(
        where=path,
        form="tsv" if separator == "\t" else "csv",
        rows=lambda: (dict(zip(header, row, strict=True)) for row in _lists(path)),
        columns=tuple(header),
        cells=lambda names: _cells(path, [header.index(name) for name in names]),
    )


def _header(path: str, text: TextIO) -> tuple[str, list[str]]:
    first = text.readline(1 << 20)
    text.seek(0)
    separator = max(_SEPARATORS, key=lambda each: (first.count(each), each == ","))
    csv.field_size_limit(max(csv.field_size_limit(), _CELL_BYTES))
    try:
        header = [name.strip() for name in next(csv.reader(text, delimiter=separator), [])]
    except csv.Error as error:
        raise unusable(path, f"not CSV: {error}") from None
    if not any(header):
        raise unusable(path, "the file is empty", fix="its first line must name the columns")
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise unusable(path, f"the header names {listed(twice)} twice")
    return separator, header


def _cells(path: str, places: Sequence[int]) -> Iterator[Sequence[str]]:
    if len(places) == 1:
        return ([row[places[0]]] for row in _lists(path))
    return map(itemgetter(*places), _lists(path))


def _lists(path: str) -> Iterator[list[str]]:
    with opened_text(path) as text:
        separator, header = _header(path, text)
        width = len(header)
        text.seek(0)
        reader = csv.reader(text, delimiter=separator)
        try:
            next(reader)
            for cells in reader:
                if len(cells) == width:
                    yield cells
                elif cells:
                    raise unusable(
                        f"{path}:{reader.line_num}",
                        f"row has {len(cells)} cells, the header {width}",
                        fix="a cell that holds a separator or a line break must be quoted",
                    )
        except csv.Error as error:
            raise unusable(f"{path}:{reader.line_num}", f"not CSV: {line(str(error))}") from None

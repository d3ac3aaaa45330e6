"""Rows of CSV and TSV texts, as spreadsheets write them."""

import csv
import io
import re
from collections.abc import Iterator
from itertools import islice

from tau.config.report import ParseError

_SEPARATORS = {",": "','", ";": "';'", "\t": "tabs", "|": "'|'"}
_SEP_LINE = re.compile(r"sep=(.)[ \t]*\r?\n", re.IGNORECASE)
_LOOKED_AT = 65_536
_ROWS_LOOKED_AT = 20

Cells = dict[str, str]


def table(text: str, delimiter: str) -> Iterator[tuple[int, Cells | str]]:
    """(line, row), or (line, what is wrong with the row); blank lines are no rows.

    Raises:
        Unusable: it has no header, its columns are separated by something else, or it is no CSV.
    """
    # The limit is the whole process's: it is only ever raised, the text is in memory anyway.
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    start = _start(text, delimiter)
    reader = csv.reader(io.StringIO(text[start:], newline=""), delimiter=delimiter, strict=True)
    skipped = text.count("\n", 0, start)
    try:
        _check_separator(text[start:], delimiter, 1 + skipped)
        header = next(_lines(reader), [])
        header = [name.strip() for name in header]
        _check_header(header, skipped + max(reader.line_num, 1))
        for cells in _lines(reader):
            line = skipped + reader.line_num
            if len(cells) == len(header):
                yield line, dict(zip(header, cells, strict=True))
            else:
                yield line, f"row has {len(cells)} cells, the header {len(header)}"
    except csv.Error as error:
        raise ParseError(f"not CSV: {error}", line=skipped + max(reader.line_num, 1)) from None


def _lines(reader: Iterator[list[str]]) -> Iterator[list[str]]:
    return (cells for cells in reader if cells and (len(cells) > 1 or cells[0].strip()))


def _start(text: str, delimiter: str) -> int:
    """Where the header begins: after blank lines, and after Excel's line `sep=,`."""
    start = len(text) - len(text.lstrip("\r\n"))
    told = _SEP_LINE.match(text, start)
    if told is None:
        return start
    if told[1] != delimiter:
        raise _separated(told[1], delimiter, 1 + text.count("\n", 0, start))
    return told.end()


def _check_separator(text: str, delimiter: str, line: int) -> None:
    """Find out from the first rows whether another separator makes a table of them."""
    first = text.partition("\n")[0]
    if delimiter not in first:
        other = next((each for each in ";\t,|" if each in first and each != delimiter), None)
        if other is not None:
            raise _separated(other, delimiter, line)
        return
    if _width(text, delimiter):
        return
    for other in ";\t,|":
        if other != delimiter and _width(text, other) > 1:
            raise _separated(other, delimiter, line)


def _width(text: str, delimiter: str) -> int:
    """How many columns the first rows have; 0 where they differ, or are no CSV."""
    head = text[:_LOOKED_AT]
    whole = head if len(head) == len(text) else head.rpartition("\n")[0]
    reader = csv.reader(io.StringIO(whole, newline=""), delimiter=delimiter)
    try:
        widths = {len(cells) for cells in islice(reader, _ROWS_LOOKED_AT) if cells}
    except csv.Error:
        return 0
    return widths.pop() if len(widths) == 1 else 0


def _separated(other: str, delimiter: str, line: int) -> ParseError:
    named = _SEPARATORS.get(other, f"'{other}'")
    return ParseError(
        f"the columns are separated by {named}, not by {_SEPARATORS[delimiter]}",
        line=line,
        fix="set 'format' to tsv" if other == "\t" else f"save it with {_SEPARATORS[delimiter]}",
    )


def _check_header(header: list[str], line: int) -> None:
    if not header:
        raise ParseError("is empty", fix="the first line must name the columns")
    twice = sorted({name for name in header if header.count(name) > 1})
    if "" in header or twice:
        what = f"names '{twice[0]}' twice" if twice and twice[0] else "has a column without name"
        raise ParseError(f"the header {what}", line=line)

"""Lines and tables for terminals, fitted to their width; every text in them is made safe."""

import re
import shutil
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tau.domain.visible import line, shown

__all__ = ["Column", "cells", "columns", "cut", "facts", "line", "shown", "table", "wrapped"]

_GAP = "  "
_WIDTH = 80
_NARROWEST = 40
_LEAST = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column and what becomes of it where the table is too wide.

    `least`: it may be shortened to so many cells; None leaves it whole. `drop`: the columns with
    the highest go first; 0 never. `wrap`: what is too long goes on below itself.
    """

    name: str
    least: int | None = None
    drop: int = 0
    right: bool = False
    wrap: bool = False


def columns() -> int:
    """How many cells a line has: COLUMNS, else what the terminal says, else 80."""
    return max(_NARROWEST, shutil.get_terminal_size((_WIDTH, 24)).columns)


def cells(text: str) -> int:
    """How many cells of a terminal `text` takes."""
    if text.isascii():
        return len(text)
    return sum(_cell(character) for character in text)


def cut(text: str, most: int) -> str:
    """`text` in at most so many cells, with a mark where something was left out."""
    if cells(text) <= most:
        return text
    kept, used = [], 1
    for character in text:
        used += _cell(character)
        if used > most:
            break
        kept.append(character)
    return "".join(kept).rstrip() + "…"


def table(
    header: Sequence[str | Column], rows: Iterable[Sequence[str]], *, width: int | None = None
) -> list[str]:
    """Aligned lines, two blanks between columns, no longer than `width` or the terminal's.

    Columns are shortened, then left out, as they say; cells are made safe here.
    """
    width = columns() if width is None else width
    kinds = [one if isinstance(one, Column) else Column(name=one, least=_LEAST) for one in header]
    lines = [[line(cell) for cell in row] for row in rows]
    kept = [
        n for n, kind in enumerate(kinds)
        if not ((kind.drop or kind.least) and lines and all(row[n] in ("", "-") for row in lines))
    ]  # fmt: skip
    natural = [max(map(cells, (kinds[n].name, *(row[n] for row in lines)))) for n in
               range(len(kinds))]  # fmt: skip
    least = [_least(kind, size) for kind, size in zip(kinds, natural, strict=True)]
    while sum(least[n] for n in kept) + len(_GAP) * (len(kept) - 1) > width:
        droppable = [n for n in kept if kinds[n].drop]
        if not droppable:
            break
        kept.remove(max(droppable, key=lambda n: (kinds[n].drop, n)))
    room = width - len(_GAP) * (len(kept) - 1)
    sizes = _shared(room, [(natural[n], least[n]) for n in kept])
    titles = [kinds[n].name.upper() for n in kept]
    chosen = [titles] if any(titles) else []
    chosen += [[row[n] for n in kept] for row in lines]
    shape = [(kinds[n], size) for n, size in zip(kept, sizes, strict=True)]
    return [text for each in chosen for text in _row(each, shape)]


def wrapped(text: str, width: int, *, broken: bool = False) -> list[str]:
    """The words of `text` on lines of at most `width` cells.

    A word that is longer stays whole, so that a path can be copied, unless it may be `broken`.
    """
    made: list[str] = []
    now = ""
    for word in re.findall(r"\S+", text):
        while broken and cells(word) > width:
            room = width - cells(now) - 1 if now else width
            head = _head(word, room if room > width // 3 else width)
            if now and room <= width // 3:
                made.append(now)
                now = ""
            made.append(f"{now} {head}" if now else head)
            now, word = "", word[len(head) :]
        if now and cells(now) + 1 + cells(word) > width:
            made.append(now)
            now = word
        elif word:
            now = f"{now} {word}" if now else word
    return [*made, now] if now or not made else made


def facts(
    rows: Iterable[tuple[str, str]], *, indent: str = "", width: int | None = None
) -> Iterator[str]:
    """A name and what there is to say of it on each line; long ones go on below themselves."""
    width = columns() if width is None else width
    found = [(line(name), line(said)) for name, said in rows]
    names = max((cells(name) for name, _ in found), default=0)
    for name, said in found:
        first, *rest = wrapped(said, max(20, width - len(indent) - names - len(_GAP)))
        yield f"{indent}{_padded(name, names)}{_GAP}{first}".rstrip()
        yield from (f"{indent}{' ' * names}{_GAP}{each}" for each in rest)


def _least(kind: Column, size: int) -> int:
    if kind.least is None:
        return size
    return min(size, max(kind.least, cells(kind.name)))


def _shared(room: int, sizes: Sequence[tuple[int, int]]) -> list[int]:
    """The width of each column: what is too much is taken from the widest that can give."""
    given = [size for size, _ in sizes]
    while sum(given) > room:
        able = [n for n, (_, least) in enumerate(sizes) if given[n] > least]
        if not able:
            break
        widest = max(able, key=lambda n: (given[n], n))
        given[widest] -= 1
    return given


def _row(row: Sequence[str], shape: Sequence[tuple[Column, int]]) -> Iterator[str]:
    """The lines of one row: several where a column wraps."""
    parts = [
        wrapped(cell, size, broken=True) if kind.wrap else [cut(cell, size)]
        for cell, (kind, size) in zip(row, shape, strict=True)
    ]
    for n in range(max(map(len, parts), default=1)):
        made = [
            _padded(part[n] if n < len(part) else "", size, right=kind.right)
            for part, (kind, size) in zip(parts, shape, strict=True)
        ]
        yield _GAP.join(made).rstrip()


def _padded(text: str, size: int, *, right: bool = False) -> str:
    blanks = " " * (size - cells(text))
    return blanks + text if right else text + blanks


def _head(word: str, most: int) -> str:
    """As much of a word as fits, one character at least."""
    used = 0
    for n, character in enumerate(word):
        used += _cell(character)
        if used > most:
            return word[: max(1, n)]
    return word


def _cell(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1

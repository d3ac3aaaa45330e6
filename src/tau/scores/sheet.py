"""A file of scores as rows of named values, whatever tool wrote it."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tau.domain.visible import clipped, line
from tau.errors import InputError

Row = Mapping[str, Any]
"""One row: values by column, as the file holds them."""

_READABLE = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """Rows that can be read again and again, and what its format says of their columns.

    `ids` together name a row; empty: only its place does. `scores` are columns known to hold
    scores. `variants` are columns that tell whose row it is, the first one as people are shown it;
    empty: the whole file is one's. With `repeats`, rows of one id are tries at the same row.
    `content` are columns by which a row is known again in another file. `whole` gives rows with
    questions and answers, where `rows` are read from something shorter. `cells` gives the values of
    the named columns by row, where the format has them without whole rows.
    """

    where: str
    form: str
    rows: Callable[[], Iterator[Row]]
    columns: tuple[str, ...]
    ids: tuple[str, ...] = ()
    scores: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    repeats: bool = False
    content: tuple[str, ...] = ()
    question: str | None = None
    answer: str | None = None
    notes: tuple[str, ...] = ()
    whole: Callable[[], Iterator[Row]] | None = None
    cells: Callable[[Sequence[str]], Iterator[Sequence[Any]]] | None = None


def unusable(sheet_or_path: Sheet | str, what: str, *, fix: str | None = None) -> InputError:
    """An error that names the file."""
    where = sheet_or_path if isinstance(sheet_or_path, str) else sheet_or_path.where
    return InputError(what, where=line(where), fix=fix)


def id_of_content(value: object) -> str:
    """A name for a row that has none: the beginning of its content and digits of its hash."""
    return f"{clipped(' '.join(_words(value)), _READABLE)} ~{digest_of(value)[:8]}".strip()


def digest_of(value: object) -> str:
    """16 hex digits that stand for a value; unlike `content_hash` of any JSON a file may hold."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def counted(number: int, noun: str) -> str:
    """`1 row`, `2,000 rows`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def listed(names: Sequence[str], most: int = 12) -> str:
    """Names for a message, a long list cut."""
    some = ", ".join(f"'{line(clipped(name, _READABLE))}'" for name in names[:most])
    return some + (f" and {len(names) - most:,} more" if len(names) > most else "")


def _words(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for each in value.values():
            yield from _words(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _words(each)
    elif value is not None:
        yield " ".join(str(value)[:200].split())

"""The SQL of the store, by name, and how it is run on a connection."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from tau.stores import statements
from tau.stores.rows import Row

_BINDING = re.compile(r"\$(\d+)")

PACKAGE = "tau.stores.postgres"

SQL, ABOUT = statements.load(PACKAGE)
"""Statement texts by name, and what each is for, in one line."""


class PostgresStatements:
    """Runs named statements on one connection."""

    def __init__(self, connection: Any) -> None:  # noqa: ANN401  (the driver has no types)
        """`connection` stays the caller's."""
        self.connection = connection

    async def tuples(self, name: str, *bindings: object) -> Sequence[Any]:
        """All rows; columns by place or name."""
        found: Sequence[Any] = await self.connection.fetch(SQL[name], *bindings)
        return found

    async def rows(self, name: str, *bindings: object) -> list[Row]:
        """All rows, by column name."""
        return [dict(row) for row in await self.tuples(name, *bindings)]

    async def row(self, name: str, *bindings: object) -> Row | None:
        """The first row, by column name, or None."""
        found = await self.tuples(name, *bindings)
        return dict(found[0]) if found else None

    async def value(self, name: str, *bindings: object) -> Any:  # noqa: ANN401  (a column)
        """The first column of the first row, or None."""
        found = await self.tuples(name, *bindings)
        return found[0][0] if found else None


@lru_cache(maxsize=64)
def together(names: tuple[str, ...]) -> str:
    """Statements that answer nothing and know nothing of each other, as one: one way to the server.

    Their bindings follow each other.
    """
    texts, bound = [], 0
    for name in names:
        text = SQL[name]
        texts.append(_shifted(text, bound))
        bound += max(int(number) for number in _BINDING.findall(text))
    *first, last = texts
    return f"{_with(first)}{last}"


def _shifted(text: str, bound: int) -> str:
    return _BINDING.sub(lambda found: f"${int(found[1]) + bound}", text)


def _with(texts: Sequence[str]) -> str:
    if not texts:
        return ""
    return "WITH " + ", ".join(f"s{n} AS ({text})" for n, text in enumerate(texts)) + " "


def storable(text: str | None) -> str | None:
    """`text` without what PostgreSQL cannot hold: NUL and lone surrogates are replaced."""
    if text is None:
        return None
    return text.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")

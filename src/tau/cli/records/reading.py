"""Asking a store something from synchronous code, and printing the answer."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from tau.cli.text import Column, table
from tau.ports.store import Store
from tau.wiring.stores import open_store

Value = TypeVar("Value")


def read(location: str, query: Callable[[Store], Awaitable[Value]]) -> Value:
    """The answer of a query to the store at `location`, opened for reading only.

    Raises:
        StoreError: it cannot be opened or read.
    """

    async def answer() -> Value:
        async with await open_store(location, read_only=True) as store:
            return await query(store)

    with asyncio.Runner() as runner:
        return runner.run(answer())


def print_lines(lines: Sequence[str]) -> None:
    """Write the result; the lines are safe already."""
    sys.stdout.write("".join(f"{text}\n" for text in lines))


def print_table(header: Sequence[str | Column], rows: Sequence[Sequence[str]], noun: str) -> None:
    """Write a table as the result; where it has no rows, say so to whoever looks."""
    if rows:
        print_lines(table(header, rows))
    else:
        sys.stderr.write(f"no {noun}\n")


def print_json(value: Any) -> None:  # noqa: ANN401  (anything that json can write)
    """Write one document; anything but ASCII is escaped, so nothing in it steers a terminal."""
    sys.stdout.write(json.dumps(value, indent=2) + "\n")


def moment(unix_ms: int) -> str:
    """A time in UTC, to the second."""
    return datetime.fromtimestamp(unix_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")

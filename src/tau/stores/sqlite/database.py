"""The small port the roles stand on: write, read, and hear of changes."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from tau.errors import StoreUnavailable
from tau.stores.signals import Signals
from tau.stores.sqlite.connection import SqliteStatements
from tau.stores.sqlite.readers import Query, Readers
from tau.stores.sqlite.transaction import SqliteTransaction
from tau.stores.sqlite.writer import GroupCommitWriter, Operation, Together

A = TypeVar("A")
T = TypeVar("T")


class SqliteDatabase:
    """One open database.

    `writer` is None when it was opened for reading only, `readers` where one connection does all.
    """

    def __init__(
        self,
        *,
        location: str,
        writer: GroupCommitWriter | None,
        readers: Readers | None,
        signals: Signals,
        poll_interval_s: float,
    ) -> None:
        """Take over `writer` and `readers`."""
        self.location = location
        self.signals = signals
        self.poll_interval_s = poll_interval_s
        self._writer = writer
        self._readers = readers

    def write(
        self,
        operation: Operation[T],
        *,
        undo: Callable[[T], Operation[object] | None] | None = None,
    ) -> "asyncio.Future[T]":
        """Run `operation` in a transaction; durable when it is answered."""
        if self._writer is None:
            raise StoreUnavailable("the store was opened for reading only", where=self.location)
        return self._writer.write(operation, undo)

    def write_together(
        self,
        together: Together[A, T],
        argument: A,
        *,
        undo: Callable[[T], Operation[object] | None] | None = None,
    ) -> "asyncio.Future[T]":
        """As `write`, but callers with an equal `together` are served by one call of it."""
        if self._writer is None:
            raise StoreUnavailable("the store was opened for reading only", where=self.location)
        return self._writer.write_together(together, argument, undo)

    async def read(self, query: Query[T]) -> T:
        """Run `query` on a snapshot of everything acknowledged so far."""
        if self._readers is not None:
            return await self._readers.read(query)
        return await self.write(lambda transaction: _flushed(transaction, query))

    async def aclose(self) -> None:
        """Finish what was accepted and let go of the file."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        if self._readers is not None:
            self._readers.close()
        if self._writer is not None:
            self._writer.close()


def _flushed(transaction: SqliteTransaction, query: Callable[[SqliteStatements], T]) -> T:
    transaction.flush()
    return query(transaction)

"""Reading beside the writer: short transactions on connections that cannot write."""

import asyncio
import contextlib
import queue
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeAlias, TypeVar

import apsw

from tau.errors import StoreUnavailable
from tau.stores.codec import damaged
from tau.stores.sqlite.connection import SqliteAccess, SqliteStatements
from tau.stores.sqlite.faults import translated

T = TypeVar("T")
Query: TypeAlias = Callable[[SqliteStatements], T]


class Readers:
    """A few connections, made when they are first needed."""

    def __init__(
        self, access: SqliteAccess, *, check_file: Callable[[], None], connections: int = 2
    ) -> None:
        """Opens nothing yet."""
        self._access = access
        self._check_file = check_file
        self._pool = ThreadPoolExecutor(connections, thread_name_prefix="tau-store-reader")
        self._free: queue.SimpleQueue[apsw.Connection] = queue.SimpleQueue()
        self._closed = False

    async def read(self, query: Query[T]) -> T:
        """Run `query` on one snapshot."""
        if self._closed:
            raise StoreUnavailable("the store is closed", where=self._access.path)
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._run, query)

    def close(self) -> None:
        """Wait for what runs and close the connections; blocks."""
        self._closed = True
        self._pool.shutdown(wait=True)
        with contextlib.suppress(queue.Empty):
            while True:
                self._free.get_nowait().close()

    def _run(self, query: Query[T]) -> T:
        self._check_file()
        connection = None
        try:
            connection = self._connection()
            connection.execute("BEGIN")
            try:
                return query(SqliteStatements(connection))
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
        except apsw.Error as error:
            raise translated(error, self._access.path, writing=False) from error
        except UnicodeDecodeError as error:
            raise damaged("a text", str(error)) from error
        finally:
            if connection is not None:
                self._free.put(connection)

    def _connection(self) -> apsw.Connection:
        try:
            return self._free.get_nowait()
        except queue.Empty:
            return self._access.reader()

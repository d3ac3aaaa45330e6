"""The small port the roles stand on: write, read, and hear of changes."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeAlias, TypeVar

import asyncpg

from tau.errors import StoreUnavailable
from tau.ports.clock import Clock
from tau.stores.postgres import faults
from tau.stores.postgres.notices import Notices
from tau.stores.postgres.sessions import PostgresAccess, PostgresSession, SessionPool
from tau.stores.postgres.statements import PostgresStatements
from tau.stores.postgres.transaction import Moment, Opening, PostgresTransaction

T = TypeVar("T")
Operation: TypeAlias = Callable[[PostgresTransaction], Awaitable[T]]
Query: TypeAlias = Callable[[PostgresStatements], Awaitable[T]]

_MOST_TRIES = 20


class PostgresDatabase:
    """One open database, used on the event loop it was opened on.

    Calls from other loops (heartbeats come from a thread of their own) are carried out on a loop
    kept for them, so that a blocked event loop is not taken for death.
    """

    def __init__(
        self,
        access: PostgresAccess,
        *,
        clock: Clock | None,
        connections: int,
        patience_s: float,
        poll_interval_s: float,
    ) -> None:
        """`clock` replaces the database's own; connects when first used."""
        self.access = access
        self.clock = clock
        self.poll_interval_s = poll_interval_s
        self._patience_s = patience_s
        self._home = asyncio.get_running_loop()
        self._pool = SessionPool(access, size=connections, patience_s=patience_s)
        self._aside = _Aside(lambda: SessionPool(access, size=2, patience_s=patience_s))
        self.notices = Notices(access, self._pool)
        self._running: set[asyncio.Task[Any]] = set()
        self._closed = False

    @property
    def location(self) -> str:
        """For people."""
        return self.access.address.shown

    async def write(self, operation: Operation[T], *, opening: Opening | None = None) -> T:
        """Run `operation` in a transaction that begins with `opening`; durable when this returns.

        It is run again where the connection was lost before the commit, and where the transaction
        was given up for another's sake. A commit whose answer was lost is looked up.
        """
        if self.access.read_only:
            raise StoreUnavailable("the store was opened for reading only", where=self.location)
        return await self._here_or_aside(lambda pool: self._write(pool, operation, opening))

    async def read(self, query: Query[T]) -> T:
        """Run `query` on one snapshot of everything acknowledged so far."""
        return await self._here_or_aside(lambda pool: self._read(pool, query))

    async def moment(self) -> Moment:
        """The time now."""
        return await self.read(self.now)

    async def now(self, statements: PostgresStatements) -> Moment:
        """The time now, asked on a connection that is there already."""
        if self.clock is not None:
            return Moment(0, self.clock)
        return Moment(await statements.value("clock"), None)

    async def aclose(self) -> None:
        """Finish what was accepted and let go of every connection."""
        if self._closed:
            return
        if self._running:
            await asyncio.wait(self._running)
        self._closed = True
        await self.notices.aclose()
        await self._pool.aclose()
        await self._aside.aclose()

    async def _here_or_aside(self, work: Callable[[SessionPool], Coroutine[Any, Any, T]]) -> T:
        if self._closed:
            raise StoreUnavailable("the store is closed", where=self.location)
        if asyncio.get_running_loop() is not self._home:
            return await self._aside.run(work)
        task = self._home.create_task(work(self._pool))
        self._running.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # its caller may have been cancelled

    async def _read(self, pool: SessionPool, query: Query[T]) -> T:
        for left in reversed(range(_MOST_TRIES)):
            try:
                async with pool.use() as session:
                    return await self._snapshot(session, query)
            except faults.LOST as error:
                if not left:
                    raise faults.unreachable(self.location, error) from error
            except asyncpg.PostgresError as error:
                if not left or not isinstance(error, faults.BUSY):
                    raise faults.translated(error, self.location) from error
        raise AssertionError("the last try answers or raises")

    async def _snapshot(self, session: PostgresSession, query: Query[T]) -> T:
        await session.connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            return await query(PostgresStatements(session.connection))
        finally:
            await session.rollback()

    async def _write(
        self, pool: SessionPool, operation: Operation[T], opening: Opening | None
    ) -> T:
        loop = asyncio.get_running_loop()
        end = loop.time() + self._patience_s
        pause_s = 0.01
        while True:
            try:
                done, transaction, result = await self._try(pool, operation, opening)
                if done:
                    self.notices.tell(transaction)
                    return result
            except faults.LOST as error:
                if loop.time() + pause_s > end:
                    raise faults.unreachable(self.location, error) from error
            except faults.BUSY as error:
                if loop.time() + pause_s > end:
                    raise faults.translated(error, self.location) from error
            except asyncpg.PostgresError as error:
                raise faults.translated(error, self.location) from error
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, 0.5)

    async def _try(
        self, pool: SessionPool, operation: Operation[T], opening: Opening | None
    ) -> tuple[bool, PostgresTransaction, T]:
        """Run `operation` once; whether it was committed, as far as that can be known."""
        async with pool.use() as session:
            try:
                transaction = await session.begin(self.clock, opening)
                result = await operation(transaction)
                await transaction.flush()
            except faults.LOST:
                raise
            except BaseException:
                await session.rollback()
                raise
            try:
                await session.commit()
            except faults.LOST:
                session.connection.terminate()
                return await self._committed(pool, session), transaction, result
            return True, transaction, result

    async def _committed(self, pool: SessionPool, lost: PostgresSession) -> bool:
        """Whether the last transaction of a lost connection was committed; it is over then."""
        while True:
            asking = await pool.session(patience_s=4 * self._patience_s)
            statements = PostgresStatements(asking.connection)
            try:
                await statements.tuples("end_session", lost.pid, lost.name)
                last = await statements.value("settle_receipt", lost.receipt)
            except (*faults.LOST, *faults.BUSY):
                await asyncio.sleep(0.1)
            except asyncpg.PostgresError as error:
                raise faults.translated(error, self.location) from error
            else:
                return bool(last == lost.number)
            finally:
                await asking.aclose()


class _Aside:
    """A thread with an event loop and a pool of its own, begun when first needed."""

    def __init__(self, make_pool: Callable[[], SessionPool]) -> None:
        self._make_pool = make_pool
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._pool: SessionPool | None = None

    async def run(self, work: Callable[[SessionPool], Coroutine[Any, Any, T]]) -> T:
        """Carry `work` out there."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name="tau-store-aside", daemon=True
                )
                self._thread.start()
            loop = self._loop
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._work(work), loop))

    async def aclose(self) -> None:
        """Close its connections and end the thread."""
        with self._lock:
            loop, thread, self._loop = self._loop, self._thread, None
        if loop is None or thread is None:
            return
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._close(), loop))
        loop.call_soon_threadsafe(loop.stop)
        await asyncio.to_thread(thread.join)
        loop.close()

    async def _work(self, work: Callable[[SessionPool], Coroutine[Any, Any, T]]) -> T:
        if self._pool is None:
            self._pool = self._make_pool()
        return await work(self._pool)

    async def _close(self) -> None:
        if self._pool is not None:
            await self._pool.aclose()

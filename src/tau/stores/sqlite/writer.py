"""The one thread that writes: it commits what many callers want in one transaction."""

import asyncio
import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

import apsw

from tau.errors import StoreError, StoreUnavailable
from tau.ports.clock import Clock
from tau.stores.signals import READY, Signals
from tau.stores.sqlite.connection import SqliteAccess
from tau.stores.sqlite.faults import translated
from tau.stores.sqlite.transaction import SqliteTransaction

T = TypeVar("T")
A = TypeVar("A")
Operation: TypeAlias = Callable[[SqliteTransaction], T]
Together: TypeAlias = Callable[[SqliteTransaction, list[A]], Sequence[T | StoreError]]
"""Does the same for many callers at once; answers for each, an error where it refuses."""

_MOST = 1024
_LINGER_S = 0.0005
_LONGEST_S = 0.004
_IDLE_S = 1.0


@dataclass(slots=True)
class WriteJob(Generic[T]):
    """What to do, for whom, and what came of it.

    Either `operation`, or `together` with `argument`. `undo` makes what to do when nobody takes
    the result.
    """

    operation: Operation[T] | None
    together: Together[Any, T] | None = None
    argument: Any = None
    future: "asyncio.Future[T] | None" = None
    undo: Callable[[T], Operation[object] | None] | None = None
    result: T | None = None
    error: BaseException | None = None


@dataclass(slots=True)
class Delivery:
    """Answers on their way to a loop, which may be closed before it gets to them."""

    loop: asyncio.AbstractEventLoop
    jobs: Sequence[WriteJob[Any]]
    arrived: bool = False


class GroupCommitWriter:
    """Group commit.

    Whatever waits is run in one IMMEDIATE transaction and acknowledged after its COMMIT. An
    operation that refuses does so before it changes anything; where one fails for any other
    reason, the transaction is rolled back and each operation gets one of its own. So operations
    must be repeatable: they keep nothing outside the transaction.
    """

    def __init__(
        self,
        connection: apsw.Connection,
        access: SqliteAccess,
        *,
        signals: Signals,
        clock: Clock,
        check_file: Callable[[], None],
        poll_interval_s: float,
    ) -> None:
        """`connection` belongs to the writer from here on."""
        self._connection = connection
        self._access = access
        self._signals = signals
        self._clock = clock
        self._check_file = check_file
        self._poll_interval_s = poll_interval_s
        self._waiting: deque[WriteJob[Any]] = deque()
        self._bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._ringer: asyncio.AbstractEventLoop | None = None
        self._closing = False
        self._callers = 1
        self._sync_s = 0.0
        self._idle_s = 0.0
        self._dirty = False
        self._due_ms: list[int] = []
        self._deliveries: list[Delivery] = []
        self._data_version = self._version()
        self._thread = threading.Thread(target=self._work, name="tau-store-writer", daemon=True)
        self._thread.start()

    def write(
        self,
        operation: Operation[T],
        undo: Callable[[T], Operation[object] | None] | None = None,
    ) -> "asyncio.Future[T]":
        """Run `operation`; the future has what it answered once that is durable.

        When the caller is cancelled in the meantime, what `undo` makes of the result is run.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._put(WriteJob(operation, None, None, future, undo))
        return future

    def write_together(
        self,
        together: Together[A, T],
        argument: A,
        undo: Callable[[T], Operation[object] | None] | None = None,
    ) -> "asyncio.Future[T]":
        """As `write`, but callers with an equal `together` are served by one call of it."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._put(WriteJob(None, together, argument, future, undo))
        return future

    def close(self) -> None:
        """Finish what was accepted, then close the connection; blocks."""
        if not self._closing:
            self._closing = True
            self._bell.put(None)
        self._thread.join()

    def _put(self, job: WriteJob[Any]) -> None:
        """Let `job` wait, and ring for it when its loop has run what is ready.

        While a loop has the interpreter's lock, a writer that is awake only gets in its way.
        """
        if self._closing:
            raise StoreUnavailable("the store is closed", where=self._access.path)
        self._waiting.append(job)
        loop = None if job.future is None else job.future.get_loop()
        if loop is None:
            self._ring()
        elif loop is not self._ringer:
            self._ringer = loop
            # After its next turn too: what this one made ready is likely to want something as well.
            loop.call_soon(loop.call_soon, self._ring)

    def _ring(self) -> None:
        self._ringer = None
        self._bell.put(None)

    def _work(self) -> None:
        while (jobs := self._take()) is not None:
            if jobs:
                self._idle_s = 0.0
                self._commit(jobs)
            with contextlib.suppress(apsw.Error):  # the next write tells what is wrong
                self._look_around()
            self._look_after_deliveries()
            # Last, as the loop that is woken holds the lock that more work here would wait for.
            self._acknowledge(jobs)
        with contextlib.suppress(apsw.Error):
            self._connection.close()
        self._refuse_latecomers()

    def _refuse_latecomers(self) -> None:
        late = []
        while self._waiting:
            job = self._waiting.popleft()
            job.error = StoreUnavailable("the store is closed", where=self._access.path)
            late.append(job)
        self._acknowledge(late)

    def _take(self) -> list[WriteJob[Any]] | None:
        """What waits; empty after a quiet while; None when all is done."""
        if not self._rung() and not self._waiting:  # who was to ring may be busy for long, or gone
            if self._closing:
                return None
            self._idle_s += self._poll_interval_s
            return []
        jobs: list[WriteJob[Any]] = []
        lingered = 0
        while True:
            met = len(jobs)
            while self._waiting and len(jobs) < _MOST:
                jobs.append(self._waiting.popleft())
            # As many as last time are likely to come again, as long as some still do. To wait
            # longer than a commit takes would cost more than a second commit.
            lingered += 1
            if len(jobs) >= min(self._callers, _MOST) or len(jobs) == met:
                break
            if lingered * _LINGER_S > min(self._sync_s, _LONGEST_S):
                break
            self._linger()
        self._callers = len(jobs)
        if self._waiting:
            self._bell.put(None)
        return jobs

    def _rung(self) -> bool:
        """Wait for the bell; False when it is silent for long, or will not ring any more."""
        if self._closing:
            return False
        with contextlib.suppress(queue.Empty):
            self._bell.get(timeout=self._poll_interval_s)
            while not self._bell.empty():
                self._bell.get_nowait()
            return True
        return False

    def _linger(self) -> None:
        threading.Event().wait(_LINGER_S)

    def _commit(self, jobs: Sequence[WriteJob[Any]]) -> None:
        try:
            self._check_file()
            self._transact(jobs)
            self._check_file()  # what went into a file that is gone is not to be acknowledged
        except (StoreError, apsw.Error) as error:
            if not isinstance(error, StoreError):
                error = translated(error, self._access.path, writing=True)
            for job in jobs:
                job.result, job.error = None, error
        except _Torn as torn:
            if len(jobs) == 1:
                jobs[0].result, jobs[0].error = None, torn.cause
            else:
                for job in jobs:
                    self._commit([job])

    def _transact(self, jobs: Sequence[WriteJob[Any]]) -> None:
        transaction = SqliteTransaction(self._connection)
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for group in _groups(jobs):
                self._operate(transaction, group)
            try:
                transaction.flush()
            except apsw.ConstraintError as error:
                raise _Torn(translated(error, self._access.path, writing=True)) from error
            begun = time.perf_counter()
            self._connection.execute("COMMIT")
            self._sync_s = time.perf_counter() - begun
        except BaseException:
            with contextlib.suppress(apsw.Error):
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
            raise
        self._dirty = True
        self._due_ms.extend(transaction.due_ms)
        topics = [*transaction.settled, READY] if transaction.claimable else transaction.settled
        if topics:
            self._signals.happen(topics)

    def _operate(self, transaction: SqliteTransaction, group: list[WriteJob[Any]]) -> None:
        before = self._connection.total_changes() + transaction.touched
        try:
            _answer(transaction, group)
            transaction.settle()
        except (apsw.FullError, apsw.IOError, apsw.BusyError, apsw.CorruptError):
            raise  # not this operation's fault
        except apsw.Error as error:
            raise _Torn(translated(error, self._access.path, writing=True)) from error
        except Exception as error:  # every caller must get its answer
            if self._connection.total_changes() + transaction.touched != before:
                raise _Torn(error) from error
            if len(group) > 1:
                raise _Torn(error) from error
            group[0].result, group[0].error = None, error

    def _acknowledge(self, jobs: Sequence[WriteJob[Any]]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[WriteJob[Any]]] = {}
        for job in jobs:
            if job.future is not None:
                by_loop.setdefault(job.future.get_loop(), []).append(job)
        for loop, told in by_loop.items():
            delivery = Delivery(loop, told)
            try:
                loop.call_soon_threadsafe(self._tell, delivery)
            except RuntimeError:  # the loop was closed while we wrote
                self._take_back(told)
            else:
                self._deliveries.append(delivery)

    def _look_after_deliveries(self) -> None:
        """Take back what a loop was told that closed before it listened."""
        under_way, self._deliveries = self._deliveries, []
        for delivery in under_way:
            closed = delivery.loop.is_closed()  # first: a closed loop runs nothing any more
            if delivery.arrived:
                continue
            if closed:
                self._take_back(delivery.jobs)
            else:
                self._deliveries.append(delivery)

    def _tell(self, delivery: Delivery) -> None:
        delivery.arrived = True
        abandoned = []
        for job in delivery.jobs:
            future = job.future
            if future is None or future.done():
                abandoned.append(job)
            elif job.error is not None:
                future.set_exception(job.error)
            else:
                future.set_result(job.result)
        self._take_back(abandoned)

    def _take_back(self, jobs: Sequence[WriteJob[Any]]) -> None:
        for job in jobs:
            if job.undo is None or job.error is not None:
                continue
            operation = job.undo(job.result)
            if operation is not None:
                with contextlib.suppress(StoreUnavailable):  # closed: leases will tell
                    self._put(WriteJob(operation))

    def _look_around(self) -> None:
        if self._due_ms and min(self._due_ms) <= (now := self._clock.monotonic_ms()):
            self._due_ms = [due for due in self._due_ms if due > now]
            self._signals.happen([READY])
        if self._access.single:
            return
        version = self._version()
        if version != self._data_version:
            self._data_version = version
            self._signals.happen_all()
        if self._dirty and self._idle_s >= _IDLE_S:
            self._checkpoint()

    def _checkpoint(self) -> None:
        self._connection.set_busy_timeout(0)  # readers go first
        self._idle_s = 0.0
        try:
            self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            self._dirty = False
        finally:
            self._connection.set_busy_timeout(self._access.busy_timeout_ms)

    def _version(self) -> int:
        for (version,) in self._connection.execute("PRAGMA data_version"):
            return int(version)
        return 0


def _groups(jobs: Sequence[WriteJob[Any]]) -> Iterable[list[WriteJob[Any]]]:
    """Jobs that are done together, in the order in which the first of each came."""
    groups: dict[object, list[WriteJob[Any]]] = {}
    for number, job in enumerate(jobs):
        groups.setdefault(number if job.together is None else job.together, []).append(job)
    return groups.values()


def _answer(transaction: SqliteTransaction, group: list[WriteJob[Any]]) -> None:
    """Run what `group` wants; an operation that raises has refused."""
    job = group[0]
    if job.together is None:
        assert job.operation is not None
        job.result, job.error = job.operation(transaction), None
        return
    answers = job.together(transaction, [each.argument for each in group])
    for each, answer in zip(group, answers, strict=True):
        refused = isinstance(answer, StoreError)
        each.result, each.error = (None, answer) if refused else (answer, None)


class _Torn(Exception):
    """An operation failed in the middle: the transaction cannot be kept."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(str(cause))
        self.cause = cause

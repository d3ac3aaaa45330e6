"""Blocking calls off the event loop, on threads that a stuck call cannot use up."""

import asyncio
import contextlib
import contextvars
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Generic, TypeVar

T = TypeVar("T")


class TooManyStuck(Exception):
    """So many cancelled calls still run that no further one is started."""


class CallThreads:
    """A bounded pool of daemon threads for calls that may never return.

    Python cannot end a thread: a cancelled call goes on until it returns by itself. Its thread is
    then no longer one of the pool's, so that others keep their full number, and leaves when the
    call does. With `stuck_limit` of those around, `run` refuses.
    """

    def __init__(self, *, limit: int, stuck_limit: int, name: str) -> None:
        """`limit` is the most calls at once; further ones wait. `name` is for thread lists."""
        self._slots = asyncio.Semaphore(limit)
        self._stuck_limit = stuck_limit
        self._name = name
        self._jobs: queue.SimpleQueue[_Job[object] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._idle = 0
        self._stuck = 0
        self._made = 0
        self._closed = False

    async def run(self, call: Callable[[], T]) -> T:
        """The result of `call`, made on a thread within the caller's context.

        Raises:
            TooManyStuck: see the class.
            RuntimeError: the call tried to end its thread or process.
        """
        async with self._slots:
            job = _Job(call=call, answer=asyncio.get_running_loop().create_future())
            self._hand_over(job)
            try:
                value, error = await job.answer
            except asyncio.CancelledError:
                self._leave_behind(job)
                raise
        if error is None:
            return value  # type: ignore[return-value]  # there is one where there is no error
        if isinstance(error, Exception):
            raise error
        raise RuntimeError(f"the call raised {type(error).__name__}") from error

    def close(self) -> None:
        """Let idle threads end; calling again does nothing. Stuck ones end with their calls."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            threads = self._threads
        for _ in range(threads):
            self._jobs.put(None)

    def _hand_over(self, job: "_Job[T]") -> None:
        with self._lock:
            if self._closed:
                raise RuntimeError("these threads have been closed")
            if self._stuck >= self._stuck_limit:
                raise TooManyStuck(f"{self._stuck} cancelled calls have not returned yet")
            start = self._idle == 0
            if start:
                self._threads += 1
                self._made += 1
            else:
                self._idle -= 1
            number = self._made
        self._jobs.put(job)  # type: ignore[arg-type]  # the queue takes jobs of every result
        if start:
            threading.Thread(target=self._work, name=f"{self._name}-{number}", daemon=True).start()

    def _leave_behind(self, job: "_Job[T]") -> None:
        with self._lock:
            if job.state is _State.RUNNING:
                self._stuck += 1
                self._threads -= 1
            if job.state is not _State.DONE:
                job.state = _State.LEFT if job.state is _State.RUNNING else _State.DONE

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            with self._lock:
                wanted = job.state is _State.WAITING
                if wanted:
                    job.state = _State.RUNNING
            if wanted:
                job.run()
            if not self._next(job):
                return

    def _next(self, job: "_Job[object]") -> bool:
        """Book the end of a job; whether its thread is still one of the pool's."""
        with self._lock:
            if job.state is _State.LEFT:
                self._stuck -= 1
                return False
            job.state = _State.DONE
            self._idle += 1
        job.tell()
        return True


class _State(Enum):
    WAITING = auto()
    RUNNING = auto()
    LEFT = auto()
    DONE = auto()


@dataclass(slots=True, kw_only=True, eq=False)
class _Job(Generic[T]):
    call: Callable[[], T]
    answer: "asyncio.Future[tuple[T | None, BaseException | None]]"
    context: contextvars.Context = field(default_factory=contextvars.copy_context)
    state: _State = _State.WAITING
    result: tuple[T | None, BaseException | None] = (None, None)

    def run(self) -> None:
        try:
            self.result = (self.context.run(self.call), None)
        except BaseException as error:  # noqa: BLE001  (raised again on the caller's side)
            self.result = (None, error)

    def tell(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop may have closed meanwhile
            self.answer.get_loop().call_soon_threadsafe(self._resolve)

    def _resolve(self) -> None:
        if not self.answer.done():
            self.answer.set_result(self.result)

"""Time limits that end work which does not want to end."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tau.errors import ExecutorFailed, TimeLimitExceeded
from tau.runner.ending import ended

T = TypeVar("T")

_SHORTEST_WAIT_S = 0.02


class Deadline:
    """Runs coroutines under a time limit; counts those that ignored their cancellation."""

    def __init__(self, *, limit_s: float | None, grace_s: float) -> None:
        self._limit_s = limit_s
        self._grace_s = grace_s
        self.left_behind = 0
        """How many still ran `grace_s` after they had been cancelled."""

    async def run(
        self, work: Awaitable[T], *, held_s: Callable[[], float], cancellable: bool = False
    ) -> T:
        """The result of `work`; `held_s` is the time so far that does not count.

        Cancelling this cancels the work and waits for it, at most `grace_s` unless `cancellable`.

        Raises:
            TimeLimitExceeded: the limit has passed; the work has stopped or is left behind.
        """
        if cancellable and self._limit_s is None:
            return await _contained(work)
        task = asyncio.get_running_loop().create_task(_contained(work))
        try:
            in_time = await self._wait(task, held_s)
        except asyncio.CancelledError:
            await self._stop(task)
            raise
        if not in_time and not await self._stop(task):
            raise self._exceeded("and its work did not stop when it was cancelled")
        if not in_time and (task.cancelled() or task.exception() is not None):
            raise self._exceeded("and its work was stopped")
        if task.cancelled():
            raise ExecutorFailed("the work cancelled itself")
        return task.result()

    async def _wait(self, task: "asyncio.Task[T]", held_s: Callable[[], float]) -> bool:
        if self._limit_s is None:
            return await ended(task)
        loop = asyncio.get_running_loop()
        started, held = loop.time(), held_s()
        while not task.done():
            worked = loop.time() - started - (held_s() - held)
            if worked >= self._limit_s:
                return False
            await ended(task, max(self._limit_s - worked, _SHORTEST_WAIT_S))
        return True

    async def _stop(self, task: "asyncio.Task[T]") -> bool:
        """Cancel and wait, whatever happens to the waiter; whether the task has ended."""
        task.cancel()
        waiting = asyncio.ensure_future(ended(task, self._grace_s))
        try:
            await asyncio.shield(waiting)
        except asyncio.CancelledError:
            await waiting
            raise
        finally:
            if not task.done():
                self.left_behind += 1
            task.add_done_callback(_forget)
        return task.done()

    def _exceeded(self, what_then: str) -> TimeLimitExceeded:
        return TimeLimitExceeded(
            f"the rollout's time limit of {self._limit_s:g} s passed {what_then}",
            fix="raise rollout_time_limit_secs or make the work faster",
        )


async def _contained(work: Awaitable[T]) -> T:
    try:
        return await work
    except SystemExit as error:  # it would end the event loop, and with it every other rollout
        raise ExecutorFailed("the code under test tried to exit", why=repr(error)) from error


def _forget(task: "asyncio.Task[T]") -> None:
    if not task.cancelled():
        task.exception()  # nobody else will: an unread one is reported as a warning

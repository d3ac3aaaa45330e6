"""Waking those who wait for something to become ready or settled."""

import asyncio
import contextlib
import threading
from collections.abc import Iterable

READY = "ready"


class Signals:
    """Counters of events by topic, and the waiters of any event loop."""

    def __init__(self) -> None:
        """No events yet."""
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}
        self._everything = 0
        self._waiters: dict[str, set[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = {}

    @property
    def awaited(self) -> bool:
        """Whether anybody waits."""
        return any(self._waiters.values())

    def count(self, topic: str) -> int:
        """How often `topic` has happened so far."""
        with self._lock:
            return self._counts.get(topic, 0) + self._everything

    def happen(self, topics: Iterable[str]) -> None:
        """Count `topics` and wake their waiters; from any thread."""
        with self._lock:
            woken: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
            for topic in topics:
                self._counts[topic] = self._counts.get(topic, 0) + 1
                woken.extend(self._waiters.get(topic, ()))
        _wake(woken)

    def happen_all(self) -> None:
        """Something unknown changed (another process wrote): wake everybody."""
        with self._lock:
            self._everything += 1
            woken = [waiter for waiters in self._waiters.values() for waiter in waiters]
        _wake(woken)

    async def wait(self, topic: str, seen: int, timeout_s: float) -> bool:
        """Wait until `topic` has happened more than `seen` times; False at the timeout."""
        event = asyncio.Event()
        waiter = (asyncio.get_running_loop(), event)
        with self._lock:
            if self._counts.get(topic, 0) + self._everything > seen:
                return True
            self._waiters.setdefault(topic, set()).add(waiter)
        try:
            async with asyncio.timeout(timeout_s):
                await event.wait()
        except TimeoutError:
            return False
        finally:
            with self._lock:
                waiters = self._waiters[topic]
                waiters.discard(waiter)
                if not waiters:
                    del self._waiters[topic]
        return True


def _wake(waiters: Iterable[tuple[asyncio.AbstractEventLoop, asyncio.Event]]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Event]] = {}
    for loop, event in waiters:
        by_loop.setdefault(loop, []).append(event)
    for loop, events in by_loop.items():
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits there
            loop.call_soon_threadsafe(_set_all, events)


def _set_all(events: Iterable[asyncio.Event]) -> None:
    for event in events:
        event.set()

"""Heartbeats from a thread of their own, so that a busy event loop is not taken for death."""

import asyncio
import threading
from collections.abc import Callable, Sequence

from tau.domain.ids import WorkerId
from tau.ports.clock import Clock
from tau.ports.store import Work

Told = Callable[[WorkerId, str], None]
"""Called on the event loop with a worker and what has become of its lease."""


class Heartbeat:
    """Renews the leases of this process' workers and reaps those of dead ones.

    `on_lost` is told, on the event loop that started this, about a worker that was given up;
    `on_doubt` about one whose lease could not be renewed for two thirds of it: what it executes
    must stop, because someone else may be given it. It is still beaten for: what it had finished,
    or drives, stays its own if nobody took it meanwhile, which the store decides.
    """

    def __init__(
        self,
        *,
        work: Work,
        clock: Clock,
        interval_ms: int,
        lease_ms: int,
        on_lost: Told,
        on_doubt: Told | None = None,
    ) -> None:
        self._work = work
        self._clock = clock
        self._interval_s = interval_ms / 1000
        self._doubt_ms = lease_ms * 2 // 3
        self._on_lost = on_lost
        self._on_doubt = on_doubt
        self._lock = threading.Lock()
        self._renewed: dict[WorkerId, int] = {}
        self._doubted: set[WorkerId] = set()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._error: str | None = None

    @property
    def error(self) -> str | None:
        """Why the last beat failed, None if it did not."""
        return self._error

    def start(self) -> None:
        """Begin beating; call it on the event loop of the workers."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="tau-heartbeat", daemon=True)
        self._thread.start()

    async def aclose(self) -> None:
        """Stop beating; calling again does nothing."""
        self._stopping.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.get_running_loop().run_in_executor(None, thread.join)

    def add(self, worker: WorkerId) -> None:
        """Beat for `worker`, which has just registered."""
        with self._lock:
            self._renewed[worker] = self._clock.monotonic_ms()

    def remove(self, worker: WorkerId) -> None:
        """Beat for it no more."""
        with self._lock:
            self._renewed.pop(worker, None)
            self._doubted.discard(worker)

    def _run(self) -> None:
        with asyncio.Runner() as runner:
            while not self._stopping.is_set():
                runner.run(self._round())
                self._stopping.wait(self._interval_s)

    async def _round(self) -> None:
        with self._lock:
            workers = tuple(self._renewed)
        try:
            async with asyncio.timeout(max(self._interval_s, 0.5)):
                await self._beat(workers)
                await self._work.reap()
            self._error = None
        except TimeoutError:
            self._error = "the store did not answer in time"
        except Exception as error:  # noqa: BLE001  (a dead thread would cost every lease, unnoticed)
            self._error = str(error) or type(error).__name__
        self._doubt()

    async def _beat(self, workers: Sequence[WorkerId]) -> None:
        sent_ms = self._clock.monotonic_ms()
        lost = set(await self._work.beat(workers)) if workers else set()
        with self._lock:
            for worker in workers:
                if worker in self._renewed and worker not in lost:
                    self._renewed[worker] = sent_ms
            for worker in lost:
                self._renewed.pop(worker, None)
        for worker in lost:
            self._tell(self._on_lost, worker, "it was given up: its heartbeats came too late")

    def _doubt(self) -> None:
        now_ms = self._clock.monotonic_ms()
        with self._lock:
            late = {w for w, at in self._renewed.items() if now_ms - at >= self._doubt_ms}
            told = late - self._doubted
            self._doubted |= told
        if self._on_doubt is not None:
            for worker in told:
                reason = f"its lease could not be renewed: {self._error}"
                self._tell(self._on_doubt, worker, reason)

    def _tell(self, listener: Told, worker: WorkerId, reason: str) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(listener, worker, reason)

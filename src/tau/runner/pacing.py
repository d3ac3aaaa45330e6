"""Concurrency that adapts to what a provider bears: additive increase, multiplicative decrease."""

import asyncio
from collections import deque
from dataclasses import dataclass
from types import TracebackType

from tau.errors import Overloaded, RateLimited

_MIN_HOLD_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class PacingSettings:
    """How fast to give way and to come back.

    `decrease` is what is left of the concurrency after a refusal, `increase` what is won back per
    round of successes; around the concurrency last refused, `caution` times slower. `hold_s` is the
    pause after a rate limit that names none, doubled by each one in a row up to `max_hold_s`, which
    also bounds what a provider can ask for.
    """

    decrease: float = 0.7
    increase: float = 1.0
    caution: float = 10.0
    hold_s: float = 0.5
    max_hold_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Where one model stands: calls allowed at once, calls under way, calls waiting."""

    limit: int
    in_flight: int
    waiting: int
    held_s: float


class Pacing:
    """One gate per model reference, shared by all workers of a process; of one event loop."""

    def __init__(self, settings: PacingSettings, *, ceiling: int) -> None:
        """`ceiling` is the most calls in flight per model, and where each gate starts."""
        self._settings = settings
        self._ceiling = max(1, ceiling)
        self._gates: dict[str, _Gate] = {}

    def slot(self, model: str) -> "PacedSlot":
        """A place among the calls to `model`, to be entered with `async with`."""
        gate = self._gates.get(model)
        if gate is None:
            gate = self._gates[model] = _Gate(self._settings, self._ceiling)
        return PacedSlot(gate)

    def paces(self) -> dict[str, Pace]:
        """The state of every model called so far."""
        return {model: gate.pace() for model, gate in self._gates.items()}


class PacedSlot:
    """Entering waits for the place; how the call inside ends sets the pace. For one use."""

    __slots__ = ("_epoch", "_gate")

    def __init__(self, gate: "_Gate") -> None:
        """`Pacing.slot` makes them."""
        self._gate = gate
        self._epoch = 0

    @property
    def free(self) -> bool:
        """Whether entering now would not wait."""
        return self._gate.free()

    async def __aenter__(self) -> None:
        """Wait for the place."""
        gate = self._gate
        self._epoch = gate.take() if gate.free() else await gate.wait()

    async def __aexit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        """Leave it."""
        if error is None:
            self._gate.succeeded()
        elif isinstance(error, RateLimited | Overloaded):
            rest = isinstance(error, RateLimited)
            self._gate.refused(self._epoch, error.retry_after_s, rest=rest)
        self._gate.leave()


class _Gate:
    def __init__(self, settings: PacingSettings, ceiling: int) -> None:
        self._settings = settings
        self._ceiling = float(ceiling)
        self._limit = float(ceiling)
        self._refused_at: int | None = None
        self._in_flight = 0
        self._held_until = 0.0
        self._streak = 0
        self._epoch = 0
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def take(self) -> int:
        self._in_flight += 1
        return self._epoch

    async def wait(self) -> int:
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        self._admit()
        try:
            await waiter  # whoever wakes us has counted us in
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.leave()
            else:
                self._waiters.remove(waiter)
            raise
        return self._epoch

    def free(self) -> bool:
        return not self._waiters and self._open()

    def leave(self) -> None:
        self._in_flight -= 1
        self._admit()

    def succeeded(self) -> None:
        self._streak = 0
        step = self._settings.increase / self._limit
        if self._refused_at is not None:
            if self._limit >= self._refused_at + 1:
                self._refused_at = None  # the provider bears more than it did
            elif self._limit >= self._refused_at - 1:
                step /= self._settings.caution
        self._limit = min(self._ceiling, self._limit + step)

    def refused(self, epoch: int, retry_after_s: float | None, *, rest: bool) -> None:
        """Give way; with `rest` also pause for a while where the provider names none.

        A provider that is down, not busy, answers 503 for ever: pauses would only drag the end of
        a run out over hours.
        """
        now = asyncio.get_running_loop().time()
        # Calls that were under way at the last decrease are refused for the same cause: one
        # decrease answers for all of them.
        if epoch == self._epoch:
            self._epoch += 1
            self._refused_at = int(self._limit)
            self._limit = max(1.0, self._limit * self._settings.decrease)
            backoff = self._settings.hold_s * 2.0 ** min(self._streak, 30)
            self._streak += 1
            if rest:
                self._hold(now + min(backoff, self._settings.max_hold_s))
        if retry_after_s is not None:
            self._hold(now + min(retry_after_s, self._settings.max_hold_s))

    def pace(self) -> Pace:
        now = asyncio.get_running_loop().time()
        return Pace(
            limit=int(self._limit),
            in_flight=self._in_flight,
            waiting=len(self._waiters),
            held_s=max(0.0, self._held_until - now),
        )

    def _open(self) -> bool:
        if self._in_flight >= int(self._limit):
            return False
        return not self._held_until or asyncio.get_running_loop().time() >= self._held_until

    def _hold(self, until: float) -> None:
        self._held_until = max(self._held_until, until)

    def _admit(self) -> None:
        if not self._waiters:
            return
        while self._waiters and self._open():
            waiter = self._waiters.popleft()
            if not waiter.done():
                self._in_flight += 1
                waiter.set_result(None)
        loop = asyncio.get_running_loop()
        if self._waiters and self._timer is None and loop.time() < self._held_until:
            delay = max(_MIN_HOLD_S, self._held_until - loop.time())
            self._timer = loop.call_later(delay, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._admit()

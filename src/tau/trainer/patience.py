"""When a run has taken too long: as a whole, or without any progress."""

from dataclasses import dataclass

from tau.domain.rollout import RolloutCounts, RolloutStatus
from tau.errors import TrainerTimeout
from tau.ports.clock import Clock

_ATTEMPT_GRACE_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeLimits:
    """Limits in seconds.

    `run_s` bounds this start of the run, literally. Where it is None, `stall_s` bounds the time in
    which nothing happens although something could: the clock stands still while attempts are within
    `attempt_s` (their own limit; None = unlimited) and while a retry is scheduled.
    """

    run_s: float | None = None
    stall_s: float = 30.0
    attempt_s: float | None = None


class Patience:
    """Watches one start of a run."""

    def __init__(self, limits: TimeLimits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._started_ms = clock.monotonic_ms()
        self._last_ms = self._started_ms
        self._stalled_ms = 0.0
        self._in_flight_ms = 0.0
        self._seen: tuple[int, ...] | None = None

    @property
    def elapsed_s(self) -> float:
        """Since this start."""
        return (self._clock.monotonic_ms() - self._started_ms) / 1000

    def rest(self) -> None:
        """Time since the last look was not the run's: it was paused."""
        now_ms = self._clock.monotonic_ms()
        self._started_ms += now_ms - self._last_ms
        self._last_ms = now_ms

    def watch(self, counts: RolloutCounts, next_ready_ms: int | None) -> None:
        """Take one look.

        Raises:
            TrainerTimeout: a limit has passed.
        """
        now_ms = self._clock.monotonic_ms()
        passed_ms, self._last_ms = now_ms - self._last_ms, now_ms
        seen = tuple(counts[status] for status in RolloutStatus)
        if seen != self._seen:
            self._seen = seen
            self._stalled_ms = self._in_flight_ms = 0.0
        elif counts.in_flight:
            self._in_flight_ms += passed_ms
            if self._attempts_overdue():
                self._stalled_ms += passed_ms
        elif not next_ready_ms:  # nothing is in flight and nothing is scheduled for later
            self._stalled_ms += passed_ms
        self._check(counts)

    def _attempts_overdue(self) -> bool:
        limit = self._limits.attempt_s
        return limit is not None and self._in_flight_ms > (limit + _ATTEMPT_GRACE_S) * 1000

    def _check(self, counts: RolloutCounts) -> None:
        limit = self._limits.run_s
        if limit is not None:
            if self.elapsed_s >= limit:
                raise _timeout(counts, f"the run took longer than {limit:g} s")
        elif self._stalled_ms >= self._limits.stall_s * 1000:
            raise _timeout(counts, f"nothing happened for {self._limits.stall_s:g} s")


def _timeout(counts: RolloutCounts, why: str) -> TrainerTimeout:
    ended = (RolloutStatus.SUCCEEDED, RolloutStatus.FAILED, RolloutStatus.CANCELLED)
    parts = [(counts.waiting, "waiting"), (counts.in_flight, "in flight")]
    parts += [(counts[status], str(status)) for status in ended]
    shown = ", ".join(f"{number:,} {what}" for number, what in parts if number) or "none queued"
    return TrainerTimeout(
        f"trainer timeout waiting for rollouts to complete: {shown}",
        why=why,
        fix="start the run again to go on with it; completion_timeout_secs is the limit",
    )

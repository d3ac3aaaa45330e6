"""Rate limits: how often somebody may do something within a minute."""

from collections import OrderedDict, deque

from tau.ports.clock import Clock

_WINDOW_MS = 60_000
_MOST_KEYS = 10_000


class Rate:
    """At most `most` events a minute for each key; the least recently seen keys are forgotten."""

    def __init__(self, most: int, clock: Clock) -> None:
        self.most = most
        self._clock = clock
        self._seen: OrderedDict[str, deque[int]] = OrderedDict()

    def take(self, key: str) -> int | None:
        """Count an event; seconds to wait where it is one too many (and then not counted)."""
        waiting_s = self.full(key)
        if waiting_s is None:
            self._events(key).append(self._clock.monotonic_ms())
        return waiting_s

    def full(self, key: str) -> int | None:
        """Seconds until `key` may do something again, None where it may now; counts nothing."""
        events = self._events(key)
        if len(events) < self.most:
            return None
        return max(1, -((events[0] + _WINDOW_MS - self._clock.monotonic_ms()) // -1000))

    def seen(self, key: str) -> bool:
        """Whether `key` has done something within the last minute."""
        return bool(self._events(key))

    def _events(self, key: str) -> deque[int]:
        events = self._seen.setdefault(key, deque())
        self._seen.move_to_end(key)
        while len(self._seen) > _MOST_KEYS:
            self._seen.popitem(last=False)
        since = self._clock.monotonic_ms() - _WINDOW_MS
        while events and events[0] <= since:
            events.popleft()
        return events

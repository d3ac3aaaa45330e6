"""Who is still there: leases by monotonic time, processes by the machine's own knowledge."""

from collections import deque
from typing import NamedTuple

from tau.ports.clock import Clock
from tau.ports.processes import Processes
from tau.stores import rows
from tau.stores.rows import Row

_LOOKS = 256


class _Look(NamedTuple):
    """When the reaper ran, how long after the time before, and how long that one had taken."""

    at_ms: int
    gap_ms: int
    before_ms: int


class Liveness:
    """Decides about workers from their rows; one per open store."""

    def __init__(self, clock: Clock, processes: Processes) -> None:
        """Reads no time yet."""
        self._clock = clock
        self._processes = processes
        self._looks: deque[_Look] = deque(maxlen=_LOOKS)

    @property
    def first_look(self) -> bool:
        """Nobody has reaped in this process yet."""
        return not self._looks

    def look(self) -> None:
        """Note that the reaper runs now."""
        now = self._clock.monotonic_ms()
        last = self._looks[-1] if self._looks else _Look(now, 0, 0)
        self._looks.append(_Look(now, now - last.at_ms, last.gap_ms))

    def expired(self, worker: Row) -> bool:
        """Silent for longer than its lease, counted from the end of a pause at the earliest.

        Where the reaper had not run for longer than the lease, this process stood still, and so
        may the worker's heartbeat have: it gets one lease of grace. A reaper that is always that
        slow grants it once.
        """
        lease: int = worker["lease_ms"]
        if self._clock.monotonic_ms() - worker["heartbeat_ms"] <= lease:
            return False
        graces = (look.at_ms for look in self._looks if look.gap_ms > lease >= look.before_ms)
        since = max(worker["heartbeat_ms"], *graces, 0)
        return bool(self._clock.monotonic_ms() - since > lease)

    def dead(self, worker: Row) -> bool:
        """Its process is known to be gone."""
        if worker["boot_id"] != self._processes.this().boot_id:
            return True
        return self._processes.alive(rows.process(worker)) is False

    def other_boot(self, worker: Row) -> bool:
        """It ran before the machine was started anew."""
        return bool(worker["boot_id"] != self._processes.this().boot_id)

    def gone(self, worker: Row) -> bool:
        """Dead, or silent for longer than its lease."""
        return self.dead(worker) or self.expired(worker)

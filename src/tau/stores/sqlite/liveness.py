"""Who is still there: leases by monotonic time, processes by the machine's own knowledge."""

from tau.ports.clock import Clock
from tau.ports.processes import Processes
from tau.stores.sqlite import rows
from tau.stores.sqlite.connection import Row


class Liveness:
    """Decides about workers from their rows; one per open store."""

    def __init__(self, clock: Clock, processes: Processes) -> None:
        """Reads no time yet."""
        self._clock = clock
        self._processes = processes
        self._grace_from_ms: int | None = None
        self._looked_ms: int | None = None

    @property
    def first_look(self) -> bool:
        """Nobody has reaped in this process yet."""
        return self._looked_ms is None

    def look(self, shortest_lease_ms: int) -> None:
        """Note that the reaper runs now.

        If it has not for longer than a lease, this process stood still, and so may the workers'
        heartbeats have: everyone gets one lease of grace from now on.
        """
        now = self._clock.monotonic_ms()
        if self._looked_ms is not None and now - self._looked_ms > shortest_lease_ms:
            self._grace_from_ms = now
        self._looked_ms = now

    def expired(self, worker: Row) -> bool:
        """Silent for longer than its lease, grace included."""
        since = worker["heartbeat_ms"]
        if self._grace_from_ms is not None:
            since = max(since, self._grace_from_ms)
        return bool(self._clock.monotonic_ms() - since > worker["lease_ms"])

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

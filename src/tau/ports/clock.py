"""The clock: the only place where time comes in."""

import time
from typing import Protocol


class Clock(Protocol):
    """Wall time for records, monotonic time for every decision."""

    def unix_ms(self) -> int:
        """Wall-clock time; may jump in both directions."""
        ...

    def monotonic_ms(self) -> int:
        """Never goes back, shared by all processes of one boot, stands still during suspend."""
        ...


class SystemClock:
    """The real one."""

    def unix_ms(self) -> int:
        """Wall-clock time in whole milliseconds."""
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> int:
        """CLOCK_MONOTONIC in whole milliseconds."""
        return time.monotonic_ns() // 1_000_000

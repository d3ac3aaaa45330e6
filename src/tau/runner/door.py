"""Who of many workers may ask the store for work at one time."""

import asyncio
from collections import deque

AT_ONCE = 32
"""More that ask find no more; with thousands, asking would be all that anybody does."""


class Door:
    """Workers wait before it in line, at no cost; who is inside asks, or waits for work."""

    def __init__(self, places: int = AT_ONCE) -> None:
        """Nobody is inside."""
        self._free = places
        self._line: deque[asyncio.Event] = deque()

    def enter(self, wake: asyncio.Event) -> bool:
        """Take a place; where none is free, stand in line: `wake` is set when one may be."""
        if self._free > 0:
            self._free -= 1
            return True
        self._line.append(wake)
        return False

    def leave_line(self, wake: asyncio.Event) -> None:
        """Stand in line no more: something else has woken the worker."""
        if wake in self._line:
            self._line.remove(wake)

    def leave(self) -> None:
        """Give the place back, and wake as many in line as there are places."""
        self._free += 1
        for _ in range(min(self._free, len(self._line))):
            self._line.popleft().set()

"""Who of many workers may ask the store for work at one time."""

import asyncio
from itertools import islice

AT_ONCE = 32
"""More that ask find no more; with thousands, asking would be all that anybody does."""


class ClaimGate:
    """Workers wait before it in line, at no cost; who is inside asks, or waits for work."""

    def __init__(self, places: int = AT_ONCE) -> None:
        """Nobody is inside."""
        self._free = places
        self._line: dict[asyncio.Event, None] = {}

    def enter(self, wake: asyncio.Event) -> bool:
        """Take a place; where none is free, stand in line: `wake` is set when one is."""
        if self._free <= 0:
            self._line.setdefault(wake)
            return False
        self._line.pop(wake, None)
        self._free -= 1
        return True

    def leave(self) -> None:
        """Give the place back."""
        self._free += 1
        self._tell()

    def give_up(self, wake: asyncio.Event) -> None:
        """Stand in line no more."""
        self._line.pop(wake, None)
        self._tell()

    def _tell(self) -> None:
        """Wake as many in line as there are places."""
        for wake in list(islice(self._line, max(self._free, 0))):
            wake.set()

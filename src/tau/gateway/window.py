"""The gateway's window on the store: read-only, opened when needed, opened anew after trouble."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tau.errors import StoreDamaged, StoreError, StoreUnavailable, StoreVersion
from tau.ports.clock import Clock
from tau.ports.store import Store
from tau.wiring.stores import open_store

T = TypeVar("T")

_AGAIN_MS = 500
_PATIENCE_S = 5.0
_LOST = (StoreUnavailable, StoreDamaged, StoreVersion)


class StoreWindow:
    """Asks the store, for reading only. It may be missing, come later, or be replaced."""

    def __init__(self, location: str, clock: Clock) -> None:
        self.location = location
        self._clock = clock
        self._store: Store | None = None
        self._opening = asyncio.Lock()
        self._failure: tuple[int, StoreError] | None = None

    async def ask(self, query: Callable[[Store], Awaitable[T]]) -> T:
        """The answer to `query`.

        Raises:
            StoreError: it cannot be opened or read just now; asking again later may succeed.
        """
        try:
            return await self._ask(query)
        except _LOST:
            return await self._ask(query)  # it may have been replaced by another one

    async def aclose(self) -> None:
        """Let go of the store."""
        if self._store is not None:
            await self._drop(self._store)

    async def _ask(self, query: Callable[[Store], Awaitable[T]]) -> T:
        store = await self._opened()
        try:
            async with asyncio.timeout(_PATIENCE_S):
                return await query(store)
        except TimeoutError as error:
            raise StoreUnavailable(
                "the store does not answer", where=self.location, why="somebody keeps it locked"
            ) from error
        except _LOST:
            await self._drop(store)
            raise

    async def _opened(self) -> Store:
        async with self._opening:
            if self._store is not None:
                return self._store
            now = self._clock.monotonic_ms()
            if self._failure is not None and now - self._failure[0] < _AGAIN_MS:
                raise self._failure[1]
            try:
                self._store = await open_store(self.location, read_only=True)
            except StoreError as error:
                self._failure = (now, error)
                raise
            self._failure = None
            return self._store

    async def _drop(self, store: Store) -> None:
        if self._store is store:
            self._store = None
        await store.aclose()

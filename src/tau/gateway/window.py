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
_LOCKED_MS = 2000
_PATIENCE_S = 3.0
_LOST = (StoreUnavailable, StoreDamaged, StoreVersion)


class StoreWindow:
    """Asks the store, for reading only. It may be missing, come later, or be replaced."""

    def __init__(self, location: str, clock: Clock) -> None:
        self.location = location
        self._clock = clock
        self._store: Store | None = None
        self._opening: asyncio.Task[Store] | None = None
        self._failure: tuple[int, StoreError] | None = None
        self._silence: tuple[int, StoreError] | None = None

    async def ask(self, query: Callable[[Store], Awaitable[T]]) -> T:
        """The answer to `query`.

        Raises:
            StoreError: it cannot be opened or read just now; asking again later may succeed.
        """
        if self._silence is not None:
            since_ms, error = self._silence
            if self._clock.monotonic_ms() - since_ms < _LOCKED_MS:
                raise error  # nobody else need wait as long to be told the same
        try:
            return await self._ask(query)
        except _LOST as error:
            if self._silence is not None and error is self._silence[1]:
                raise
            return await self._ask(query)  # it may have been replaced by another one

    async def aclose(self) -> None:
        """Let go of the store."""
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        if self._store is not None:
            await self._drop(self._store)

    async def _ask(self, query: Callable[[Store], Awaitable[T]]) -> T:
        store: Store | None = None
        try:
            async with asyncio.timeout(_PATIENCE_S):
                store = await self._opened()
                answer = await query(store)
            self._silence = None
            return answer
        except TimeoutError as error:
            found = StoreUnavailable(
                "the store does not answer", where=self.location, why="somebody keeps it locked"
            )
            self._silence = (self._clock.monotonic_ms(), found)
            raise found from error
        except _LOST:
            if store is not None:
                await self._drop(store)
            raise

    async def _opened(self) -> Store:
        if self._store is not None:
            return self._store
        if self._failure is not None:
            since_ms, error = self._failure
            if self._clock.monotonic_ms() - since_ms < _AGAIN_MS:
                raise error
        if self._opening is None:
            self._opening = asyncio.create_task(self._open(), name="gateway-store")
            self._opening.add_done_callback(lambda task: task.cancelled() or task.exception())
        # who loses patience leaves the opening to those who come after
        return await asyncio.shield(self._opening)

    async def _open(self) -> Store:
        try:
            self._store = await open_store(self.location, read_only=True)
        except StoreError as error:
            self._failure = (self._clock.monotonic_ms(), error)
            raise
        finally:
            self._opening = None
        self._failure = None
        return self._store

    async def _drop(self, store: Store) -> None:
        if self._store is store:
            self._store = None
        await store.aclose()

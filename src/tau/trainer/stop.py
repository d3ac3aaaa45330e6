"""A request to stop a run before its end, from a signal, an operator or a failing part."""

import asyncio

from tau.domain.run import StopReason


class StopRequest:
    """Set once; the first reason counts. Belongs to one event loop."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._now = asyncio.Event()
        self._reason: StopReason | None = None
        self._detail = ""

    def set(self, reason: StopReason, detail: str = "") -> None:
        """Ask the trainer to stop at the next moment that loses nothing."""
        if self._reason is None:
            self._reason = reason
            self._detail = detail
            self._event.set()

    @property
    def reason(self) -> StopReason | None:
        """Why, or None while nobody asked."""
        return self._reason

    @property
    def detail(self) -> str:
        """More of why, for people."""
        return self._detail

    def now(self) -> None:
        """Do not wait for calls in flight any longer; what they did is repeated later."""
        self._now.set()

    async def wait(self) -> None:
        """Return when somebody asks."""
        await self._event.wait()

    async def wait_now(self) -> None:
        """Return when somebody asks not to wait for calls in flight."""
        await self._now.wait()

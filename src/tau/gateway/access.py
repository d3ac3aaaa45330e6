"""The policy of the store, kept in sight: it may be installed or replaced while we serve."""

from tau.errors import PolicyInvalid, StoreError
from tau.gateway.window import StoreWindow
from tau.lifecycle.authorization import Authorizer
from tau.ports.clock import Clock
from tau.wiring.access import policy_in

_FRESH_MS = 1000


class AccessWatch:
    """Lets an authorizer know what the store carries."""

    def __init__(self, authorizer: Authorizer, window: StoreWindow, clock: Clock) -> None:
        self._authorizer = authorizer
        self._window = window
        self._clock = clock
        self._looked_ms: int | None = None

    async def refresh(self) -> Authorizer:
        """The authorizer, knowing what the store carried a second ago or later.

        While the store cannot be read, what was known of it holds; commands ask for themselves.
        """
        now = self._clock.monotonic_ms()
        if self._looked_ms is not None and now - self._looked_ms < _FRESH_MS:
            return self._authorizer
        self._looked_ms = now
        try:
            self._authorizer.carried = await self._window.ask(policy_in)
            self._authorizer.trouble = None
        except PolicyInvalid as error:
            self._authorizer.trouble = error
        except StoreError:
            return self._authorizer
        return self._authorizer

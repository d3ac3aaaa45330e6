"""What operators want of a run: the store's record, and the control files where it is driven."""

import asyncio
import contextlib

from tau.domain.actions import DesiredState
from tau.domain.ids import RunId
from tau.errors import ControlError, FileError, NotFound, StoreError
from tau.lifecycle.paths import StateDir
from tau.lifecycle.projection import Projection
from tau.lifecycle.register import Register
from tau.ports.clock import SystemClock
from tau.ports.store import Store
from tau.wiring.seals import keep_seal

_LOOK_S = 0.25


class Steering:
    """Keeps the record of a run and the files of a state dir the same, and the audit's head."""

    def __init__(
        self, store: Store, location: str, folder: StateDir, register: Register, run_id: RunId
    ) -> None:
        """`location` is where the store is."""
        self._store = store
        self._location = location
        self._folder = folder
        self._register = register
        self._projection = Projection(folder, register, SystemClock(), run_id)

    async def watch(self) -> None:
        """Follow both until cancelled; where one cannot be used, the other goes on by itself."""
        while True:
            with contextlib.suppress(StoreError):
                await self.agree()
            await asyncio.sleep(_LOOK_S)

    async def agree(self) -> None:
        """Look once. Files that cannot be used are told of by whoever needs them.

        Raises:
            StoreError: the store cannot be used.
        """
        sealed = self._register.sealed
        with contextlib.suppress(ControlError, FileError):
            await self._projection.agree(self._store.desired_states)
        head = self._register.head
        if head is not None and head != sealed:
            await keep_seal(self._store, self._location, self._folder.audit, head)
            self._register.sealed = head


async def record_of_run(store: Store, run_id: str) -> DesiredState | None:
    """What is desired of a run, None where the store does not know the run either."""
    try:
        return await store.desired_states.find(RunId(run_id))
    except NotFound:
        return None

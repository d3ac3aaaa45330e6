"""What is desired of runs, in their store: one numbered record each."""

from typing import Protocol

from tau.domain.actions import ControlState, DesiredState
from tau.domain.ids import RunId


class DesiredStates(Protocol):
    """What operators want of each run: the latest word, wherever it was said."""

    async def put(
        self,
        run_id: RunId,
        state: ControlState,
        *,
        checkpoint: bytes | None = None,
        after: int | None = None,
    ) -> DesiredState:
        """Let `state` be desired of the run from now on; its number is the next one.

        Raises:
            NotFound: no such run.
            Conflict: the record is not the one numbered `after` (0: there is none), where given.
        """
        ...

    async def find(self, run_id: RunId) -> DesiredState | None:
        """What is desired of the run, None where nobody has said; NotFound."""
        ...

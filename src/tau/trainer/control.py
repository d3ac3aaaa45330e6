"""What a trainer needs of lifecycle control, without knowing where it comes from."""

from typing import Protocol

from tau.domain.checkpoint import Checkpoint
from tau.domain.control import LifecycleState
from tau.domain.run import Run


class Control(Protocol):
    """What operators want of the run, and where its checkpoints are shown."""

    @property
    def wanted(self) -> LifecycleState:
        """The latest wish; changes at any moment."""
        ...

    def rollback_target(self) -> Checkpoint:
        """The checkpoint to roll back to.

        Raises:
            ControlError: it cannot be loaded, or is not one of this run and algorithm.
        """
        ...

    async def rolled_back(self, failure: str | None) -> None:
        """The rollback has been carried out, or could not be; the run goes on."""
        ...

    async def show_checkpoint(self, run: Run, checkpoint: Checkpoint) -> None:
        """A checkpoint was committed; make its file the projection of it."""
        ...

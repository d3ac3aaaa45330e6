"""What a trainer needs of lifecycle control, without knowing where it comes from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tau.domain.actions import LifecycleState
from tau.domain.checkpoint import Checkpoint
from tau.domain.resources import Resources
from tau.domain.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A checkpoint, with the run's candidates up to it, that the store may have lost."""

    checkpoint: Checkpoint
    candidates: tuple[Resources, ...] = ()


class OperatorControl(Protocol):
    """What operators want of the run, and where its checkpoints are shown."""

    @property
    def wanted(self) -> LifecycleState:
        """The latest desired state; changes at any moment."""
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

    async def show_checkpoint(
        self, run: Run, checkpoint: Checkpoint, candidates: Sequence[Resources]
    ) -> None:
        """A checkpoint was committed; make its file the projection of it.

        `candidates` are all of the run's that are not abandoned.
        """
        ...

"""Who watches a run from the outside."""

from typing import Protocol

from tau.domain.run import Run
from tau.trainer.progress import Progress


class Observer(Protocol):
    """Who watches a session; called on the event loop, must not block."""

    def started(self, run: Run, *, resumed: bool, total: int | None) -> None:
        """The run is about to begin or go on; `total` rollouts, where that is known."""
        ...

    def progress(self, progress: Progress) -> None:
        """About once a second, and once at the end."""
        ...

    def notice(self, text: str) -> None:
        """One line for people."""
        ...

"""Checkpoints: an algorithm's whole state and how much of the run it has folded in."""

from collections.abc import Mapping
from dataclasses import dataclass

from tau.domain.ids import RunId
from tau.domain.json import Json, content_hash
from tau.domain.resources import Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """State after `waves` whole waves with `rollouts` rollouts in them.

    `best` is the recommendation at that point.
    """

    run_id: RunId
    algorithm: str
    waves: int
    rollouts: int
    state: Mapping[str, Json]
    best: Resources
    saved_unix_ms: int = 0

    @property
    def hash(self) -> str:
        """Hash of everything but the time of saving, to find damage that still parses."""
        return content_hash(
            {
                "run_id": self.run_id,
                "algorithm": self.algorithm,
                "waves": self.waves,
                "rollouts": self.rollouts,
                "state": dict(self.state),
                "best": dict(self.best.values),
            }
        )

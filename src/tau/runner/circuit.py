"""A fuse for causes that would fail every rollout alike."""

from tau.domain.failure import Failure, FailureClass
from tau.domain.ids import RolloutId

FATAL = frozenset({FailureClass.AUTH, FailureClass.QUOTA, FailureClass.MODEL_NOT_FOUND})
"""Classes that say something about the account or the config, nothing about the rollout."""


class Circuit:
    """Opens after `threshold` distinct rollouts in a row failed fatally; None never opens."""

    def __init__(self, threshold: int | None) -> None:
        self._threshold = threshold
        self._streak: set[RolloutId] = set()
        self._reason: str | None = None

    @property
    def reason(self) -> str | None:
        """Why claiming has stopped, None while it goes on."""
        return self._reason

    def observe(self, rollout: RolloutId, failure: Failure | None) -> None:
        """Take in how an attempt ended. Only a success ends a streak."""
        if self._threshold is None or self._reason is not None:
            return
        if failure is None:
            self._streak.clear()
        elif failure.kind in FATAL:
            self._streak.add(rollout)
            if len(self._streak) >= self._threshold:
                self._reason = f"{len(self._streak)} rollouts in a row failed: {failure.message}"

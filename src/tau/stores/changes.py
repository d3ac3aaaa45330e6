"""What one commit changes of counters and rows, collected before it is written."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, TypeAlias

from tau.domain.rollout import RolloutStatus
from tau.domain.spend import Spend

Put: TypeAlias = Sequence[Any]

STATUSES = (
    RolloutStatus.QUEUING,
    RolloutStatus.PREPARING,
    RolloutStatus.RUNNING,
    RolloutStatus.SUCCEEDED,
    RolloutStatus.FAILED,
    RolloutStatus.CANCELLED,
    RolloutStatus.REQUEUING,
)
_SLOT = {str(status): slot for slot, status in enumerate(STATUSES)}
_SPENT = 7
_RESERVED = 11
_ASSUMED = 15
_WIDTH = 17


class Changes(ABC):
    """Sums of counters, and what to tell whom after the commit."""

    def __init__(self) -> None:
        """Begin with nothing changed."""
        self._changes: dict[int, list[int]] = {}
        self.claimable = False
        self.settled: set[str] = set()
        self.due_ms: list[int] = []
        self.touched = 0

    def move(self, run: int, old: str | None, new: str | None, count: int = 1) -> None:
        """Count `count` rollouts of `run` from one status to another (None = outside)."""
        change = self._change(run)
        if old is not None:
            change[_SLOT[old]] -= count
        if new is not None:
            change[_SLOT[new]] += count

    def spend(self, run: int, spent: Spend, *, times: int = 1) -> None:
        """Book `spent` to `run`; -1 `times` takes it back."""
        change = self._change(run)
        change[_SPENT] += times * spent.rollouts
        change[_SPENT + 1] += times * spent.calls
        change[_SPENT + 2] += times * spent.tokens
        change[_SPENT + 3] += times * spent.cost_nano_usd
        change[_ASSUMED] += times * spent.assumed_tokens
        change[_ASSUMED + 1] += times * spent.assumed_cost_nano_usd

    def reserve(self, run: int, reserved: Spend, *, times: int = 1) -> None:
        """Set `reserved` aside; -1 `times` gives it back."""
        change = self._change(run)
        change[_RESERVED] += times * reserved.rollouts
        change[_RESERVED + 1] += times * reserved.calls
        change[_RESERVED + 2] += times * reserved.tokens
        change[_RESERVED + 3] += times * reserved.cost_nano_usd

    @abstractmethod
    def later(self, name: str, row: Put) -> None:
        """Run a statement that answers nothing, with others of its kind, before the next one."""

    def settle_later(self, rollout: Put, result: Put) -> None:
        """Put off what came of a rollout: how it ended, and its output, rewards and digest."""
        self.later("settle_rollout", rollout)
        self.later("insert_result", (rollout[0], *result))

    def counted(self) -> list[tuple[int, ...]]:
        """The sums by run, each told once: seven statuses, spend, reservations, what is assumed."""
        rows = [(run, *change) for run, change in self._changes.items() if any(change)]
        self._changes = {}
        return rows

    def _change(self, run: int) -> list[int]:
        self.touched += 1
        change = self._changes.get(run)
        if change is None:
            change = self._changes[run] = [0] * _WIDTH
        return change

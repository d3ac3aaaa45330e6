"""A write transaction: statements, counters, and what to tell whom once it is committed."""

from collections.abc import Callable
from typing import Any

import apsw

from tau.domain.rollout import RolloutStatus
from tau.domain.spend import Spend
from tau.stores.sqlite.connection import Statements

_STATUSES = (
    RolloutStatus.QUEUING,
    RolloutStatus.PREPARING,
    RolloutStatus.RUNNING,
    RolloutStatus.SUCCEEDED,
    RolloutStatus.FAILED,
    RolloutStatus.CANCELLED,
    RolloutStatus.REQUEUING,
)
_SLOT = {str(status): slot for slot, status in enumerate(_STATUSES)}
_SPENT = 7
_RESERVED = 11
_WIDTH = 15


class Transaction(Statements):
    """What the operations of one commit share.

    Counters are summed here and written once per commit, before anything reads them.
    """

    __slots__ = ("_changes", "claimable", "due_ms", "memory", "settled", "touched")

    def __init__(self, connection: apsw.Connection) -> None:
        """Begin with nothing changed."""
        super().__init__(connection)
        self._changes: dict[int, list[int]] = {}
        self.claimable = False
        self.settled: set[str] = set()
        self.due_ms: list[int] = []
        self.memory: dict[str, Any] = {}
        self.touched = 0

    def move(self, run: int, old: str | None, new: str | None, count: int = 1) -> None:
        """Count `count` rollouts of `run` from one status to another (None = outside)."""
        change = self._change(run)
        if old is not None:
            change[_SLOT[old]] -= count
        if new is not None:
            change[_SLOT[new]] += count

    def spend(self, run: int, spent: Spend) -> None:
        """Book `spent`, which may be negative, to `run`."""
        self._add(run, _SPENT, spent)

    def reserve(self, run: int, reserved: Spend) -> None:
        """Set `reserved` aside, or give it back where negative."""
        self._add(run, _RESERVED, reserved)

    def flush(self) -> None:
        """Write the counters; to be called before they are read."""
        if self._changes:
            rows = [(run, *change) for run, change in self._changes.items() if any(change)]
            self._changes = {}
            if rows:
                self.many("add_to_tally", rows)

    def once(self, name: str, make: Callable[[], Any]) -> Any:  # noqa: ANN401  (any value)
        """`make()`, remembered for the rest of the transaction."""
        if name not in self.memory:
            self.memory[name] = make()
        return self.memory[name]

    def _add(self, run: int, at: int, amount: Spend) -> None:
        change = self._change(run)
        change[at] += amount.rollouts
        change[at + 1] += amount.calls
        change[at + 2] += amount.tokens
        change[at + 3] += amount.cost_nano_usd

    def _change(self, run: int) -> list[int]:
        self.touched += 1
        change = self._changes.get(run)
        if change is None:
            change = self._changes[run] = [0] * _WIDTH
        return change

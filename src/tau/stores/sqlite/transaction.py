"""A write transaction: statements, counters, and what to tell whom once it is committed."""

from collections.abc import Iterable, Iterator
from typing import Any

import apsw

from tau.domain.rollout import RolloutStatus
from tau.domain.spend import Spend
from tau.stores.sqlite.connection import Bindings, Row, Statements

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

    Counters are summed here and written once per commit, before anything reads them. Rows put off
    with `later` are written together, before the next statement.
    """

    __slots__ = ("_changes", "_later", "claimable", "due_ms", "settled", "touched")

    def __init__(self, connection: apsw.Connection) -> None:
        """Begin with nothing changed."""
        super().__init__(connection)
        self._changes: dict[int, list[int]] = {}
        self.claimable = False
        self.settled: set[str] = set()
        self.due_ms: list[int] = []
        self._later: dict[str, list[Bindings]] = {}
        self.touched = 0

    def move(self, run: int, old: str | None, new: str | None, count: int = 1) -> None:
        """Count `count` rollouts of `run` from one status to another (None = outside)."""
        change = self._change(run)
        if old is not None:
            change[_SLOT[old]] -= count
        if new is not None:
            change[_SLOT[new]] += count

    def spend(self, run: int, spent: Spend, *, sign: int = 1) -> None:
        """Book `spent` to `run`, or with `sign` -1 take it back."""
        self._add(run, _SPENT, spent, sign)

    def reserve(self, run: int, reserved: Spend, *, sign: int = 1) -> None:
        """Set `reserved` aside, or with `sign` -1 give it back."""
        self._add(run, _RESERVED, reserved, sign)

    def flush(self) -> None:
        """Write the counters; to be called before they are read."""
        self.settle()
        if self._changes:
            rows = [(run, *change) for run, change in self._changes.items() if any(change)]
            self._changes = {}
            if rows:
                self.many("add_to_tally", rows)

    def later(self, name: str, row: Bindings) -> None:
        """Run a statement that answers nothing, with others of its kind, before the next one."""
        self.touched += 1
        self._later.setdefault(name, []).append(row)

    def settle(self) -> None:
        """Write what was put off."""
        while self._later:
            name = next(iter(self._later))
            super().many(name, self._later.pop(name))

    def run(self, name: str, bindings: Bindings = ()) -> None:
        """Run a statement that answers nothing, now."""
        self.settle()
        super().run(name, bindings)

    def many(self, name: str, rows: Iterable[Bindings]) -> list[tuple[Any, ...]]:
        """Run a statement once per row and collect what it answers."""
        self.settle()
        return super().many(name, rows)

    def tuples(self, name: str, bindings: Bindings = ()) -> list[tuple[Any, ...]]:
        """All rows, as they come."""
        self.settle()
        return super().tuples(name, bindings)

    def each(self, name: str, bindings: Bindings = ()) -> Iterator[Row]:
        """One row after the other, by column name."""
        self.settle()
        return super().each(name, bindings)

    def _add(self, run: int, at: int, amount: Spend, sign: int) -> None:
        change = self._change(run)
        change[at] += sign * amount.rollouts
        change[at + 1] += sign * amount.calls
        change[at + 2] += sign * amount.tokens
        change[at + 3] += sign * amount.cost_nano_usd

    def _change(self, run: int) -> list[int]:
        self.touched += 1
        change = self._changes.get(run)
        if change is None:
            change = self._changes[run] = [0] * _WIDTH
        return change

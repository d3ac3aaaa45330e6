"""A write transaction: statements, counters, and what to tell whom once it is committed."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from tau.ports.clock import Clock
from tau.stores.changes import Changes, Put
from tau.stores.postgres.statements import SQL, PostgresStatements, together

ENDS = ("end_attempt", "settle_rollout", "requeue_rollout", "insert_spans", "let_go")
"""What ends of attempts write. None of them writes a row that another one has written, and all find
in `held` what was there before."""


class Opening(NamedTuple):
    """A statement that signs the receipt of its transaction and does more in the same go.

    Its first three parameters are the receipt, its number and the slot for counters. The first
    column of every row it answers is the time.
    """

    name: str
    bindings: Sequence[object]


class Moment:
    """The time of a transaction; it stands still."""

    def __init__(self, now_ms: int, told: Clock | None) -> None:
        """`now_ms` by the database's clock, unless another clock was given."""
        self._now_ms = now_ms
        self._told = told

    def unix_ms(self) -> int:
        """For records."""
        return self._told.unix_ms() if self._told else self._now_ms

    def monotonic_ms(self) -> int:
        """For decisions; the database's wall clock, which every machine shares."""
        return self._told.monotonic_ms() if self._told else self._now_ms


class PostgresTransaction(Changes, PostgresStatements):
    """What the operations of one commit share.

    Counters are summed here and written once, before anything reads them. Rows put off with `later`
    are written together, one statement for all of a kind, before the next one.
    """

    def __init__(
        self,
        connection: Any,  # noqa: ANN401
        *,
        moment: Moment,
        slot: int,
        opened: Sequence[Any] = (),
    ) -> None:
        """Begin with nothing changed; counters go to `slot`. `opened` is the opening's answer."""
        Changes.__init__(self)
        PostgresStatements.__init__(self, connection)
        self.moment = moment
        self.opened = opened
        self._slot = slot
        self._later: dict[str, list[Put]] = {}

    def later(self, name: str, row: Put) -> None:
        """As the others'; an attempt that ends is in nobody's hands any more."""
        self.touched += 1
        self._later.setdefault(name, []).append(row)
        if name == "end_attempt":
            self._later.setdefault("let_go", []).append((row[0],))

    def settle_later(self, rollout: Put, result: Put) -> None:
        """One row has both."""
        self.later("settle_rollout", (*rollout, *result))

    async def tuples(self, name: str, *bindings: object) -> Any:  # noqa: ANN401  (rows)
        """All rows; what was put off is written first."""
        await self.settle()
        return await super().tuples(name, *bindings)

    async def settle(self) -> None:
        """Write what was put off: the ends of attempts in one statement, the rest one by one."""
        while self._later:
            names = tuple(name for name in ENDS if name in self._later) or (
                next(iter(self._later)),
            )
            columns = [
                list(column)
                for name in names
                for column in zip(*self._later.pop(name), strict=True)
            ]
            await self.connection.execute(together(names), *columns)

    async def flush(self) -> None:
        """Write the counters too; to be called before they are read."""
        await self.settle()
        rows = self.counted()
        if rows:
            columns = map(list, zip(*rows, strict=True))
            await self.connection.execute(SQL["add_to_tally"], *columns, self._slot)

"""Faults to plant into the SQLite store, each a small mistake somebody could make."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tau.domain.spend import Spend
from tau.errors import StoreError
from tau.ports.clock import Clock
from tau.ports.processes import Processes
from tau.stores import leases
from tau.stores.liveness import Liveness
from tau.stores.outcomes import Record
from tau.stores.sqlite import ledger, outcomes, runs, schema, work
from tau.stores.sqlite.statements import SQL
from tau.stores.sqlite.transaction import SqliteTransaction

Plant = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """A mistake by name, and how to make it."""

    name: str
    plant: Plant


def sql(statement: str, right: str, wrong: str) -> Plant:
    """Change the text of a named statement; what is replaced must be there."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        text = SQL[statement]
        assert right in text, f"{statement} does not say {right!r} any more"
        patch.setitem(SQL, statement, text.replace(right, wrong))

    return plant


def sql_everywhere(right: str, wrong: str) -> Plant:
    """Change every statement that says `right`."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        found = [name for name, text in SQL.items() if right in text]
        assert found, f"no statement says {right!r} any more"
        for name in found:
            patch.setitem(SQL, name, SQL[name].replace(right, wrong))

    return plant


def schema_text(right: str, wrong: str) -> Plant:
    """Change the schema that new stores get."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        scripts: tuple[str, ...] = vars(schema)["migrations"]()
        assert any(right in script for script in scripts), f"the schema has no {right!r} any more"
        changed = tuple(script.replace(right, wrong) for script in scripts)
        patch.setattr(schema, "migrations", lambda: changed)

    return plant


def attribute(owner: object, name: str, wrong: object) -> Plant:
    """Replace a method or function."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(owner, name, wrong)

    return plant


def several(*plants: Plant) -> Plant:
    """All of them."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        for one in plants:
            one(patch)

    return plant


def _always(*_: object) -> bool:
    return True


def _any_driver(_: object, run: dict[str, Any], __: object) -> int:
    return int(run["trainer"] or 1)


def _uncounted_failures(
    transaction: SqliteTransaction, run: int, old: str, new: str, n: int = 1
) -> None:
    if new != "failed":
        _move(transaction, run, old, new, n)


_move = SqliteTransaction.move
_expired = Liveness.expired
_lost = leases.lost
_gone = leases.gone
_complete = outcomes.complete
_book_late = leases.book_late


def _expired_early(self: Liveness, worker: dict[str, Any]) -> bool:
    return _expired(self, worker | {"lease_ms": worker["lease_ms"] - 1})


def _expired_late(self: Liveness, worker: dict[str, Any]) -> bool:
    return _expired(self, worker | {"lease_ms": worker["lease_ms"] + 1})


def _told_nothing(
    transaction: SqliteTransaction, records: Sequence[Record], clock: Clock
) -> list[StoreError | None]:
    return [None for _ in _complete(transaction, records, clock)]


def _late_spend_added(transaction: SqliteTransaction, held: dict[str, Any], spent: Spend) -> None:
    _book_late(transaction, held | {"assumed": 0}, spent)


def _never_looks(self: Liveness) -> None:
    self._looks.clear()


class _WallClock:
    """Decides by the time people can set."""

    def __init__(self, clock: Clock) -> None:
        self.unix_ms = clock.unix_ms
        self.monotonic_ms = clock.unix_ms


def _by_wall_clock(patch: pytest.MonkeyPatch) -> None:
    made = work.SqliteWork.__init__

    def init(
        self: work.SqliteWork,
        database: Any,  # noqa: ANN401
        clock: Clock,
        liveness: Liveness,
        processes: Processes,
    ) -> None:
        wall = _WallClock(clock)
        liveness._clock = wall
        made(self, database, wall, liveness, processes)

    patch.setattr(work.SqliteWork, "__init__", init)


STATE_IS_LIVE = "state = 'live' AND "

FAULTS: Sequence[Fault] = (
    Fault("complete is not fenced", attribute(outcomes, "is_live", _always)),
    Fault("a lost lease is not told", attribute(outcomes, "complete", _told_nothing)),
    Fault("spans and release are not fenced", attribute(work, "is_live", _always)),
    Fault(
        "a heartbeat brings the dead back",
        several(
            sql("beat_workers", STATE_IS_LIVE, ""),
            sql("live_among", STATE_IS_LIVE, ""),
        ),
    ),
    Fault("claims are not fenced", sql("worker_state", "SELECT state", "SELECT 'live'")),
    Fault("checkpoints are not fenced", attribute(ledger, "driver_key", _any_driver)),
    Fault("a run's status is not fenced", attribute(runs, "driver_key", _any_driver)),
    Fault(
        "time spent is not added up",
        sql_everywhere("active_s = active_s + ", "active_s = "),
    ),
    Fault("leases end a millisecond early", attribute(Liveness, "expired", _expired_early)),
    Fault("leases end a millisecond late", attribute(Liveness, "expired", _expired_late)),
    Fault("no grace after a pause", attribute(Liveness, "look", _never_looks)),
    Fault("leases by the wall clock", _by_wall_clock),
    Fault("last in, first out", sql("ready_rollouts", "ORDER BY r.key", "ORDER BY r.key DESC")),
    Fault("failures are not counted", attribute(SqliteTransaction, "move", _uncounted_failures)),
    Fault(
        "one attempt more than allowed",
        sql_everywhere("run.max_attempts", "run.max_attempts + 1 AS max_attempts"),
    ),
    Fault(
        "a dead process counts against the rollout",
        attribute(leases, "gone", lambda: replace(_gone(), counted=True)),
    ),
    Fault(
        "a lost lease does not count",
        attribute(leases, "lost", lambda: replace(_lost(), counted=False)),
    ),
    Fault("requeueing keeps the count", sql("requeue_rollouts", "counted = 0, ", "")),
    Fault(
        "budgets are not reserved", attribute(SqliteTransaction, "reserve", lambda *_, **__: None)
    ),
    Fault(
        "late spend is added to what was assumed", attribute(leases, "book_late", _late_spend_added)
    ),
    Fault(
        "late spend is booked twice",
        sql_everywhere("a.assumed, a.late_calls", "a.assumed, NULL AS late_calls"),
    ),
    Fault(
        "what is published already is published again",
        sql_everywhere(
            "SELECT max(number) FROM resources_version WHERE resources = ?1",
            "SELECT max(number) FROM resources_version WHERE resources = ?1 AND 0",
        ),
    ),
    Fault(
        "equal submissions are not recognized",
        several(
            schema_text("UNIQUE INDEX rollout_evaluate", "INDEX rollout_evaluate"),
            schema_text("UNIQUE INDEX rollout_propose", "INDEX rollout_propose"),
        ),
    ),
    Fault(
        "two successes of one rollout",
        several(
            schema_text("UNIQUE INDEX attempt_success", "INDEX attempt_success"),
            attribute(outcomes, "is_live", _always),
        ),
    ),
    Fault(
        "retries do not wait", sql("promote_due", " AND ready_ms > 0 AND ready_ms <= ?2", " AND ?2")
    ),
    Fault("retries of another boot wait on", sql("forget_retry_times", "ready_ms > 0", "0")),
    Fault("a paused run's work is claimed", sql("running_runs", "run.status = 'running' AND ", "")),
    Fault("span numbers begin anew", sql_everywhere("max(b.first + b.count - 1)", "NULL")),
    Fault("the oldest checkpoint is told", sql("checkpoints", "c.key DESC", "c.key")),
)

"""Successes, recorded in one statement: what is decided about them needs nothing but the attempt.

Everything else about ends of attempts is decided by stores.outcomes, on rows that are held.
"""

from collections.abc import Sequence
from typing import Any

from tau.domain.ids import AttemptId, attempt_id, rollout_id
from tau.domain.rollout import AttemptStatus
from tau.ports.clock import Clock
from tau.stores.outcomes import Record
from tau.stores.postgres.transaction import Opening, PostgresTransaction

_NO_BLOCK = (None, None, None)
_BLOCK = 3


def opening(records: Sequence[Record], clock: Clock | None) -> Opening | None:
    """The one statement that records those of `records` that are successes; None without any.

    Of two for one attempt the first counts, whatever it is.
    """
    first: dict[AttemptId, Record] = {}
    for record in records:
        first.setdefault(record.attempt, record)
    known = sorted([_row(record) for record in first.values() if _plain(record)], key=_by_place)
    if not known:
        return None
    columns = [list(column) for column in zip(*known, strict=True)]
    if not any(columns[-_BLOCK]):
        columns[-_BLOCK:] = [[], [], []]  # the server fills them up with nulls
    return Opening("complete", (None if clock is None else clock.unix_ms(), *columns))


def recorded(transaction: PostgresTransaction) -> set[AttemptId]:
    """Whose success the opening has recorded."""
    done = set()
    for _, rollout, n, run_id, freed in transaction.opened:
        if rollout is not None:
            done.add(attempt_id(rollout_id(run_id, rollout), n))
            transaction.settled.add(run_id)
            transaction.claimable = transaction.claimable or freed  # the budget may have room again
    return done


def _plain(record: Record) -> bool:
    outcome = record.outcome
    return (
        outcome.status is AttemptStatus.SUCCEEDED
        and record.failed is None
        and not outcome.spent.assumed_tokens
        and not outcome.spent.assumed_cost_nano_usd
        and (record.block is not None or not outcome.spans)
    )


def _row(record: Record) -> tuple[Any, ...]:
    run_id, rollout, n = record.place
    outcome = record.outcome
    spent = outcome.spent
    block = _NO_BLOCK if record.block is None else (len(outcome.spans), *record.block)
    return (
        rollout, n, run_id, record.score, outcome.duration_ms, spent.calls, spent.tokens,
        spent.cost_nano_usd, *record.result, *block,
    )  # fmt: skip


def _by_place(row: tuple[Any, ...]) -> tuple[int, int]:
    return row[0], row[1]

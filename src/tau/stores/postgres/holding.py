"""Attempts in flight, taken into one transaction's hands before anything is done with them.

Whatever ends an attempt locks it while it is held and looks at what it locked: that stays.
"""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from tau.domain.ids import AttemptId, RunId
from tau.stores import leases
from tau.stores.outcomes import place, unknown
from tau.stores.postgres.transaction import PostgresTransaction
from tau.stores.rows import Row

Place: TypeAlias = tuple[int, int]


async def hold(transaction: PostgresTransaction, places: Iterable[Place]) -> list[Row]:
    """The attempts at (rollout, n), by rollout, with all that decides about them."""
    asked = sorted(set(places))
    if not asked:
        return []
    found = {
        (row["rollout"], row["n"]): row
        for row in await transaction.rows("held_attempts", [rollout for rollout, _ in asked])
    }
    over = [place for place in asked if place not in found]
    if over:
        columns = map(list, zip(*over, strict=True))
        for row in await transaction.rows("ended_attempts", *columns):
            found[row["rollout"], row["n"]] = row
    return [found[place] for place in asked if place in found]


async def hold_named(
    transaction: PostgresTransaction, attempts: Sequence[AttemptId]
) -> dict[AttemptId, Row]:
    """The attempts of these names; those that are nobody's are absent."""
    places = {attempt: place(attempt) for attempt in attempts}
    held = await hold(transaction, (each[1:] for each in places.values() if each is not None))
    found: dict[tuple[RunId, int, int], Row] = {
        (row["run_id"], row["rollout"], row["n"]): row for row in held
    }
    return {
        attempt: found[each]
        for attempt, each in places.items()
        if each is not None and each in found
    }


async def hold_all(
    transaction: PostgresTransaction, attempts: Sequence[AttemptId]
) -> dict[AttemptId, Row]:
    """As `hold_named`; NotFound where one is nobody's."""
    held = await hold_named(transaction, attempts)
    for attempt in attempts:
        if attempt not in held:
            raise unknown(attempt)
    return held


async def hold_live(transaction: PostgresTransaction, statement: str, key: int) -> list[Row]:
    """Those in flight of a worker (held_by_worker) or a run (held_of_run), oldest first."""
    found = await transaction.tuples(statement, key)
    held = await hold(transaction, ((row["rollout"], row["n"]) for row in found))
    return [row for row in held if row["status"] in leases.LIVE and row["live"] == row["n"]]


async def give_up_worker(
    transaction: PostgresTransaction, worker: int, state: str, end: leases.End
) -> int:
    """Take a worker off the list with everything it holds; how many attempts."""
    await transaction.tuples("end_worker", worker, state)
    held = await hold_live(transaction, "held_by_worker", worker)
    for attempt in held:
        leases.take_away(transaction, attempt, end, transaction.moment.unix_ms())
    return len(held)

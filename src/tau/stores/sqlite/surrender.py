"""Taking a worker off the list with all it holds."""

from tau.stores import leases
from tau.stores.sqlite.transaction import SqliteTransaction


def give_up_worker(
    transaction: SqliteTransaction, worker: int, state: str, end: leases.End, unix_ms: int
) -> int:
    """Take a worker off the list with everything it holds; how many attempts."""
    transaction.run("end_worker", (worker, state))
    held = transaction.rows("held_by_worker", (worker,))
    for attempt in held:
        leases.take_away(transaction, attempt, end, unix_ms)
    return len(held)

"""Which runs may be pruned: only what has ended."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tau.domain.run import RunStatus
from tau.errors import InputError, NotFound
from tau.stores.rows import Row

_ENDED = frozenset({RunStatus.COMPLETED, RunStatus.CANCELLED, RunStatus.FAILED})


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunedRun:
    """One run with how many rollouts are, or would be, deleted of it."""

    id: str
    status: str
    updated_unix_ms: int
    rollouts: int


def prunable(rows: Sequence[Row], runs: Collection[str]) -> list[tuple[int, PrunedRun]]:
    """Runs by key, out of the rows found by names or by age.

    Raises:
        NotFound: a run that was named and does not exist.
        InputError: a run that has not ended.
    """
    missing = set(runs) - {row["id"] for row in rows}
    if missing:
        raise NotFound(f"there is no run '{min(missing):.80}'")
    for row in rows:
        if row["status"] not in _ENDED:
            raise InputError(
                f"run '{row['id']}' has not ended",
                why=f"it is {row['status']}",
                fix="cancel it first",
            )
    return [
        (
            row["key"],
            PrunedRun(
                id=row["id"],
                status=row["status"],
                updated_unix_ms=row["updated_unix_ms"],
                rollouts=row["rollouts"],
            ),
        )
        for row in rows
        if row["rollouts"] or row["id"] in runs
    ]

"""Why a search came to no winner, and whether that is a result or only the end of the budget."""

from tau.algorithms.certification import Certification
from tau.algorithms.pool import Pool
from tau.algorithms.purse import Purse
from tau.algorithms.refusals import Refusals
from tau.domain.ids import ResourcesHash


def limited_by(
    pool: Pool, chosen: ResourcesHash | None, purse: Purse, certification: Certification, least: int
) -> list[str]:
    """The hard limits that ended a search before anything was compared; none where it was.

    A limit that leaves the `least` evaluations of a search did not end it, nor did one where the
    baseline failed nowhere: there was nothing to learn.
    """
    if chosen is None:
        return []
    measured = pool.table[chosen].cells
    if chosen == pool.baseline:
        compared = purse.evaluations > len(measured)
    else:
        rows = certification.rows
        compared = not rows or any((row.id, 0) in measured for row in rows)
    right, seen = pool.right(pool.baseline)
    if compared or right == seen:
        return []
    return purse.short(least + certification.cost)


def no_winner(pool: Pool, tried: str, refusals: Refusals) -> str:
    """Why the baseline stays: `tried` says it where there were candidates."""
    if pool.tried or not refusals.lost:
        return tried
    return f"no candidate could be tried, as no proposal was usable: {refusals.summary}"

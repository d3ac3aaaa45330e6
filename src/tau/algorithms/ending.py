"""Who is certified at the end of a search, and why where it is nobody."""

from collections.abc import Sequence

from tau.algorithms.budget_ledger import BudgetLedger
from tau.algorithms.certification import Certification
from tau.algorithms.economy import Economy
from tau.algorithms.pool import CandidatePool
from tau.algorithms.refusals import Refusals
from tau.domain.ids import ResourcesHash


def best_safe(pool: CandidatePool, ranked: Sequence[ResourcesHash]) -> ResourcesHash:
    """Who leads: the first of `ranked` that tripped no safety gate; else the baseline."""
    return next(iter(pool.safe(ranked)), pool.baseline)


def winner(pool: CandidatePool, economy: Economy, ranked: Sequence[ResourcesHash]) -> ResourcesHash:
    """Who is certified, chosen among safe candidates alone: here, for all searches."""
    return economy.choose(pool, pool.safe(pool.members), best_safe(pool, ranked))


def limited_by(
    pool: CandidatePool,
    chosen: ResourcesHash | None,
    ledger: BudgetLedger,
    certification: Certification,
    least: int,
) -> list[str]:
    """The hard limits that ended a search before anything was compared; none where it was.

    A limit that leaves the `least` evaluations of a search did not end it, nor did one where the
    baseline failed nowhere: there was nothing to learn.
    """
    if chosen is None:
        return []
    measured = pool.table[chosen].cells
    if chosen == pool.baseline:
        compared = ledger.spent.evaluations > len(measured)
    else:
        rows = certification.rows
        compared = not rows or any((row.id, 0) in measured for row in rows)
    scores = pool.scores(pool.baseline)
    right, seen = sum(score >= 1 for score in scores), len(scores)
    if compared or right == seen:
        return []
    return ledger.short(least + certification.cost)


def no_winner(pool: CandidatePool, tried: str, refusals: Refusals) -> str:
    """Why the baseline stays: `tried` says it where there were candidates."""
    if pool.tried or not refusals.lost:
        return tried
    return f"no candidate could be tried, as no proposal was usable: {refusals.summary}"


def why_undecided(certification: Certification, left: int) -> str:
    """Why nothing is decided, `left` evaluations having been cut off by a limit."""
    if not left:
        return "nothing has been certified yet"
    return (
        f"a limit ended the certification with {left} of {certification.cost} evaluations to come: "
        "nothing is decided before it is complete, so that the claim is made once; raise the "
        "budget and start the same run again"
    )

"""Shorter or cheaper, as long as it is proved not to be much worse."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tau.domain.ids import ExampleId, ResourcesHash
from tau.scoring.compare import compare
from tau.scoring.table import Pairing, ScoreTable, pair


def no_worse(pairing: Pairing, margin: float, *, alpha: float = 0.05) -> bool:
    """Whether the candidate is proved not to be worse than the other by `margin` or more.

    The lower bound of the difference, which holds with 1 - alpha, is above -margin (S. Wellek,
    Testing Statistical Hypotheses of Equivalence and Noninferiority, 2010, chapter 2). To be asked
    once, on a fixed set; without pairs nothing is proved.

    Raises:
        ValueError: a margin that is not positive.
    """
    if not margin > 0:
        raise ValueError(f"a margin must be positive, got {margin}")
    return bool(pairing.differences) and compare(pairing, alpha=2 * alpha).low > -margin


@dataclass(frozen=True, slots=True, kw_only=True)
class TieBreak:
    """The `winner` of a tie and those it was chosen from, best mean first."""

    winner: ResourcesHash
    tied: tuple[ResourcesHash, ...]


def cheapest_no_worse(
    table: ScoreTable,
    ranking: Sequence[ResourcesHash],
    examples: Sequence[ExampleId],
    costs: Mapping[ResourcesHash, float],
    margin: float,
    *,
    alpha: float = 0.05,
) -> TieBreak:
    """Of the leader and those proved no worse than it by `margin`, the one that costs least.

    `ranking` is best first; equal costs are decided by it. Costs (tokens, dollars) break ties and
    are never subtracted from a score: a cheap prompt cannot buy itself a worse one's place.
    """
    leader = ranking[0]
    tied = (
        leader,
        *(
            name
            for name in ranking[1:]
            if no_worse(pair(table, name, leader, examples), margin, alpha=alpha)
        ),
    )
    return TieBreak(winner=min(tied, key=lambda name: costs[name]), tied=tied)

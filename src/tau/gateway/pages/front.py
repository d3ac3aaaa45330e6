"""Quality against cost of a run's candidates, as a part of its page."""

from tau.domain.dataset import Split
from tau.domain.run import Run
from tau.gateway.board import RunScores
from tau.gateway.contest import Contest
from tau.gateway.context import Gateway
from tau.reports.account import baseline_of
from tau.reports.front import KnownCosts, QualityCost, quality_cost

_MOST = 1_000
_MOST_ROWS = 10_000
"""Of a run, for its outputs to be looked through at each look at the page."""


async def front_of(
    gateway: Gateway, run: Run, board: RunScores, contest: Contest
) -> QualityCost | None:
    """None where there is nothing to compare, or too much to be read for a page."""
    scores = {
        split: {
            one.resources: estimate
            for one in board.standings.by_split[split]
            if (estimate := one.estimate) is not None
        }
        for split in (Split.OPTIMIZE, Split.VALIDATE)
    }
    if max(map(len, scores.values())) < 2 or len(board.rows) > _MOST_ROWS:
        return None
    costs = await gateway.window.ask(lambda store: store.insights.costs(run.id))
    found = await gateway.window.ask(lambda store: store.insights.candidates(run.id, limit=_MOST))
    texts = [baseline_of(run), *(one.resources for one in found)]
    return quality_cost(
        run,
        KnownCosts(
            estimates=scores,
            costs=costs,
            characters={one.hash: one.characters for one in texts},
            baseline=contest.baseline_hash,
            best=contest.best_hash or contest.baseline_hash,
        ),
    )

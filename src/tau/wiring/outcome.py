"""What a run leaves in the store for those who read of it later."""

from tau.domain.decision import Verdict
from tau.domain.ids import WorkerId
from tau.domain.resources import Resources
from tau.domain.run import Run
from tau.ports.algorithm import Recommendation
from tau.ports.store import Store
from tau.reports.account import Account, baseline_of, gather


async def give_verdict(store: Store, run: Run, best: Recommendation, trainer: WorkerId) -> None:
    """Keep what the run recommends now, in place of what it said before."""
    verdict = Verdict(
        run_id=run.id,
        resources=best.resources,
        decision=best.decision,
        evidence=best.evidence,
        caveats=best.caveats,
    )
    await store.verdicts.save(verdict, trainer=trainer)


async def account_of(store: Store, run: Run, best: Recommendation) -> Account | None:
    """What an optimization tried and found; None where only the given resources were measured."""
    found = await store.insights.candidates(run.id, limit=2)
    if best.decision is None and not any(_is_new(one.resources, run) for one in found):
        return None
    return await gather(store, run.id)


def _is_new(resources: Resources, run: Run) -> bool:
    return resources.hash != baseline_of(run).hash

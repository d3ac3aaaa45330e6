"""Earlier claims: a set of rows that has certified once is less fresh the next time."""

from tau.domain.ids import RunId
from tau.ports.algorithm import CERTIFICATION_SET
from tau.ports.store import Store
from tau.reports.gain import of_evidence

_PAGE = 200


async def certified(store: Store, *, besides: RunId | None = None) -> tuple[str, ...]:
    """The certification set of every claim that a run in the store made; not of `besides`."""
    found: list[str] = []
    offset = 0
    while page := await store.insights.runs(limit=_PAGE, offset=offset):
        offset += len(page)
        for run in page:
            verdict = None if run.id == besides else await store.verdicts.find(run.id)
            if verdict is None or of_evidence(verdict.evidence) is None:
                continue
            used = verdict.evidence.get(CERTIFICATION_SET)
            if isinstance(used, str):
                found.append(used)
    return tuple(found)

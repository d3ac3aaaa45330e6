"""What earlier runs leave to a new one: their claims, and what they measured on its rows."""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from statistics import fmean

from tau import plugins
from tau.config.run_settings import RunConfig
from tau.domain.dataset import ROW_KEY_DIGITS, content_of
from tau.domain.ids import ResourcesHash, RunId
from tau.domain.json import Json
from tau.domain.run import Run, RunStatus
from tau.ports.algorithm import CERTIFICATION_KEYS, EarlierScores, UsesHistory
from tau.ports.store import Store
from tau.reports.gain import of_evidence

_PAGE = 200
_MOST_RUNS = 20
_MOST_ROLLOUTS = 50_000
"""Of the newest runs; reading that many takes .3 s of one core."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHistory:
    """See `Problem.certified` and `Problem.earlier`."""

    certified: Mapping[str, int] = field(default_factory=dict)
    scores: EarlierScores = field(default_factory=dict)


async def past_of(store: Store, config: RunConfig, run: Run) -> RunHistory:
    """What there was when `run` began: a resumed run and a replay find the same."""
    return RunHistory(
        certified=await certified(store, besides=run.id), scores=await measured(store, config, run)
    )


async def certified(store: Store, *, besides: RunId | None = None) -> Mapping[str, int]:
    """How many claims of runs in the store each row carried, by its keys; not of `besides`.

    Whatever the claims were: a row that has shown what it thinks of one prompt is not unseen.
    """
    found: Counter[str] = Counter()
    async for run in _runs(store):
        verdict = None if run.id == besides else await store.verdicts.find(run.id)
        if verdict is not None and of_evidence(verdict.evidence) is not None:
            found.update(certified_rows(verdict.evidence))
    return found


def certified_rows(evidence: Mapping[str, Json]) -> frozenset[str]:
    """The keys of the rows that carried the claim in a run's evidence."""
    keys = evidence.get(CERTIFICATION_KEYS)
    if not isinstance(keys, str):
        return frozenset()
    size = ROW_KEY_DIGITS
    return frozenset(keys[start : start + size] for start in range(0, len(keys), size))


async def measured(store: Store, config: RunConfig, run: Run) -> EarlierScores:
    """Scores that runs which completed before `run` began gave on its rows; see the constants."""
    plugin = plugins.load(plugins.ALGORITHMS, config.algorithm.type)
    if not (isinstance(plugin, UsesHistory) and plugin.uses_history):
        return {}
    rows = {example.content for examples in config.examples.values() for example in examples}
    found: dict[str, dict[ResourcesHash, list[float]]] = defaultdict(lambda: defaultdict(list))
    runs = rollouts = 0
    async for earlier in _runs(store, RunStatus.COMPLETED):
        if not _alike(earlier, run):
            continue
        runs, rollouts = runs + 1, rollouts + earlier.spent.rollouts
        if runs > _MOST_RUNS or rollouts > _MOST_ROLLOUTS:
            break
        for one in await store.insights.measurements(run=earlier.id):
            row = content_of(one.example)
            if one.score is not None and row in rows and not one.reused:
                found[row][one.resources].append(min(1.0, max(0.0, one.score)))
    return {row: _means(scores) for row, scores in found.items()}


def _alike(earlier: Run, run: Run) -> bool:
    return (
        earlier.updated_unix_ms < run.created_unix_ms
        and earlier.model_ref == run.model_ref
        and earlier.config.get("graders") == run.config.get("graders")
    )


def _means(scores: Mapping[ResourcesHash, list[float]]) -> Mapping[ResourcesHash, float]:
    return {name: fmean(values) for name, values in scores.items()}


async def _runs(store: Store, status: RunStatus | None = None) -> AsyncIterator[Run]:
    """Newest first."""
    offset = 0
    while page := await store.insights.runs(status=status, limit=_PAGE, offset=offset):
        offset += len(page)
        for run in page:
            yield run

"""What a run came to: everything that reports say of it, gathered from the store once."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tau.domain.dataset import Split
from tau.domain.decision import Verdict
from tau.domain.ids import ResourcesHash, RunId
from tau.domain.json import Json
from tau.domain.resources import Resources, ResourcesVersion
from tau.domain.rollout import RolloutCounts, RolloutStatus
from tau.domain.run import Run
from tau.ports.insights import CandidateRecord, MeanCost, Measurement, Shortfalls
from tau.ports.store import Store
from tau.readings.scores import Standings
from tau.reports.gain import Gain, PartialClaim, certificate, of_evidence, partial_of
from tau.reports.words import Piece, rules_changed, word_diff
from tau.reports.worsened import Worsened, worsened
from tau.scoring.aggregate import Estimate
from tau.scoring.table import ScoreRow, ScoreTable

_PAGE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitAccount:
    """One split: baseline and best by themselves; None where nothing is scored."""

    split: Split
    baseline: Estimate | None
    best: Estimate | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A run with what it tried, measured and recommended.

    `best` is the recommendation, the baseline itself where nothing was proved better; `version` is
    the run's own publication of it, if any. `candidates` are in the order of their waves.
    `worsened` are the first few examples that the leader got wrong and the baseline had right,
    `retries` the attempts made again after a failure, `costs` what evaluations cost in the mean.
    """

    run: Run
    counts: RolloutCounts
    failures: Mapping[str, int]
    verdict: Verdict | None
    baseline: Resources
    best: Resources
    version: ResourcesVersion | None
    candidates: tuple[CandidateRecord, ...]
    measurements: tuple[Measurement, ...]
    shortfalls: Shortfalls = field(default_factory=Shortfalls)
    worsened: tuple[Worsened, ...] = ()
    retries: int = 0
    costs: tuple[MeanCost, ...] = ()
    standings: Standings = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Read the scores once."""
        object.__setattr__(self, "standings", Standings.of(self.measurements))

    @property
    def decision(self) -> str | None:
        """promote, keep_baseline, inconclusive, or None where nothing was to be decided."""
        decision = self.verdict.decision if self.verdict else None
        return None if decision is None else str(decision)

    @property
    def evidence(self) -> Mapping[str, Json]:
        """What the algorithm based its recommendation on."""
        return self.verdict.evidence if self.verdict else {}

    @property
    def gain(self) -> Gain | None:
        """What the certification found."""
        return of_evidence(self.evidence)

    @property
    def partial(self) -> PartialClaim | None:
        """What the rows that could not be compared could do to the decision, where they are many.

        Wherever a promotion is shown with this, it is shown as one to look into.
        """
        return partial_of(self.evidence)

    @property
    def reason(self) -> str | None:
        """Why it was decided so, in one sentence."""
        found = certificate(self.evidence).get("reason")
        return found if isinstance(found, str) else None

    @property
    def leader(self) -> Resources:
        """What was ahead at the end, proved better or not; the baseline where nothing was."""
        wanted = self.evidence.get("leader")
        for candidate in self.candidates:
            if candidate.resources.hash == wanted:
                return candidate.resources
        return self.best

    @property
    def tried(self) -> int:
        """How many candidates were tried, the baseline not among them."""
        return sum(one.resources.hash != self.baseline.hash for one in self.candidates)

    def table(self, split: Split | None = None) -> ScoreTable:
        """The scores of all settled evaluations, of one split or of all."""
        return ScoreTable.of(
            ScoreRow(
                candidate=one.resources,
                example=one.example,
                replicate=one.replicate,
                score=one.compared_score,
            )
            for one in self.measurements
            if split in (None, one.split) and one.status in _SETTLED
        )

    def splits(self) -> tuple[SplitAccount, ...]:
        """Every split that was measured, in the order of the splits."""
        return tuple(
            SplitAccount(
                split=split,
                baseline=self.estimate(self.baseline.hash, split),
                best=self.estimate(self.leader.hash, split),
            )
            for split in Split
            if any(one.split is split for one in self.measurements)
        )

    def estimate(self, resources: ResourcesHash, split: Split) -> Estimate | None:
        """The mean score of `resources` on a split, None where nothing is scored."""
        found = self.standings.find(resources, split)
        return found.estimate if found else None

    @property
    def reused(self) -> int:
        """How many evaluations a probe had paid for."""
        return sum(one.reused for one in self.measurements)

    @property
    def binary(self) -> bool:
        """Whether every score is 0 or 1, so that means are shares."""
        scores = [one.score for one in self.measurements if one.score is not None]
        return bool(scores) and all(score in (0.0, 1.0) for score in scores)

    @property
    def fresh_rows(self) -> int:
        """How many rows were set aside for the decision under 'test'; 0 where that is not known."""
        found = self.run.config.get("examples")
        test = found.get("test") if isinstance(found, Mapping) else None
        rows = test.get("rows") if isinstance(test, Mapping) else None
        return rows if isinstance(rows, int) else 0

    @property
    def rules_changed(self) -> tuple[int, int]:
        """How many rules were added to the baseline's texts, and how many taken out."""
        names = dict.fromkeys([*self.baseline.values, *self.leader.values])
        counts = [
            rules_changed(_text(self.baseline, name), _text(self.leader, name)) for name in names
        ]
        return sum(added for added, _ in counts), sum(removed for _, removed in counts)

    def diffs(self) -> dict[str, tuple[Piece, ...]]:
        """What changed from the baseline to what was ahead, for each resource that changed."""
        return resources_diff(self.baseline, self.leader)


_SETTLED = frozenset({RolloutStatus.SUCCEEDED, RolloutStatus.FAILED})


async def gather(store: Store, run_id: RunId) -> Account:
    """Read a run's account; NotFound."""
    insights = store.insights
    run = await insights.run(run_id)
    verdict = await store.verdicts.find(run_id)
    baseline = baseline_of(run)
    best = verdict.resources if verdict else baseline
    account = Account(
        run=run,
        counts=await insights.counts(run_id),
        failures=await insights.failures(run_id),
        verdict=verdict,
        baseline=baseline,
        best=best,
        version=await _published(store, best),
        candidates=tuple(await _candidates(store, run_id)),
        measurements=tuple(await insights.measurements(run=run_id)),
        shortfalls=await insights.shortfalls(run_id),
        retries=await retries(store, run),
        costs=tuple(await insights.costs(run_id)),
    )
    return replace(account, worsened=await _worsened(store, account))


async def retries(store: Store, run: Run) -> int:
    """How many attempts were made again; asks for single rollouts only where there can be some."""
    found, after, since = 0, 0, 0
    if run.spent.calls <= run.spent.rollouts:
        return 0
    while page := await store.insights.settled(run.id, since_unix_ms=since, after=after):
        found += sum(max(0, row.attempts - 1) for row in page)
        since, after = page[-1].updated_unix_ms, page[-1].number
    return found


async def right_or_wrong(store: Store, run_id: RunId) -> bool:
    """Whether every score of a run is 0 or 1, so that its means are shares."""
    found = [score for each in await store.insights.scores(run_id) for score in each.scores]
    return bool(found) and all(score in (0.0, 1.0) for score in found)


async def _worsened(store: Store, account: Account) -> tuple[Worsened, ...]:
    gain, leader = account.gain, account.leader.hash
    if gain is None:
        return ()
    mine = [one for one in account.measurements if one.resources == leader]
    return await worsened(store, account.run.id, mine, gain.broken)


def baseline_of(run: Run) -> Resources:
    """The resources that a run started from."""
    found = run.config.get("resources")
    return Resources(values=found if isinstance(found, Mapping) else {})


async def _candidates(store: Store, run_id: RunId) -> Sequence[CandidateRecord]:
    found: list[CandidateRecord] = []
    while page := await store.insights.candidates(run_id, limit=_PAGE, offset=len(found)):
        found += page
    return found


async def _published(store: Store, best: Resources) -> ResourcesVersion | None:
    """The newest publication of `best`, by whichever run, among the last thousand."""
    for version in await store.insights.versions(limit=_PAGE):
        if version.resources.hash == best.hash:
            return version
    return None


def resources_diff(old: Resources, new: Resources) -> dict[str, tuple[Piece, ...]]:
    """What changed, for each resource that did; values that are no texts are compared as JSON."""
    names = dict.fromkeys([*old.values, *new.values])
    texts = {name: (_text(old, name), _text(new, name)) for name in names}
    return {name: word_diff(*both) for name, both in texts.items() if both[0] != both[1]}


def _text(resources: Resources, name: str) -> str:
    if name not in resources.values:
        return ""
    return resource_text(resources.values[name])


def resource_text(value: Json) -> str:
    """A resource as people read it: a text as it is, chat messages by role, else JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence) and value and all(map(_is_message, value)):
        return "\n\n".join(
            f"{one['role']}:\n{one['content']}" for one in value if isinstance(one, Mapping)
        )
    return json.dumps(value, indent=2, ensure_ascii=False)


def _is_message(value: Json) -> bool:
    return isinstance(value, Mapping) and set(value) == {"role", "content"}

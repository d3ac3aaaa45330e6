"""The candidates of a search with all that is known of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tau.algorithms.evidence import TriedExample, tried_example
from tau.domain.ids import ExampleId, ResourcesHash
from tau.domain.resources import Resources
from tau.domain.reward import SAFETY_HARD_GATE_TRIGGERED
from tau.domain.rollout import RolloutResult
from tau.scoring.table import CandidateScores, ScoreRow, ScoreTable

_KEPT_FAILURES = 48
_KEPT_SUCCESSES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Resources with their origin. `seen_examples` are those it or its ancestors were made from.

    They may reject it, never accept it. The baseline is of `generation` 0.
    """

    resources: Resources
    origin: str
    parents: tuple[ResourcesHash, ...] = ()
    seen_examples: frozenset[ExampleId] = frozenset()
    generation: int = 0

    @property
    def hash(self) -> ResourcesHash:
        """Its identity."""
        return self.resources.hash


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidatePool:
    """Candidates that are still of use, in the order they came; the baseline always is.

    `members` are they by hash. `table`, `failures` and `successes` hold only those: the latest
    examples that were less than perfect, and some of those that were. `gated` tripped a safety
    gate. `tried` counts all there ever were, the baseline aside.
    """

    baseline: ResourcesHash
    candidates: tuple[Candidate, ...]
    table: ScoreTable = field(default_factory=ScoreTable)
    failures: Mapping[ResourcesHash, tuple[TriedExample, ...]] = field(default_factory=dict)
    successes: Mapping[ResourcesHash, tuple[TriedExample, ...]] = field(default_factory=dict)
    gated: frozenset[ResourcesHash] = frozenset()
    tried: int = 0
    members: Mapping[ResourcesHash, Candidate] = field(init=False)

    def __post_init__(self) -> None:
        """Index once."""
        object.__setattr__(self, "members", {one.hash: one for one in self.candidates})

    @classmethod
    def of(cls, baseline: Resources) -> "CandidatePool":
        """Nothing but the baseline."""
        first = Candidate(resources=baseline, origin="baseline")
        return cls(baseline=first.hash, candidates=(first,))

    def __getitem__(self, name: ResourcesHash) -> Candidate:
        """A candidate that is still of use."""
        return self.members[name]

    def adding(self, candidate: Candidate) -> "CandidatePool":
        """With a new one."""
        return replace(self, candidates=(*self.candidates, candidate), tried=self.tried + 1)

    def keeping(self, names: Iterable[ResourcesHash]) -> "CandidatePool":
        """With the baseline and `names` alone."""
        kept = {self.baseline, *names}
        if kept >= self.members.keys():
            return self
        scores = self.table.candidates
        return replace(
            self,
            candidates=tuple(one for one in self.candidates if one.hash in kept),
            table=ScoreTable({name: scores[name] for name in scores if name in kept}),
            failures={name: one for name, one in self.failures.items() if name in kept},
            successes={name: one for name, one in self.successes.items() if name in kept},
            gated=self.gated & kept,
        )

    def recording(self, results: Sequence[RolloutResult]) -> "CandidatePool":
        """With evaluations folded in."""
        rows, gated = [], set(self.gated)
        tried: dict[ResourcesHash, list[TriedExample]] = {}
        for result in results:
            example, name = result.request.example, result.request.resources.hash
            if example is None or name not in self.members:
                continue
            rows.append(
                ScoreRow(
                    candidate=name,
                    example=example.id,
                    replicate=result.request.replicate,
                    score=result.compared_score,
                )
            )
            if any(reward.name == SAFETY_HARD_GATE_TRIGGERED for reward in result.rewards):
                gated.add(name)
            if (one := tried_example(result)) is not None:
                tried.setdefault(name, []).append(one)
        failures = {
            name: _latest(self.failures.get(name, ()), [one for one in some if one.score < 1])
            for name, some in tried.items()
        }
        successes = {
            name: _latest(self.successes.get(name, ()), [one for one in some if one.score >= 1])
            for name, some in tried.items()
        }
        return replace(
            self,
            table=self.table.adding(rows),
            failures={**self.failures, **_cut(failures, _KEPT_FAILURES)},
            successes={**self.successes, **_cut(successes, _KEPT_SUCCESSES)},
            gated=frozenset(gated),
        )

    def safe(self, names: Iterable[ResourcesHash]) -> list[ResourcesHash]:
        """Those of `names` that tripped no safety gate, in their order."""
        return [name for name in names if name not in self.gated]

    @property
    def contest(self) -> ScoreTable:
        """The scores to choose by: what tripped a safety gate has lost on every row."""
        if not self.gated:
            return self.table
        scores = dict(self.table.candidates)
        for name in self.gated & scores.keys():
            lost = {cell: None if one is None else 0.0 for cell, one in scores[name].cells.items()}
            scores[name] = CandidateScores(cells=lost)
        return ScoreTable(scores)

    def exhausted(self, why: str) -> str:
        """Why there is nothing more to learn: `why`, unless nothing was ever measured."""
        measured = self.table[self.baseline].n > 0
        return why if measured else "no evaluation could be scored"

    def scores(self, name: ResourcesHash) -> tuple[float, ...]:
        """The candidate's score on each example that it has one on."""
        return tuple(self.table[name].by_example.values())

    def failures_of(self, name: ResourcesHash) -> tuple[TriedExample, ...]:
        """What the candidate did less than perfectly, in the order it came."""
        return self.failures.get(name, ())

    def successes_of(self, name: ResourcesHash) -> tuple[TriedExample, ...]:
        """Some of what the candidate did perfectly, in the order it came."""
        return self.successes.get(name, ())

    def seen_by(self, names: Iterable[ResourcesHash]) -> frozenset[ExampleId]:
        """The examples that any of `names` was made from: they cannot compare them."""
        return frozenset().union(*(self[name].seen_examples for name in names))


def child(
    parent: Candidate,
    resources: Resources,
    *,
    origin: str,
    seen_examples: Iterable[ExampleId] = (),
    others: Sequence[Candidate] = (),
    generation: int,
) -> Candidate:
    """A candidate made from `parent`, and from `others` too; it inherits what they were shown."""
    shown = frozenset(seen_examples).union(
        parent.seen_examples, *(one.seen_examples for one in others)
    )
    return Candidate(
        resources=replace(resources, parent=parent.hash),
        origin=origin,
        parents=(parent.hash, *(one.hash for one in others)),
        seen_examples=shown,
        generation=generation,
    )


def _latest(
    before: Sequence[TriedExample], now: Sequence[TriedExample]
) -> tuple[TriedExample, ...]:
    """Both, an example once: as it was tried last."""
    return tuple(
        {**{one.example: one for one in before}, **{one.example: one for one in now}}.values()
    )


def _cut(
    tried: Mapping[ResourcesHash, tuple[TriedExample, ...]], most: int
) -> dict[ResourcesHash, tuple[TriedExample, ...]]:
    return {name: some[-most:] for name, some in tried.items() if some}

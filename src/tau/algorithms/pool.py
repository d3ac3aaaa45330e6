"""The candidates of a search with all that is known of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tau.algorithms.evidence import Failure, failure_of
from tau.domain.ids import ExampleId, ResourcesHash
from tau.domain.json import Json
from tau.domain.resources import Resources
from tau.domain.reward import SAFETY_HARD_GATE_TRIGGERED
from tau.domain.rollout import RolloutResult
from tau.scoring.table import CandidateScores, ScoreRow, ScoreTable

_KEPT_FAILURES = 48
_SEEN_DIGITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Resources with their origin. `bred` are the examples that it or its ancestors were shown.

    Those may reject it, never accept it. `born` counts generations, 0 for the baseline.
    """

    resources: Resources
    origin: str
    parents: tuple[ResourcesHash, ...] = ()
    bred: frozenset[ExampleId] = frozenset()
    born: int = 0

    @property
    def hash(self) -> ResourcesHash:
        """Its identity."""
        return self.resources.hash

    def to_json(self) -> Json:
        """For a checkpoint."""
        return {
            "values": dict(self.resources.values),
            "parent": self.resources.parent,
            "origin": self.origin,
            "parents": list(self.parents),
            "bred": sorted(self.bred),
            "born": self.born,
        }

    @classmethod
    def from_json(cls, state: Any) -> "Candidate":  # noqa: ANN401  (JSON)
        """What `to_json` made; TypeError or KeyError for anything else."""
        return cls(
            resources=Resources(values=dict(state["values"]), parent=state["parent"]),
            origin=str(state["origin"]),
            parents=tuple(state["parents"]),
            bred=frozenset(state["bred"]),
            born=int(state["born"]),
        )


class Pool:
    """Candidates that are still of use, by hash, in order of birth; the baseline always is.

    `table` and `failures` hold only those. `tried` counts all there ever were, the baseline aside;
    `origins` keep how each was made, by the first digits of its hash.
    """

    def __init__(self, baseline: Resources) -> None:
        first = Candidate(resources=baseline, origin="baseline")
        self.baseline = first.hash
        self.members: dict[ResourcesHash, Candidate] = {first.hash: first}
        self.table = ScoreTable()
        self.gated: set[ResourcesHash] = set()
        self.tried = 0
        self._failures: dict[ResourcesHash, dict[ExampleId, Failure]] = {}
        self.origins: dict[str, str] = {first.hash[:_SEEN_DIGITS]: first.origin}

    def __getitem__(self, name: ResourcesHash) -> Candidate:
        """A candidate that is still of use."""
        return self.members[name]

    def knows(self, resources: Resources) -> bool:
        """Whether there ever was such a candidate."""
        return resources.hash[:_SEEN_DIGITS] in self.origins

    def add(self, candidate: Candidate) -> bool:
        """Take a new one in; False where there was one like it before."""
        if self.knows(candidate.resources):
            return False
        self.origins[candidate.hash[:_SEEN_DIGITS]] = candidate.origin
        self.members[candidate.hash] = candidate
        self.tried += 1
        return True

    def keep(self, names: Iterable[ResourcesHash]) -> None:
        """Forget everyone but the baseline and `names`."""
        kept = {self.baseline, *names}
        if kept >= self.members.keys():
            return
        self.members = {name: one for name, one in self.members.items() if name in kept}
        scores = self.table.candidates
        self.table = ScoreTable({name: scores[name] for name in scores if name in kept})
        self._failures = {name: one for name, one in self._failures.items() if name in kept}
        self.gated &= kept

    def record(self, results: Sequence[RolloutResult]) -> None:
        """Fold evaluations in."""
        rows = []
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
                self.gated.add(name)
            failure = failure_of(result)
            if failure is not None:
                known = self._failures.setdefault(name, {})
                known[example.id] = failure
                if len(known) > _KEPT_FAILURES:
                    del known[next(iter(known))]
        self.table = self.table.adding(rows)

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

    def right(self, name: ResourcesHash) -> tuple[int, int]:
        """On how many examples the candidate was right, of those it has a score on."""
        scores = self.table[name].by_example.values()
        return sum(score >= 1 for score in scores), len(scores)

    def failures(self, name: ResourcesHash) -> tuple[Failure, ...]:
        """What the candidate did less than perfectly, in the order it came."""
        return tuple(self._failures.get(name, {}).values())

    def to_json(self) -> Mapping[str, Json]:
        """For a checkpoint."""
        return {
            "members": [one.to_json() for one in self.members.values()],
            "scores": self.table.to_json(),
            "failures": {
                name: [one.to_json() for one in found.values()]
                for name, found in self._failures.items()
            },
            "gated": sorted(self.gated),
            "tried": self.tried,
        }

    @classmethod
    def from_json(cls, state: Any, origins: Any, baseline: Resources) -> "Pool":  # noqa: ANN401
        """What `to_json` and `origins` were; TypeError, KeyError, ValueError for anything else."""
        pool = cls(baseline)
        members = [Candidate.from_json(one) for one in state["members"]]
        pool.members = {one.hash: one for one in members}
        if pool.baseline not in pool.members:
            raise ValueError("this state belongs to other resources")
        pool.table = ScoreTable.from_json(state["scores"])
        pool.gated = {ResourcesHash(str(name)) for name in state["gated"]}
        pool.tried = int(state["tried"])
        pool.origins = {str(digits): str(origin) for digits, origin in origins.items()}
        pool._failures = {
            ResourcesHash(name): {one.example: one for one in map(Failure.from_json, found)}
            for name, found in state["failures"].items()
        }
        return pool


def child(
    parent: Candidate,
    resources: Resources,
    *,
    origin: str,
    bred: Iterable[ExampleId] = (),
    others: Sequence[Candidate] = (),
    born: int,
) -> Candidate:
    """A candidate made from `parent`, and from `others` too; it inherits what they were shown."""
    shown = frozenset(bred).union(parent.bred, *(one.bred for one in others))
    return Candidate(
        resources=replace(resources, parent=parent.hash),
        origin=origin,
        parents=(parent.hash, *(one.hash for one in others)),
        bred=shown,
        born=born,
    )

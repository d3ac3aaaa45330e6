"""GEPA as published: one parent, one minibatch, one child at a time (arXiv 2507.19457).

A parent is drawn from the per-instance front of the validation scores. It is run on a minibatch,
reflected on, and the child must do strictly better on the same minibatch; then it is evaluated on
the whole validation set. Merges put components of two descendants of one ancestor together. What
differs: scores that are known are not paid for again, and the end is Tau's certification instead
of the best validation mean.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import Ge

from tau.algorithms.pool import Candidate, child
from tau.algorithms.proposers import Draft
from tau.algorithms.search import Search
from tau.algorithms.settings import SearchSettings
from tau.domain.draws import below, uniform
from tau.domain.ids import ExampleId, ResourcesHash
from tau.domain.json import Json
from tau.domain.resources import Resources
from tau.domain.rollout import RolloutResult
from tau.scoring.pareto import draw, instance_front

_MERGE_ROWS = 5
_FRUITLESS = 50
"""Minibatches in a row that a parent has all right, after which the search ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GepaSettings(SearchSettings):
    """`minibatch` examples per reflection, `merges` at most."""

    minibatch: Annotated[int, Ge(1)] = 3
    merges: Annotated[int, Ge(0)] = 5


class Gepa(Search):
    """See the module."""

    name: ClassVar[str] = "gepa"
    Settings = GepaSettings
    settings: GepaSettings

    def least(self) -> int:
        return len(self._instances()) + 3 * 2 * self.settings.minibatch

    def begin(self) -> None:
        self.stage = "full"
        self.step = 0
        self.merged = 0
        self.merge_due = False
        self.accepted: list[ResourcesHash] = [self.pool.baseline]
        self.parent: ResourcesHash = self.pool.baseline
        self.fresh: ResourcesHash | None = None
        self.rows: list[ExampleId] = []
        self.evaluate([self.pool.baseline], self._instances())

    def advance(self, answers: Sequence[tuple[Draft, RolloutResult]]) -> None:
        if answers:
            made = self.read(answers, born=self.step)
            self._try(made[0] if made else None)
        elif self.stage == "minibatch":
            self._reflect()
        elif self.stage in ("child", "merge"):
            self._judge()
        elif self.fresh is not None:
            self.accepted.append(self.fresh)
            self.fresh = None
            self.merge_due = True
        while not (self.cells or self.drafts or self.stop_reason):
            self._next()

    def ranked(self) -> Sequence[ResourcesHash]:
        means = {name: self._mean_on(name, self._instances()) for name in self.accepted}
        return sorted(self.accepted, key=lambda name: -round(means[name], 12))

    def memo(self) -> Json:
        return {
            "stage": self.stage,
            "step": self.step,
            "merged": self.merged,
            "merge_due": self.merge_due,
            "accepted": list(self.accepted),
            "parent": self.parent,
            "fresh": self.fresh,
            "rows": list(self.rows),
        }

    def load_memo(self, memo: Any) -> None:  # noqa: ANN401  (JSON)
        self.stage, self.step = str(memo["stage"]), int(memo["step"])
        self.merged, self.merge_due = int(memo["merged"]), bool(memo["merge_due"])
        self.accepted, self.parent = list(memo["accepted"]), memo["parent"]
        self.fresh, self.rows = memo["fresh"], list(memo["rows"])

    # --- one iteration

    def _instances(self) -> list[ExampleId]:
        return [one.id for one in self.parts.select or self.parts.breed]

    def _next(self) -> None:
        """Begin an iteration, or say why there is none."""
        if self.merge_due and self.merged < self.settings.merges:
            self.merge_due = False
            if self._merge():
                return
        if self.proposals_left < 1:
            return self.stop("no proposals were left")
        if self.budget_left < 2 * self.settings.minibatch:
            return self.stop("the budget for evaluations was used up")
        self.step += 1
        front = instance_front(self.pool.contest, self.accepted, self._instances())
        self.parent = draw(front or {self.accepted[0]: 1}, self.seed, "parent", self.step)
        self.rows = self._minibatch()
        self.stage = "minibatch"
        self.evaluate([self.parent], self.rows)
        if not self.cells:
            self._reflect()
        return None

    def _minibatch(self) -> list[ExampleId]:
        """The next rows of an order that is shuffled anew each time it has been gone through."""
        rows = [one.id for one in self.parts.breed]
        size = min(self.settings.minibatch, len(rows))
        epoch, place = divmod((self.step - 1) * size, len(rows) - len(rows) % size)
        shuffled = sorted(rows, key=lambda row: uniform(self.seed, "minibatch", epoch, row))
        return shuffled[place : place + size]

    def _reflect(self) -> None:
        """Ask for a child, unless the parent has nothing to learn here."""
        parent = self.pool[self.parent]
        failures = [one for one in self.pool.failures(parent.hash) if one.example in self.rows]
        if not failures:
            if self.step >= _FRUITLESS and self.pool.tried == 0:
                self.stop(self.pool.exhausted("nothing failed"))
            if self.step >= _FRUITLESS * (1 + self.asked):
                self.stop(self.pool.exhausted("nothing failed any more"))
            return
        target = self.targets[below(len(self.targets), self.seed, "component", self.step)]
        scores = self.pool.table[parent.hash].by_example
        known = [scores[row] for row in self.rows if row in scores]
        right = sum(score >= 1 for score in known)
        self.draft(self.proposers.reflect(parent, target, failures, right=right, seen=len(known)))

    def _try(self, made: Candidate | None) -> None:
        if made is None or not self.pool.add(made):
            return
        self.fresh, self.stage = made.hash, "child"
        if not self.evaluate([made.hash], self.rows):
            self._forget()
            self.stop("the budget for evaluations was used up")

    def _judge(self) -> None:
        """Strictly better on the minibatch (a merge: not worse than both): on to all instances."""
        assert self.fresh is not None
        mine = self._sum_on(self.fresh)
        if self.stage == "merge":
            parents = self.pool[self.fresh].parents
            good = mine >= max(self._sum_on(name) for name in parents)
        else:
            good = mine > self._sum_on(self.parent)
        if not good:
            self._forget()
            return
        self.stage = "full"
        if not self.evaluate([self.fresh], self._instances()):
            self._forget()
            self.stop("the budget for evaluations was used up")

    def _forget(self) -> None:
        """Drop the child, and what was to be found out about it."""
        self.fresh, self.cells = None, []
        self.pool.keep(self.accepted)

    def _sum_on(self, name: ResourcesHash) -> float:
        known = self.pool.contest[name].by_example
        return sum(known.get(row, 0.0) for row in self.rows)

    def _mean_on(self, name: ResourcesHash, rows: Sequence[ExampleId]) -> float:
        known = self.pool.contest[name].by_example
        return sum(known.get(row, 0.0) for row in rows) / max(1, len(rows))

    # --- merging

    def _merge(self) -> bool:
        """Two of the front with a common ancestor: each component from whoever changed it."""
        front = list(instance_front(self.pool.contest, self.accepted, self._instances()))
        for first, second in _pairs(front):
            ancestor = self._ancestor(first, second)
            if ancestor is None:
                continue
            values = self._combined(ancestor, first, second)
            made = Resources(values=values)
            if self.pool.knows(made):
                continue
            one, two = self.pool[first], self.pool[second]
            merged = child(one, made, origin="merge", others=[two], born=self.step)
            self.pool.add(merged)
            self.merged += 1
            self.fresh, self.stage = merged.hash, "merge"
            order = sorted(
                self._instances(), key=lambda row: uniform(self.seed, "merge", self.merged, row)
            )
            self.rows = order[:_MERGE_ROWS]
            if self.evaluate([merged.hash], self.rows):
                return True
            self._forget()
        return False

    def _ancestor(self, first: ResourcesHash, second: ResourcesHash) -> ResourcesHash | None:
        """The youngest that both descend from, where neither is the other's ancestor."""
        lines = [self._line(first), self._line(second)]
        if first in lines[1] or second in lines[0]:
            return None
        return next((name for name in lines[0] if name in lines[1]), None)

    def _line(self, name: ResourcesHash) -> list[ResourcesHash]:
        """Ancestors along first parents, the youngest first."""
        line: list[ResourcesHash] = []
        while self.pool[name].parents:
            name = self.pool[name].parents[0]
            line.append(name)
        return line

    def _combined(
        self, ancestor: ResourcesHash, first: ResourcesHash, second: ResourcesHash
    ) -> Mapping[str, Json]:
        base, one, two = (self.pool[name].resources.values for name in (ancestor, first, second))
        better = max((first, second), key=lambda name: self._mean_on(name, self._instances()))
        best = self.pool[better].resources.values
        values = dict(base)
        for target in self.targets:
            key = target.name
            if one[key] == base[key]:
                values[key] = two[key]
            elif two[key] == base[key]:
                values[key] = one[key]
            else:
                values[key] = best[key]
        return values


def _pairs(names: Sequence[ResourcesHash]) -> list[tuple[ResourcesHash, ResourcesHash]]:
    return [(first, second) for at, first in enumerate(names) for second in names[at + 1 :]]

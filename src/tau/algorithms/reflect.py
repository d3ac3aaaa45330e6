"""Reflective search: several rewrites per generation, screened on examples that bred none of them.

A generation is two waves. First the reflection model is shown failures of the leaders and writes
children. What a rewrite lost without a successor is put back, and what siblings learnt apart is
joined, by their lines. Then children and leaders meet on the same fresh block of examples. Their
failures there breed the next generation.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import Ge

from tau.algorithms.evidence import choose
from tau.algorithms.lines import restored
from tau.algorithms.pool import Candidate, child
from tau.algorithms.prompts import Unusable, edited, shown
from tau.algorithms.proposers import Draft
from tau.algorithms.search import Search, SearchSettings
from tau.algorithms.standing import strengths
from tau.domain.ids import ExampleId, ResourcesHash
from tau.domain.json import Json
from tau.domain.rollout import RolloutResult

_PRIOR_WEIGHT = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReflectSettings(SearchSettings):
    """`width` children per generation, `block` examples to screen them on.

    `leaders` are kept from generation to generation, `evidence` failures are shown at a time.
    """

    width: Annotated[int, Ge(1)] = 3
    block: Annotated[int, Ge(2)] = 8
    leaders: Annotated[int, Ge(1)] = 2
    evidence: Annotated[int, Ge(1)] = 8
    finalists: Annotated[int, Ge(2)] = 4


class Reflect(Search):
    """See the module."""

    name: ClassVar[str] = "reflect"
    Settings = ReflectSettings
    settings: ReflectSettings

    # --- the port of Search

    def least(self) -> int:
        return self.settings.block * (1 + 2 * 3)

    def begin(self) -> None:
        self.stage = "screen"
        self.generation = 0
        self.cursor = 0
        self.priors: dict[ResourcesHash, float] = {}
        self.leaders: list[ResourcesHash] = [self.pool.baseline]
        self.waiting: list[ResourcesHash] = []
        self._screen([])

    def advance(self, answers: Sequence[tuple[Draft, RolloutResult]]) -> None:
        fresh = self._children(self.read(answers, born=self.generation))
        if self.stage == "final":
            self._decide()
            return
        self.waiting += fresh
        if self.stage == "breed" and self.waiting:
            self._screen(self.waiting)
            self.waiting = []
            if self.cells:
                return
        if self.stage == "screen":
            self._rank()
        if not self.drafts and not self._breed():
            self._finish()

    def winner(self) -> ResourcesHash:
        return self.leaders[0]

    def memo(self) -> Json:
        return {
            "stage": self.stage,
            "generation": self.generation,
            "cursor": self.cursor,
            "priors": {str(name): value for name, value in self.priors.items()},
            "leaders": list(self.leaders),
            "waiting": list(self.waiting),
        }

    def load_memo(self, memo: Any) -> None:  # noqa: ANN401  (JSON)
        self.stage = str(memo["stage"])
        self.generation, self.cursor = int(memo["generation"]), int(memo["cursor"])
        self.priors = {ResourcesHash(str(k)): float(v) for k, v in memo["priors"].items()}
        self.leaders, self.waiting = list(memo["leaders"]), list(memo["waiting"])

    # --- a generation

    def _breed(self) -> bool:
        """Ask for children of the leaders; False where nothing more can be tried."""
        if self.budget_left < self._generation_cost() + self._final_cost():
            self.stop("the budget for evaluations was used up")
            return False
        self.generation += 1
        for number in range(self.settings.width):
            parent = self.pool[self.leaders[self._turn(number)]]
            target = self.targets[(self.generation + number) % len(self.targets)]
            failures = [one for one in self.pool.failures(parent.hash)]
            evidence = choose(
                failures, self.seed, self.generation, number, count=self.settings.evidence
            )
            if not evidence:
                continue
            seen = self.pool.table[parent.hash].n
            right = seen - len(failures)
            draft = self.proposers.reflect(parent, target, evidence, right=max(0, right), seen=seen)
            if not self.draft(draft):
                break
        if not self.drafts:
            self.stop("no proposals were left" if self.proposals_left < 1 else "nothing failed")
            return False
        self.stage = "breed"
        return True

    def _turn(self, number: int) -> int:
        """Which leader is a parent next: the first more often."""
        return min(number // 2, len(self.leaders) - 1) if number % 2 else 0

    def _children(self, made: Sequence[Candidate]) -> list[ResourcesHash]:
        """Take children in, what they lost put back, and the union of siblings."""
        fresh: list[Candidate] = []
        for one in made:
            repaired = self._edited(one, self.pool[one.parents[0]], restored) or one
            if self.pool.add(repaired):
                fresh.append(repaired)
        return [one.hash for one in fresh]

    def _edited(
        self, one: Candidate, parent: Candidate, merge: Callable[[str, str], str]
    ) -> Candidate | None:
        resources = one.resources
        for target in self.targets:
            before, after = shown(parent.resources, target), shown(resources, target)
            if before == after:
                continue
            try:
                resources = edited(
                    resources, target, merge(before, after), max_chars=self.settings.max_chars
                )
            except Unusable:
                return None
        return child(parent, resources, origin=one.origin, bred=one.bred, born=one.born)

    def _screen(self, fresh: Sequence[ResourcesHash]) -> None:
        rows = self._block()
        self.group = [*self.leaders, *fresh]
        self.stage = "screen"
        self.evaluate(self.group, rows)

    def _block(self) -> list[ExampleId]:
        order = [one.id for one in self.parts.breed]
        size = min(self.settings.block, len(order))
        rows = [order[(self.cursor + step) % len(order)] for step in range(size)]
        self.cursor = (self.cursor + size) % len(order)
        return rows

    def _rank(self) -> None:
        names = [name for name in self.pool.members]
        found = strengths(self.pool, names, self.priors, weight=_PRIOR_WEIGHT)
        ranked = sorted(names, key=lambda name: -round(found[name], 9))
        ranked = [name for name in ranked if name not in self.pool.gated] or [self.pool.baseline]
        self.leaders = ranked[: self.settings.leaders]
        finalists = ranked[: self.settings.finalists]
        self.pool.keep([*finalists, *self.waiting])
        self.priors = {name: found[name] for name in self.pool.members if name in found}

    # --- the end of the search

    def _generation_cost(self) -> int:
        return self.settings.block * (self.settings.width + len(self.leaders))

    def _final_cost(self) -> int:
        return len(self.parts.select) * 2

    def _finish(self) -> None:
        """The best few meet on rows that bred nobody; as many rows as can be paid."""
        self._rank()
        finalists = self._finalists()
        rows = [row.id for row in self.parts.select]
        self.stage = "final"
        self.round = 0
        self.evaluate(finalists, rows[: len(rows) // 2])
        if not self.cells:
            self._decide()

    def _finalists(self) -> list[ResourcesHash]:
        found = sorted(self.priors, key=lambda name: -round(self.priors[name], 9))
        return found[: self.settings.finalists]

    def _decide(self) -> None:
        self._rank()
        rows = [row.id for row in self.parts.select]
        self.evaluate(self._finalists()[:2], rows)

"""Reflective search: several rewrites per generation, screened on examples that bred none of them.

A generation is two waves. First the reflection model is shown failures of the leaders and writes
children. What a rewrite lost without a successor is put back, and what siblings learnt apart is
joined, by their lines. Then children and leaders meet on the same fresh block of examples. Their
failures there breed the next generation.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import Ge

from tau.algorithms.demonstrations import (
    demonstrable,
    instructive,
    right_answers,
    text_for_demonstrations,
    variants,
)
from tau.algorithms.evidence import Failure, deal
from tau.algorithms.lines import is_prose, joined, restored, rivals, topic, without
from tau.algorithms.pool import Candidate, child
from tau.algorithms.prompts import Unusable, edited, shown
from tau.algorithms.proposers import Draft
from tau.algorithms.search import Search
from tau.algorithms.settings import SearchSettings
from tau.algorithms.standing import shorter, strengths
from tau.domain.ids import ExampleId, ResourcesHash
from tau.domain.json import Json
from tau.domain.resources import Resources
from tau.domain.rollout import RolloutResult

_PRIOR_WEIGHT = 4.0
_FINAL_SHARE = 0.15
"""Of the evaluations, certification aside, for the best of all generations to meet at the end."""
_FINAL_SHARE_SHOWING = 0.3
"""The same where demonstrations join them, which nothing is known of before."""
_STAGNANT = 2
"""Generations without a new leader after which children are also made without a model."""
_MANY_PROPOSALS = 36
"""From here on a second leader pays: it keeps what the first one lacks."""
_FEWEST_ROWS = 6
_MOST_ROWS = 30
_MOST_SELECTING = 0.2
"""Of the evaluations, to see two finalists on all rows that only select."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReflectSettings(SearchSettings):
    """`width` children per generation, `block` examples to screen them on.

    `leaders` are kept from generation to generation, `evidence` failures are shown at a time, of
    the baseline twice as many. Without `block` and `leaders` they follow from the budget. The
    `finalists` meet at the end. Up to `demonstrations` rows of `optimize` with right answers are
    then tried below the best instruction, a quarter of them too: they cost no proposal, but make
    every call longer.
    """

    width: Annotated[int, Ge(1)] = 3
    block: Annotated[int, Ge(2)] | None = None
    leaders: Annotated[int, Ge(1)] | None = None
    evidence: Annotated[int, Ge(1)] = 8
    finalists: Annotated[int, Ge(2)] = 6
    demonstrations: Annotated[int, Ge(0)] = 0


class Reflect(Search):
    """See the module."""

    name: ClassVar[str] = "reflect"
    Settings = ReflectSettings
    evaluations_per_proposal: ClassVar[int] = 34
    settings: ReflectSettings

    # --- the port of Search

    def least(self) -> int:
        """The baseline, one generation beside it, and the choice at the end."""
        rows = self.settings.block or _FEWEST_ROWS
        return rows * (2 + 1 + self.settings.width) + self._final_cost()

    def begin(self) -> None:
        many = self.allowed.proposals >= _MANY_PROPOSALS
        self.kept = self.settings.leaders or (2 if many else 1)
        self.block = self.settings.block or self._planned_block()
        self.generation = self.cursor = self.since = self.heats = 0
        self.priors: dict[ResourcesHash, float] = {}
        self.leaders: list[ResourcesHash] = [self.pool.baseline]
        self.answers: dict[ExampleId, str] = {}
        self.shown = self.settings.demonstrations
        if self.shown:
            text_for_demonstrations(self.targets, "algorithm.demonstrations")
        self.waiting: list[ResourcesHash] = []
        self._study()

    def advance(self, answers: Sequence[tuple[Draft, RolloutResult]]) -> None:
        fresh = self._children(self.read(answers, born=self.generation))
        if self.stage == "final":
            self._rank()
            self._meet()
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

    def observe(self, results: Sequence[RolloutResult]) -> None:
        """Keep answers that can be shown, as long as more are of use."""
        if len(self.answers) < self.settings.demonstrations:
            found = right_answers(results)
            self.answers |= {row: found[row] for row in found if row in self.proposers.examples}

    def ranked(self) -> Sequence[ResourcesHash]:
        return [*self.leaders, *self._finalists()]

    def memo(self) -> Json:
        return {
            "stage": self.stage,
            "generation": self.generation,
            "cursor": self.cursor,
            "since": self.since,
            "heats": self.heats,
            "answers": {str(row): text for row, text in self.answers.items()},
            "priors": {str(name): value for name, value in self.priors.items()},
            "leaders": list(self.leaders),
            "waiting": list(self.waiting),
        }

    def load_memo(self, memo: Any) -> None:  # noqa: ANN401  (JSON)
        self.stage = str(memo["stage"])
        self.generation, self.cursor = int(memo["generation"]), int(memo["cursor"])
        self.answers = {ExampleId(row): str(text) for row, text in memo["answers"].items()}
        self.since, self.heats = int(memo["since"]), int(memo["heats"])
        self.priors = {ResourcesHash(str(k)): float(v) for k, v in memo["priors"].items()}
        self.leaders, self.waiting = list(memo["leaders"]), list(memo["waiting"])

    # --- a generation

    def _breed(self) -> bool:
        """Ask for children of the leaders; False where nothing more can be tried."""
        if self.budget_left < self._generation_cost() + self._final_cost(self.certification.cost):
            self.stop("the budget for evaluations was used up")
            return False
        self.generation += 1
        hands = self._hands()
        for number in range(self.settings.width):
            draft = self._draft(number, hands)
            if draft is not None and not self.draft(draft):
                break
        if self.drafts:
            self.stage = "breed"
            return True
        if self.proposals_left < 1:
            self.stop("no proposals were left")
            return False
        self._screen([])  # everything was right: look at more examples
        if not self.cells:
            self.stop(self.pool.exhausted("nothing failed any more"))
        return bool(self.cells)

    def _hands(self) -> dict[ResourcesHash, list[tuple[Failure, ...]]]:
        """Failures of each parent of this generation, other ones for each of its children."""
        turns = Counter(self.leaders[self._turn(n)] for n in range(self.settings.width))
        return {
            name: deal(
                self.pool.failures(name),
                self.seed,
                self.generation,
                hands=hands,
                count=self.settings.evidence * (2 if self.generation == 1 else 1),
            )
            for name, hands in turns.items()
        }

    def _study(self) -> None:
        """Begin with failures of the baseline, enough for all children of the first generation."""
        self.stage = "screen"
        self.group = [self.pool.baseline]
        self.evaluate(self.group, self._block(2 * self.block))

    def _draft(
        self, number: int, hands: Mapping[ResourcesHash, list[tuple[Failure, ...]]]
    ) -> Draft | None:
        """Question `number` of this generation; None where its parent did everything right."""
        parent = self.pool[self.leaders[self._turn(number)]]
        target = self.targets[(self.generation + number) % len(self.targets)]
        if number and number == self.settings.width - 1 and self._stagnant():
            other = self._complement(parent)
            if other is not None and is_prose(shown(parent.resources, target)):
                return self.proposers.crossover(parent, other, target)
        evidence = hands[parent.hash].pop(0)
        if not evidence:
            return None
        right, seen = self.pool.right(parent.hash)
        return self.proposers.reflect(parent, target, evidence, right=right, seen=seen)

    def _turn(self, number: int) -> int:
        """Which leader is a parent next: the first more often."""
        return min(number // 2, len(self.leaders) - 1) if number % 2 else 0

    def _children(self, made: Sequence[Candidate]) -> list[ResourcesHash]:
        """Take children in, with what they lost put back."""
        fresh = []
        for one in made:
            parent = self.pool[one.parents[0]]
            texts = {
                target.name: restored(before, after)
                for target in self.targets
                if (before := shown(parent.resources, target))
                != (after := shown(one.resources, target))
            }
            whole = self._rewritten(one, texts)
            taken = one
            if whole is not None and whole.hash != one.hash:
                taken = child(parent, whole, origin=one.origin, bred=one.bred, born=one.born)
            if self.pool.add(taken):
                fresh.append(taken.hash)
        return fresh

    def _free_child(self, fresh: Sequence[ResourcesHash]) -> list[ResourcesHash]:
        """A child that costs no proposal: two complementary parents joined, or a line less."""
        if not fresh or not self._stagnant():
            return []
        leader = self.pool[self.leaders[0]]
        made = self._merged(leader) if self.generation % 2 else self._tidied(leader)
        return [made.hash] if made is not None and self.pool.add(made) else []

    def _stagnant(self) -> bool:
        return self.generation - self.since >= _STAGNANT

    def _complement(self, leader: Candidate) -> Candidate | None:
        """Who is right most often where the leader is not; twice at least."""
        scores = self.pool.table[leader.hash].by_example
        weak = [row for row, score in scores.items() if score < 1]
        found, most = None, 1
        for name, one in self.pool.members.items():
            if name in (leader.hash, self.pool.baseline) or name in self.pool.gated:
                continue
            known = self.pool.table[name].by_example
            better = sum(known.get(row, 0.0) > scores[row] for row in weak)
            if better > most:
                found, most = one, better
        return found

    def _merged(self, leader: Candidate) -> Candidate | None:
        """The leader with the lines of whoever is best where it fails."""
        other = self._complement(leader)
        if other is None:
            return None
        texts = {
            target.name: joined(shown(leader.resources, target), shown(other.resources, target))
            for target in self.targets
        }
        made = self._rewritten(leader, texts)
        if made is None:
            return None
        return child(leader, made, origin="merge", others=[other], born=self.generation)

    def _tidied(self, leader: Candidate) -> Candidate | None:
        """The leader without one of two lines about the same thing, where something still fails."""
        told = frozenset().union(*(topic(one.feedback) for one in self.pool.failures(leader.hash)))
        for target in self.targets:
            text = shown(leader.resources, target)
            doubtful = [
                line
                for pair in rivals(text)
                if all(topic(one) & told for one in pair)
                for line in pair
            ]
            for line in doubtful:
                made = self._rewritten(leader, {target.name: without(text, line)})
                if made is not None and not self.pool.knows(made):
                    return child(leader, made, origin="tidy", born=self.generation)
        return None

    def _rewritten(self, parent: Candidate, texts: Mapping[str, str]) -> Resources | None:
        resources = parent.resources
        for target in self.targets:
            if target.name not in texts:
                continue
            try:
                resources = edited(
                    resources, target, texts[target.name], max_chars=self.settings.max_chars
                )
            except Unusable:
                return None
        return resources

    def _screen(self, fresh: Sequence[ResourcesHash]) -> None:
        rows = self._block(self.block)
        self.group = [*self.leaders, *fresh, *self._free_child(fresh)]
        self.stage = "screen"
        self.evaluate(self.group, rows)

    def _block(self, size: int) -> list[ExampleId]:
        order = [one.id for one in self.parts.breed]
        size = min(size, len(order))
        rows = [order[(self.cursor + step) % len(order)] for step in range(size)]
        self.cursor = (self.cursor + size) % len(order)
        return rows

    def _rank(self) -> None:
        table = self.pool.table
        names = [one for one in self.pool.members if table[one].n or one == self.pool.baseline]
        found = strengths(self.pool, names, self.priors, weight=_PRIOR_WEIGHT)
        ranked = sorted(names, key=lambda name: -round(found[name], 9))
        ranked = [name for name in ranked if name not in self.pool.gated] or [self.pool.baseline]
        if ranked[0] != self.leaders[0]:
            self.since = self.generation
        self.leaders = ranked[: self.kept]
        finalists = ranked[: self.settings.finalists]
        self.pool.keep([*finalists, *self.waiting])
        self.priors = {name: found[name] for name in self.pool.members if name in found}

    def _planned_block(self) -> int:
        """As many rows as let the proposals and the evaluations end together."""
        generations = max(1, -(-self.allowed.proposals // self.settings.width))
        each = (self.budget_left - self._final_cost(self.certification.cost)) // (generations + 1)
        rows = each // (self.settings.width + self.kept)
        return max(_FEWEST_ROWS, min(_MOST_ROWS, rows))

    # --- the end of the search

    def _generation_cost(self) -> int:
        return self.block * (self.settings.width + len(self.leaders))

    def _final_cost(self, certification: int = 0) -> int:
        """No less than two finalists on all that only selects, no more than there are rows for."""
        evaluations, rows = self.allowed.evaluations, len(self.parts.select + self.parts.breed)
        share = _FINAL_SHARE_SHOWING if self.settings.demonstrations else _FINAL_SHARE
        wanted = min(share * (evaluations - certification), rows * self.settings.finalists / 2)
        least = min(2 * len(self.parts.select), _MOST_SELECTING * evaluations)
        return round(max(wanted, least))

    def _finish(self) -> None:
        self._rank()
        self.stage = "final"
        names = self._finalists()
        if self.settings.demonstrations:
            names = [names[0], *self._demonstrating(self.pool[names[0]])]
        self.pool.keep(names)
        self._meet()

    def _demonstrating(self, leader: Candidate) -> list[ResourcesHash]:
        """What demonstrations below the leader and below the baseline make."""
        made = variants(
            leader,
            self.pool[self.pool.baseline],
            text_for_demonstrations(self.targets, "algorithm.demonstrations"),
            instructive(
                demonstrable(self.parts.breed, self.answers),
                self.pool.failures(leader.hash),
                self.seed,
            ),
            most=self.settings.demonstrations,
            max_chars=self.settings.max_chars,
            born=self.generation,
        )
        fresh = [one.hash for one in made if self.pool.add(one)]
        self.priors |= dict.fromkeys(fresh, self.priors[leader.hash])
        return fresh

    def _meet(self) -> None:
        """The best meet on rows that bred none of them; half of them go on, until 2 have met."""
        while not self.cells:
            names = self._finalists()
            left = max(1, math.ceil(math.log2(len(names)))) - self.heats
            if left < 1 or len(names) < 2:
                self.leaders = [shorter(self.pool, names[:2], margin=self.settings.effect)]
                return
            names = names[: max(2, math.ceil(len(names) / 2**self.heats))]
            self.heats += 1
            rows = self._unseen(names)
            self.evaluate(names, rows[: self.budget_left // left // len(names)])

    def _unseen(self, names: Sequence[ResourcesHash]) -> list[ExampleId]:
        """Rows that tell something new of all of them, those that only select first."""
        rows = [row.id for row in (*self.parts.select, *self.parts.breed)]
        bred = frozenset().union(*(self.pool[name].bred for name in names))
        known = [self.pool.table[name].by_example for name in names]
        return [row for row in rows if row not in bred and not all(row in one for one in known)]

    def _finalists(self) -> list[ResourcesHash]:
        known = [name for name in self.pool.members if name in self.priors]
        known = [name for name in known if name not in self.pool.gated]
        ranked = sorted(known, key=lambda name: -round(self.priors[name], 9))
        return ranked[: self.settings.finalists] or [self.pool.baseline]

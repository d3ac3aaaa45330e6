"""Demonstrations: examples with right answers in the prompt, searched together with instructions.

Demonstrations come from rows with an expected answer, and from what the baseline itself got right.
Sets of them are put below instructions (the given one, and some rewritten by a model that is shown
failures of it), and meet by halving on rows that are in none of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import Ge

from tau.algorithms.demonstrations import (
    HEADING,
    Demonstration,
    demonstrable,
    demonstrating,
    instructive,
    right_answers,
    text_for_demonstrations,
)
from tau.algorithms.evidence import deal
from tau.algorithms.heat import Heat, ids
from tau.algorithms.proposers import Draft
from tau.algorithms.search import Search
from tau.algorithms.settings import SearchSettings
from tau.domain.draws import uniform
from tau.domain.ids import ExampleId, ResourcesHash
from tau.domain.json import Json
from tau.domain.rollout import RolloutResult


@dataclass(frozen=True, slots=True, kw_only=True)
class FewShotSettings(SearchSettings):
    """`sets` sets of up to `shots` demonstrations, under up to `instructions` further instructions.

    The baseline runs on `bootstrap` rows first: for its right answers, and for the failures that
    further instructions are made of. `heading` stands above the demonstrations.
    """

    sets: Annotated[int, Ge(1)] = 8
    shots: Annotated[int, Ge(1)] = 4
    instructions: Annotated[int, Ge(0)] = 4
    bootstrap: Annotated[int, Ge(0)] = 24
    heading: str = HEADING


class FewShot(Search):
    """See the module."""

    name: ClassVar[str] = "few_shot"
    Settings = FewShotSettings
    settings: FewShotSettings

    def least(self) -> int:
        return 4 * (self.settings.sets + 1)

    def begin(self) -> None:
        self.shown = self.settings.shots
        self.target = text_for_demonstrations(self.targets, "algorithm.targets")
        self.answers: dict[ExampleId, str] = {}
        self.heat: Heat | None = None
        self.rows: list[ExampleId] = []
        self.evaluate([self.pool.baseline], ids(self.parts.breed)[: self.settings.bootstrap])
        if not self.cells:
            self._instruct()

    def observe(self, results: Sequence[RolloutResult]) -> None:
        """Keep what the baseline got right, as long as demonstrations are being gathered."""
        if self.heat is None:
            self.answers |= right_answers(results)

    def advance(self, answers: Sequence[tuple[Draft, RolloutResult]]) -> None:
        if self.heat is not None:
            self._go_on(self.heat)
            return
        if not answers:
            self._instruct()
            return
        for one in self.read(answers, born=1):
            self.pool.add(one)
        if not self.drafts:
            self._begin_heat()

    def ranked(self) -> Sequence[ResourcesHash]:
        return () if self.heat is None else self.heat.standing.alive

    def memo(self) -> Json:
        answers = {str(row): text for row, text in self.answers.items()}
        heat = None if self.heat is None else self.heat.to_json()
        return {"answers": answers, "heat": heat, "rows": list(self.rows)}

    def load_memo(self, memo: Any) -> None:  # noqa: ANN401  (JSON)
        self.answers = {ExampleId(row): str(text) for row, text in memo["answers"].items()}
        self.rows = [ExampleId(row) for row in memo["rows"]]
        self.heat = Heat.from_json(memo["heat"], self.rows)

    # --- candidates

    def _instruct(self) -> None:
        """Ask for instructions, each from other failures; for paraphrases where nothing failed."""
        baseline = self.pool[self.pool.baseline]
        failures = self.pool.failures(baseline.hash)
        right, seen = self.pool.right(baseline.hash)
        wanted = self.settings.instructions
        for evidence in deal(failures, self.seed, "instructions", hands=wanted):
            if not evidence:
                self.draft(self.proposers.paraphrase(baseline, self.target))
                continue
            self.draft(
                self.proposers.reflect(baseline, self.target, evidence, right=right, seen=seen)
            )
        if not self.drafts:
            self._begin_heat()

    def _begin_heat(self) -> None:
        bases = list(self.pool.members.values())
        for number in range(self.settings.sets):
            made = demonstrating(
                bases[number % len(bases)],
                self.target,
                self._set(number)[: self.settings.shots],
                max_chars=self.settings.max_chars,
                heading=self.settings.heading,
                born=1,
            )
            if made is not None:
                self.pool.add(made)
        names = list(self.pool.members)
        bred = frozenset().union(*(self.pool[name].bred for name in names))
        rows = ids((*self.parts.select, *self.parts.breed))
        self.rows = [row for row in rows if row not in bred] or rows
        budget = min(self.budget_left, len(names) * len(self.rows))
        self.heat = Heat.halving(names, self.rows, budget)
        if self.heat is None:
            self.stop("nothing could be made of the examples")
        else:
            self._go_on(self.heat)

    def _set(self, number: int) -> list[Demonstration]:
        """Rows for set `number`: first those that failed, every second time those drawn."""
        known = demonstrable(self.parts.breed, self.answers)
        known.sort(key=lambda one: uniform(self.seed, "shots", number, one.example.id))
        if number % 2:
            return known
        failures = self.pool.failures(self.pool.baseline)
        return instructive(known, failures, self.seed, number)

    # --- the contest

    def _go_on(self, heat: Heat) -> None:
        self.heat = heat = heat.advanced(self.pool.contest)
        for name, row in heat.due(self.pool.contest):
            self.evaluate([name], [row])
        if not self.cells:
            self.heat = heat.stopped(self.pool.contest)
            self.stop(f"the halving ended: {self.heat.standing.reason}")

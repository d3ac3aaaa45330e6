"""Demonstrations: examples with right answers in the prompt, searched together with instructions.

For metrics without feedback text. Demonstrations come from rows with an expected answer, and from
what the baseline itself got right; sets of them are drawn by hash, put below instructions (the
given one and some rewritten by a model), and meet by halving.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import Ge

from tau.algorithms.heat import Heat, ids
from tau.algorithms.pool import Candidate, child
from tau.algorithms.prompts import Target, Unusable, edited, shown
from tau.algorithms.proposers import Draft
from tau.algorithms.search import Search
from tau.algorithms.settings import SearchSettings
from tau.domain.dataset import Example
from tau.domain.draws import uniform
from tau.domain.ids import ExampleId, ResourcesHash
from tau.domain.json import Json
from tau.domain.placeholders import PLACEHOLDER, placeholders
from tau.domain.rollout import RolloutResult
from tau.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class FewShotSettings(SearchSettings):
    """`sets` sets of up to `shots` demonstrations, under up to `instructions` further instructions.

    `heading` stands above the demonstrations.
    """

    sets: Annotated[int, Ge(1)] = 8
    shots: Annotated[int, Ge(1)] = 4
    instructions: Annotated[int, Ge(0)] = 2
    bootstrap: Annotated[int, Ge(0)] = 16
    heading: str = "Examples:"


class FewShot(Search):
    """See the module."""

    name: ClassVar[str] = "few_shot"
    Settings = FewShotSettings
    settings: FewShotSettings

    def least(self) -> int:
        return 4 * (self.settings.sets + 1)

    def begin(self) -> None:
        self.target = self._only_text()
        self.answers: dict[ExampleId, str] = {}
        self.heat: Heat | None = None
        rows = ids(self.parts.breed)[: self.settings.bootstrap]
        self.evaluate([self.pool.baseline], rows)
        baseline = self.pool[self.pool.baseline]
        for _ in range(self.settings.instructions):
            self.draft(self.proposers.paraphrase(baseline, self.target))
        if not self.cells and not self.drafts:
            self._begin_heat([])

    def observe(self, results: Sequence[RolloutResult]) -> None:
        """Keep what the baseline got right, as long as demonstrations are being gathered."""
        if self.heat is not None:
            return
        for one in results:
            example = one.request.example
            if example is not None and one.output is not None and (one.score or 0) >= 1:
                self.answers[example.id] = one.output.text

    def advance(self, answers: Sequence[tuple[Draft, RolloutResult]]) -> None:
        if self.heat is not None:
            self._go_on(self.heat)
            return
        for one in self.read(answers, born=1):
            self.pool.add(one)
        if not self.drafts:
            self._begin_heat([one for one in self.pool.members if one != self.pool.baseline])

    def winner(self) -> ResourcesHash:
        return self.pool.baseline if self.heat is None else self.heat.standing.leader

    def memo(self) -> Json:
        answers = {str(row): text for row, text in self.answers.items()}
        heat = None if self.heat is None else self.heat.to_json()
        return {"answers": answers, "heat": heat}

    def load_memo(self, memo: Any) -> None:  # noqa: ANN401  (JSON)
        self.answers = {ExampleId(row): str(text) for row, text in memo["answers"].items()}
        self.heat = Heat.from_json(memo["heat"], self._rows())

    # --- candidates

    def _only_text(self) -> Target:
        texts = [target for target in self.targets if target.roles is None]
        if not texts:
            raise InputError(
                "there is no text to put demonstrations into",
                where="algorithm.targets",
                fix="few_shot needs a prompt that is a text, not a list of chat messages",
            )
        return texts[0]

    def _begin_heat(self, instructions: Sequence[ResourcesHash]) -> None:
        bases = [self.pool[name] for name in (self.pool.baseline, *instructions)]
        for number in range(self.settings.sets):
            self._add(bases[number % len(bases)], self._demonstrations(number))
        names = list(self.pool.members)
        rows = self._rows()
        self.heat = Heat.halving(names, rows, min(self.budget_left, len(names) * len(rows)))
        if self.heat is None:
            self.stop("nothing could be made of the examples")
        else:
            self._go_on(self.heat)

    def _demonstrations(self, number: int) -> list[tuple[Example, str]]:
        """Rows with their answers, drawn for set `number`."""
        known = []
        for example in self.parts.breed:
            expected = example.expected
            answer = expected if isinstance(expected, str) else self.answers.get(example.id)
            if answer is not None and example.prompt is not None and _plain(example.prompt, answer):
                known.append((example, answer))
        known.sort(key=lambda one: uniform(self.seed, "shots", number, one[0].id))
        return known[: self.settings.shots]

    def _add(self, base: Candidate, demonstrations: Sequence[tuple[Example, str]]) -> None:
        if not demonstrations:
            return
        told = "\n\n".join(
            f"Input: {_escaped(example.prompt or '')}\nOutput: {_escaped(answer)}"
            for example, answer in demonstrations
        )
        text = f"{shown(base.resources, self.target)}\n\n{self.settings.heading}\n\n{told}"
        try:
            resources = edited(base.resources, self.target, text, max_chars=self.settings.max_chars)
        except Unusable:
            return
        bred = [example.id for example, _ in demonstrations]
        self.pool.add(child(base, resources, origin="few_shot", bred=bred, born=1))

    # --- the contest

    def _rows(self) -> list[ExampleId]:
        return ids(self.parts.select or self.parts.breed)

    def _go_on(self, heat: Heat) -> None:
        self.heat = heat = heat.advanced(self.pool.table)
        for name, row in heat.due(self.pool.table):
            self.evaluate([name], [row])
        if not self.cells:
            self.heat = heat.stopped(self.pool.table)
            self.stop(f"the halving ended: {self.heat.standing.reason}")


def _plain(*texts: str) -> bool:
    """Whether braces in them can be told from placeholders once escaped."""
    return not any(f"{{{{{name}" in text for text in texts for name in placeholders(text))


def _escaped(text: str) -> str:
    """`{name}` as text, not as a placeholder."""
    return PLACEHOLDER.sub(
        lambda match: f"{{{{{match['name']}}}}}" if match["name"] else match[0], text
    )

"""Textual gradients and a beam (R. Pryzant et al., ProTeGi, EMNLP 2023).

A round: every prompt of the beam runs on a minibatch; its failures are criticised; each critique
becomes an edit, and edits are paraphrased; all of them and the beam itself meet by halving, and
the best form the next beam. Parents stay in the beam, so what is kept never gets worse by a round.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from annotated_types import Ge

from tau.algorithms.evidence import Failure, choose
from tau.algorithms.fences import whole
from tau.algorithms.heat import Heat, ids
from tau.algorithms.prompts import Unusable
from tau.algorithms.proposers import Draft
from tau.algorithms.search import Search
from tau.algorithms.settings import SearchSettings
from tau.domain.draws import uniform
from tau.domain.ids import ExampleId, ResourcesHash
from tau.domain.json import Json
from tau.domain.rollout import RolloutResult


@dataclass(frozen=True, slots=True, kw_only=True)
class ApoSettings(SearchSettings):
    """`gradients` critiques per prompt of the `beam`, `paraphrases` of each edit, `rounds` times.

    `minibatch` examples are run per prompt and round to find failures, `evidence` of them shown.
    """

    rounds: Annotated[int, Ge(1)] = 3
    beam: Annotated[int, Ge(1)] = 3
    gradients: Annotated[int, Ge(1)] = 2
    paraphrases: Annotated[int, Ge(0)] = 1
    minibatch: Annotated[int, Ge(2)] = 16
    evidence: Annotated[int, Ge(1)] = 4


class Apo(Search):
    """See the module."""

    name: ClassVar[str] = "apo"
    least_proposals: ClassVar[int] = 2
    """A critique and an edit."""
    Settings = ApoSettings
    settings: ApoSettings

    def least(self) -> int:
        return self.settings.minibatch + 3 * self.settings.beam

    def begin(self) -> None:
        self.round = 0
        self.beam: list[ResourcesHash] = [self.pool.baseline]
        self.fresh: list[ResourcesHash] = []
        self.heat: Heat | None = None
        self._measure()

    def advance(self, answers: Sequence[tuple[Draft, RolloutResult]]) -> None:
        if self.heat is not None:
            self._rate(self.heat)
        elif self.stage == "measure":
            self._criticise()
        else:
            self._take(answers)
        if not (self.cells or self.drafts or self.stop_reason):
            self._begin_heat()

    def ranked(self) -> Sequence[ResourcesHash]:
        return self.beam

    def memo(self) -> Json:
        return {
            "stage": self.stage,
            "round": self.round,
            "beam": list(self.beam),
            "fresh": list(self.fresh),
            "heat": None if self.heat is None else self.heat.to_json(),
        }

    def load_memo(self, memo: Any) -> None:  # noqa: ANN401  (JSON)
        self.stage, self.round = str(memo["stage"]), int(memo["round"])
        self.beam, self.fresh = list(memo["beam"]), list(memo["fresh"])
        self.heat = Heat.from_json(memo["heat"], self._rating_rows())

    # --- a round

    def _measure(self) -> None:
        """Run the beam on a fresh minibatch."""
        self.round += 1
        self.stage = "measure"
        self.evaluate(self.beam, self._minibatch())

    def _minibatch(self) -> list[ExampleId]:
        rows = ids(self.parts.breed)
        rows.sort(key=lambda row: uniform(self.seed, "minibatch", self.round, row))
        return rows[: self.settings.minibatch]

    def _criticise(self) -> None:
        self.stage = "propose"
        for name in self.beam:
            for number in range(self.settings.gradients):
                evidence = self._evidence(name, number)
                target = self.targets[(self.round + number) % len(self.targets)]
                if evidence and self.proposals_left >= 2 + len(self.drafts):  # and its edit
                    self.draft(self.proposers.critique(self.pool[name], target, evidence))

    def _evidence(self, name: ResourcesHash, number: int) -> tuple[Failure, ...]:
        recent = set(self._minibatch())
        failures = [one for one in self.pool.failures(name) if one.example in recent]
        return choose(failures, self.seed, self.round, number, count=self.settings.evidence)

    def _take(self, answers: Sequence[tuple[Draft, RolloutResult]]) -> None:
        """Critiques become edits, edits are paraphrased; all of them are candidates."""
        asked = [one for one in answers if one[0].strategy != "critique"]
        for made in self.read(asked, born=self.round):
            if not self.pool.add(made):
                continue
            self.fresh.append(made.hash)
            if made.origin == "edit":
                target = next(
                    one
                    for one in self.targets
                    if made.resources.values[one.name]
                    != self.pool[made.parents[0]].resources.values[one.name]
                )
                for _ in range(self.settings.paraphrases):
                    self.draft(self.proposers.paraphrase(made, target))
        for draft, result in answers:
            if draft.strategy == "critique":
                self._edit(draft, result)

    def _edit(self, draft: Draft, result: RolloutResult) -> None:
        parent = self.pool.members.get(draft.parents[0])
        if result.output is None or parent is None:
            why = "its parent is gone" if result.failure is None else result.failure.message
            self.refusals.refuse(result, why, lost=True)
            return
        try:
            text = whole(result.output).strip()
        except Unusable as error:
            self.refusals.refuse(result, f"the critique: {error}", lost=True)
            return
        shown = [one for one in self.pool.failures(parent.hash) if one.example in draft.bred]
        target = self.proposers.targets[draft.target]
        self.draft(self.proposers.edit(parent, target, shown, text))

    # --- which of them stay

    def _rating_rows(self) -> list[ExampleId]:
        """Where there are rows that breed nobody, only those."""
        return ids(self.parts.select or self.parts.breed)

    def _begin_heat(self) -> None:
        names = [*self.beam, *self.fresh]
        if not self.fresh:
            self.stop("no usable proposals were left")
            return
        rounds_left = self.settings.rounds - self.round + 1
        share = self.budget_left // rounds_left
        rows = self._rating_rows()
        self.heat = Heat.halving(names, rows, min(share, len(names) * len(rows)))
        if self.heat is None:
            self.stop("the budget for evaluations was used up")
        else:
            self._rate(self.heat)

    def _rate(self, heat: Heat) -> None:
        self.heat = heat = heat.advanced(self.pool.contest)
        for name, row in heat.due(self.pool.contest):
            self.evaluate([name], [row])
        if self.cells:
            return
        heat = heat.stopped(self.pool.contest)
        alive = [name for name in heat.standing.alive if name not in self.pool.gated]
        others = [name for name in self.beam if name not in alive]
        self.beam = [*alive, *others][: self.settings.beam] or [self.pool.baseline]
        self.fresh, self.heat = [], None
        self.pool.keep(self.beam)
        if self.round >= self.settings.rounds:
            self.stop("all rounds were done")
        elif self.proposals_left < 2:
            self.stop("no proposals were left")
        else:
            self._measure()
            if not self.cells:
                self._criticise()

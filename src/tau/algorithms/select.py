"""The best of prompts that the user brings, by halving or by racing; no model writes anything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Gt, Le, Lt

from tau.algorithms.heat import Heat, ids
from tau.algorithms.pool import child
from tau.algorithms.prompts import Unusable, replaced
from tau.algorithms.proposers import Draft
from tau.algorithms.search import Search
from tau.algorithms.settings import SearchSettings
from tau.domain.dataset import content_of
from tau.domain.ids import ExampleId, ResourcesHash
from tau.domain.json import Json
from tau.domain.resources import Resources
from tau.domain.rollout import RolloutResult
from tau.errors import InputError
from tau.scoring.contested import contested_first

_RACE_ALPHA = 0.2
"""Generous: the claim is certified afterwards."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectSettings(SearchSettings):
    """`prompts` compete with the given resources: texts for the one target, or objects by name.

    `halving` spends a fixed budget, `race` drops a prompt as soon as one that leads is proved to be
    better, looking after each `block`, and ends when no one left is better by `tolerance`.
    Either may use a `share` of what it would take to run all prompts on all rows. With the `order`
    `contested`, halving takes those rows first on which other prompts, in earlier runs of the store
    with the same model and graders, came out differently; where there are none, and with `hashed`,
    rows come in an order by chance.
    """

    prompts: tuple[str | Mapping[str, Json], ...] = field(default=())
    method: Literal["halving", "race"] = "halving"
    block: Annotated[int, Ge(1)] = 10
    tolerance: Annotated[float, Ge(0), Lt(1)] = 0.02
    share: Annotated[float, Gt(0), Le(1)] = 1.0
    order: Literal["contested", "hashed"] = "contested"


class Select(Search):
    """See the module."""

    name: ClassVar[str] = "select"
    Settings = SelectSettings
    least_proposals: ClassVar[int] = 0
    uses_earlier: ClassVar[bool] = True
    settings: SelectSettings
    rows: tuple[ExampleId, ...]

    def least(self) -> int:
        return 1 + len(self.settings.prompts)

    def begin(self) -> None:
        baseline = self.pool[self.pool.baseline]
        for number, prompt in enumerate(self.settings.prompts):
            self.pool.add(child(baseline, self._resources(prompt, number), origin="given", born=0))
        names = list(self.pool.members)
        if len(names) < 2:
            raise InputError(
                "there is nothing to select from",
                where="algorithm.prompts",
                fix="give prompts that differ from the resources and from each other",
            )
        self.rows = self._ordered()
        budget = min(self.budget_left, len(names) * len(self.rows))
        budget = max(len(names), round(budget * self.settings.share))
        if self.settings.method == "halving":
            self.heat = Heat.halving(names, self.rows, budget)
        else:
            self.heat = Heat.race(
                names,
                self.rows,
                budget,
                block=self.settings.block,
                tolerance=self.settings.tolerance,
                alpha=_RACE_ALPHA,
            )
        self._go_on()

    def advance(self, answers: Sequence[tuple[Draft, RolloutResult]]) -> None:
        self._go_on()

    def ranked(self) -> Sequence[ResourcesHash]:
        return () if self.heat is None else self.heat.standing.alive

    def memo(self) -> Json:
        place = {row: number for number, row in enumerate(self._all_rows())}
        return {
            "heat": None if self.heat is None else self.heat.to_json(),
            "rows": [place[row] for row in self.rows],
        }

    def load_memo(self, memo: Any) -> None:  # noqa: ANN401  (JSON)
        """The order is that of the beginning, whatever has become of earlier runs since."""
        rows = self._all_rows()
        self.rows = tuple(rows[place] for place in memo["rows"])
        self.heat = Heat.from_json(memo["heat"], self.rows)

    def _all_rows(self) -> list[ExampleId]:
        """Nothing is bred here, so every row that does not certify selects."""
        return ids((*self.parts.breed, *self.parts.select))

    def _ordered(self) -> tuple[ExampleId, ...]:
        """Racing needs an order by chance for its guarantee, halving does not.

        Scores of those who compete are left out: a row that one of them failed would come first,
        and be held against that one alone.
        """
        rows = self._all_rows()
        if self.settings.method == "race" or self.settings.order == "hashed":
            return tuple(rows)
        earlier = self.problem.earlier
        return contested_first(
            rows,
            {
                row: [
                    score
                    for name, score in earlier.get(content_of(row), {}).items()
                    if name not in self.pool.members
                ]
                for row in rows
            },
        )

    def _go_on(self) -> None:
        if self.heat is None:
            return
        self.heat = self.heat.advanced(self.pool.contest)
        by_row: dict[ExampleId, list[ResourcesHash]] = {}
        for name, row in self.heat.due(self.pool.contest):
            by_row.setdefault(row, []).append(name)
        for row, names in by_row.items():
            if not self.evaluate(names, [row]):
                break
        if not self.cells:
            self.heat = self.heat.stopped(self.pool.contest)
            after = "" if list(self.rows) == self._all_rows() else ", contested rows first"
            self.stop(f"the {self.settings.method} ended: {self.heat.standing.reason}{after}")

    def _resources(self, prompt: str | Mapping[str, Json], number: int) -> Resources:
        where = f"algorithm.prompts[{number}]"
        baseline = self.problem.seed_resources
        if isinstance(prompt, str):
            if len(self.targets) > 1:
                raise InputError(
                    "a text does not say which of several prompts it is",
                    where=where,
                    fix='write an object, as {"system_prompt": "..."}, or set algorithm.targets',
                )
            try:
                return replaced(
                    baseline, self.targets[0], prompt, max_chars=self.settings.max_chars
                )
            except Unusable as error:
                raise InputError(
                    "this prompt cannot take part", where=where, why=str(error)
                ) from error
        unknown = sorted(set(prompt) - set(baseline.values))
        if unknown:
            raise InputError(
                f"there is no resource '{unknown[0]}'",
                where=where,
                fix=f"known: {', '.join(sorted(baseline.values))}",
            )
        return Resources(values={**baseline.values, **prompt}, parent=baseline.hash)

"""The best of prompts that the user brings, by halving or by racing; no model writes anything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt

from tau.algorithms.budget_ledger import Allowance
from tau.algorithms.parts import ExampleParts
from tau.algorithms.pool import CandidatePool, child
from tau.algorithms.prompts import PromptParseError, replaced, shown
from tau.algorithms.racing_round import RaceTerms, RacingRound, ids
from tau.algorithms.search import SearchPlugin
from tau.algorithms.search_settings import SearchSettings
from tau.algorithms.setup import SearchSetup
from tau.algorithms.turn import Turn
from tau.domain.dataset import content_of
from tau.domain.ids import ExampleId, ResourcesHash
from tau.domain.json import Json
from tau.domain.resources import Resources
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


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectState:
    """How the contest stands on `rows`, whose order is that of the beginning.

    Whatever has become of earlier runs since. No contest: nothing could be compared.
    """

    rows: tuple[ExampleId, ...]
    racing: RacingRound | None


def least(settings: SelectSettings, parts: ExampleParts, allowed: Allowance) -> int:
    """One row for each."""
    return 1 + len(settings.prompts)


@dataclass(frozen=True, slots=True)
class SelectStrategy:
    """See the module."""

    settings: SelectSettings
    setup: SearchSetup

    def begin(self, turn: Turn) -> SelectState:
        baseline = turn.pool[turn.pool.baseline]
        for number, prompt in enumerate(self.settings.prompts):
            made = self._resources(prompt, number)
            turn.add(child(baseline, made, origin="given", generation=0))
        names = list(turn.pool.members)
        if len(names) < 2:
            raise InputError(
                "there is nothing to select from",
                where="algorithm.prompts",
                fix="give prompts that differ from the resources and from each other",
            )
        rows = self._ordered(turn.pool)
        budget = min(turn.budget_left, len(names) * len(rows))
        budget = max(len(names), round(budget * self.settings.share))
        return self.advance(SelectState(rows=rows, racing=self._racing(names, rows, budget)), turn)

    def advance(self, state: SelectState, turn: Turn) -> SelectState:
        if state.racing is None:
            return state
        racing = state.racing.next(turn, state.rows)
        if turn.idle:
            after = "" if state.rows == tuple(self._all_rows()) else ", contested rows first"
            turn.stop(f"the {self.settings.method} ended: {racing.standing.reason}{after}")
        return replace(state, racing=racing)

    def ranked(self, state: SelectState, pool: CandidatePool) -> Sequence[ResourcesHash]:
        return () if state.racing is None else state.racing.standing.alive

    def _racing(
        self, names: Sequence[ResourcesHash], rows: Sequence[ExampleId], budget: int
    ) -> RacingRound | None:
        if self.settings.method == "halving":
            return RacingRound.halving(names, rows, budget)
        terms = RaceTerms(
            block=self.settings.block,
            tolerance=self.settings.tolerance,
            alpha=_RACE_ALPHA,
            rollouts=budget,
        )
        return RacingRound.racing(names, rows, terms)

    def _all_rows(self) -> list[ExampleId]:
        """No candidate is made from any row, so every row that does not certify selects."""
        return ids((*self.setup.parts.feedback, *self.setup.parts.select))

    def _ordered(self, pool: CandidatePool) -> tuple[ExampleId, ...]:
        """Racing needs an order by chance for its guarantee, halving does not.

        Scores of those who compete are left out: a row that one of them failed would come first,
        and be held against that one alone.
        """
        rows = self._all_rows()
        if self.settings.method == "race" or self.settings.order == "hashed":
            return tuple(rows)
        earlier = self.setup.problem.earlier
        scores = {
            row: [
                score
                for name, score in earlier.get(content_of(row), {}).items()
                if name not in pool.members
            ]
            for row in rows
        }
        return contested_first(rows, scores)

    def _resources(self, prompt: str | Mapping[str, Json], number: int) -> Resources:
        where = f"algorithm.prompts[{number}]"
        baseline = self.setup.problem.seed_resources
        if isinstance(prompt, str):
            if len(self.setup.targets) > 1:
                raise InputError(
                    "a text does not say which of several prompts it is",
                    where=where,
                    fix='write an object, as {"system_prompt": "..."}, or set algorithm.targets',
                )
            try:
                return replaced(
                    baseline, self.setup.targets[0], prompt, max_chars=self.settings.max_chars
                )
            except PromptParseError as error:
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
        made = Resources(values={**baseline.values, **prompt}, parent=baseline.hash)
        for target in self.setup.targets:
            if target.check is None and not target.skill:
                continue
            try:
                replaced(baseline, target, shown(made, target), max_chars=self.settings.max_chars)
            except (PromptParseError, KeyError) as error:
                raise InputError(
                    f"'{target.name}' of this prompt cannot take part", where=where, why=str(error)
                ) from error
        return made


Select = SearchPlugin(
    name="select",
    Settings=SelectSettings,
    State=SelectState,
    strategy=SelectStrategy,
    least=least,
    least_proposals=0,
    uses_history=True,
)

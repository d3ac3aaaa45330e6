"""Demonstrations: examples with right answers in the prompt, searched together with instructions.

Demonstrations come from rows with an expected answer, and from what the baseline itself got right.
Sets of them are put below instructions (the given one, and some rewritten by a model that is shown
failures of it), and meet by halving on rows that are in none of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

from annotated_types import Ge

from tau.algorithms.budget_ledger import Allowance
from tau.algorithms.demonstrations import (
    HEADING,
    Demonstration,
    demonstrable,
    demonstrating,
    instructive,
    right_answers,
    text_for_demonstrations,
)
from tau.algorithms.evidence import deal, drawn
from tau.algorithms.parts import ExampleParts
from tau.algorithms.pool import CandidatePool
from tau.algorithms.prompts import PromptTarget
from tau.algorithms.racing_round import RacingRound, ids
from tau.algorithms.search import SearchPlugin
from tau.algorithms.search_settings import SearchSettings
from tau.algorithms.setup import SearchSetup
from tau.algorithms.turn import Turn
from tau.domain.draws import uniform
from tau.domain.ids import ExampleId, ResourcesHash


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


@dataclass(frozen=True, slots=True, kw_only=True)
class FewShotState:
    """What the baseline was right with, then the contest on `rows`."""

    answers: Mapping[ExampleId, str] = field(default_factory=dict)
    rows: tuple[ExampleId, ...] = ()
    racing: RacingRound | None = None


def least(settings: FewShotSettings, parts: ExampleParts, allowed: Allowance) -> int:
    """A few rows for each set and the baseline."""
    return 4 * (settings.sets + 1)


@dataclass(frozen=True, slots=True)
class FewShotStrategy:
    """See the module."""

    settings: FewShotSettings
    setup: SearchSetup

    def begin(self, turn: Turn) -> FewShotState:
        text_for_demonstrations(self.setup.targets, "algorithm.targets")
        state = FewShotState()
        turn.evaluate(
            [turn.pool.baseline], ids(self.setup.parts.feedback)[: self.settings.bootstrap]
        )
        return state if turn.measuring else self._instruct(state, turn)

    def advance(self, state: FewShotState, turn: Turn) -> FewShotState:
        if state.racing is not None:
            return self._race(state, turn, state.racing)
        state = replace(state, answers={**state.answers, **right_answers(turn.results)})
        if not turn.answers:
            return self._instruct(state, turn)
        for one in turn.read(turn.answers, generation=1):
            turn.add(one)
        return state if turn.requests else self._begin_racing(state, turn)

    def ranked(self, state: FewShotState, pool: CandidatePool) -> Sequence[ResourcesHash]:
        return () if state.racing is None else state.racing.standing.alive

    # --- candidates

    @property
    def _target(self) -> PromptTarget:
        return text_for_demonstrations(self.setup.targets, "algorithm.targets")

    def _instruct(self, state: FewShotState, turn: Turn) -> FewShotState:
        """Ask for instructions, each from other failures; for paraphrases where nothing failed."""
        proposers, seed = self.setup.proposers, self.setup.problem.seed
        baseline = turn.pool[turn.pool.baseline]
        failures = turn.pool.failures_of(baseline.hash)
        scores = turn.pool.scores(baseline.hash)
        successes = turn.pool.successes_of(baseline.hash)
        wanted = self.settings.instructions
        shown = drawn(successes, seed, "instructions")
        hands = deal(failures, seed, "instructions", hands=wanted)
        for number, evidence in enumerate(hands):
            turn.propose(
                proposers.reflect(
                    baseline,
                    self._target,
                    evidence,
                    scores=scores,
                    successes=shown,
                    sibling=number,
                )
                if evidence
                else proposers.paraphrase(baseline, self._target)
            )
        return state if turn.requests else self._begin_racing(state, turn)

    def _begin_racing(self, state: FewShotState, turn: Turn) -> FewShotState:
        bases = list(turn.pool.members.values())
        for number in range(self.settings.sets):
            made = demonstrating(
                bases[number % len(bases)],
                self._target,
                self._set(state, turn.pool, number)[: self.settings.shots],
                max_chars=self.settings.max_chars,
                heading=self.settings.heading,
                generation=1,
            )
            if made is not None:
                turn.add(made)
        names = list(turn.pool.members)
        seen = turn.pool.seen_by(names)
        every = ids((*self.setup.parts.select, *self.setup.parts.feedback))
        rows = [row for row in every if row not in seen] or every
        state = replace(state, rows=tuple(rows))
        racing = RacingRound.halving(names, rows, min(turn.budget_left, len(names) * len(rows)))
        if racing is None:
            turn.stop("nothing could be made of the examples")
            return state
        return self._race(state, turn, racing)

    def _set(self, state: FewShotState, pool: CandidatePool, number: int) -> list[Demonstration]:
        """Rows for set `number`: first those that failed, every second time those drawn."""
        seed = self.setup.problem.seed
        known = demonstrable(self.setup.parts.feedback, state.answers)
        known.sort(key=lambda one: uniform(seed, "shots", number, one.example.id))
        if number % 2:
            return known
        return instructive(known, pool.failures_of(pool.baseline), seed, number)

    # --- the contest

    def _race(self, state: FewShotState, turn: Turn, racing: RacingRound) -> FewShotState:
        racing = racing.next(turn, state.rows)
        if turn.idle:
            turn.stop(f"the halving ended: {racing.standing.reason}")
        return replace(state, racing=racing)


FewShot = SearchPlugin(
    name="few_shot",
    Settings=FewShotSettings,
    State=FewShotState,
    strategy=FewShotStrategy,
    least=least,
    shown=lambda settings: settings.shots,
)

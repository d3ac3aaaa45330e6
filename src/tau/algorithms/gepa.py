"""GEPA as published: one parent, one minibatch, one child at a time (arXiv 2507.19457).

A parent is drawn from the per-instance front of the validation scores. It is run on a minibatch,
reflected on, and the child must do strictly better on the same minibatch; then it is evaluated on
the whole validation set. Merges put components of two descendants of one ancestor together. What
differs: scores that are known are not paid for again, and the end is Tau's certification instead
of the best validation mean.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Annotated, Literal

from annotated_types import Ge

from tau.algorithms.budget_ledger import Allowance
from tau.algorithms.parts import ExampleParts
from tau.algorithms.pool import Candidate, CandidatePool, child
from tau.algorithms.search import SearchPlugin
from tau.algorithms.search_settings import SearchSettings
from tau.algorithms.setup import SearchSetup
from tau.algorithms.turn import Turn
from tau.domain.draws import below, uniform
from tau.domain.ids import ExampleId, ResourcesHash
from tau.domain.json import Json
from tau.domain.resources import Resources
from tau.scoring.pareto import draw, instance_front
from tau.scoring.table import ScoreTable

_MERGE_ROWS = 5
_BUDGET = "the budget for evaluations was used up"
_FRUITLESS = 50
"""Minibatches in a row that a parent has all right, after which the search ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GepaSettings(SearchSettings):
    """`minibatch` examples per reflection, `merges` at most."""

    minibatch: Annotated[int, Ge(1)] = 3
    merges: Annotated[int, Ge(0)] = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class GepaState:
    """Iteration `step` with its `parent` on its minibatch `rows`; `fresh` is the child on trial.

    `stage` is what the evaluations on the agenda are for. `merged` counts merges, one of which is
    due after each candidate that was `accepted`.
    """

    accepted: tuple[ResourcesHash, ...]
    parent: ResourcesHash
    stage: Literal["full", "minibatch", "child", "merge"] = "full"
    step: int = 0
    merged: int = 0
    merge_due: bool = False
    fresh: ResourcesHash | None = None
    rows: tuple[ExampleId, ...] = ()


def least(settings: GepaSettings, parts: ExampleParts, allowed: Allowance) -> int:
    """The baseline on all instances, and three iterations."""
    return len(parts.select or parts.feedback) + 3 * 2 * settings.minibatch


@dataclass(frozen=True, slots=True)
class GepaStrategy:
    """See the module."""

    settings: GepaSettings
    setup: SearchSetup

    def begin(self, turn: Turn) -> GepaState:
        baseline = turn.pool.baseline
        turn.evaluate([baseline], self._instances)
        return GepaState(accepted=(baseline,), parent=baseline)

    def advance(self, state: GepaState, turn: Turn) -> GepaState:
        if turn.answers:
            made = turn.read(turn.answers, generation=state.step)
            state = self._try(state, turn, made[0] if made else None)
        elif state.stage == "minibatch":
            self._reflect(state, turn)
        elif state.stage in ("child", "merge"):
            state = self._judge(state, turn)
        elif state.fresh is not None:
            accepted = (*state.accepted, state.fresh)
            state = replace(state, accepted=accepted, fresh=None, merge_due=True)
        while turn.idle and not turn.stop_reason:
            state = self._next(state, turn)
        return state

    def ranked(self, state: GepaState, pool: CandidatePool) -> Sequence[ResourcesHash]:
        means = {name: mean_on(pool, name, self._instances) for name in state.accepted}
        return sorted(state.accepted, key=lambda name: -round(means[name], 12))

    @property
    def _instances(self) -> list[ExampleId]:
        return [one.id for one in self.setup.parts.select or self.setup.parts.feedback]

    def _front(self, state: GepaState, pool: CandidatePool) -> Mapping[ResourcesHash, int]:
        return instance_front(pool.contest, state.accepted, self._instances)

    def _next(self, state: GepaState, turn: Turn) -> GepaState:
        """Begin an iteration, or say why there is none."""
        if state.merge_due and state.merged < self.settings.merges:
            state = self._merge(replace(state, merge_due=False), turn)
            if not turn.idle:
                return state
        if turn.proposals_left < 1:
            turn.stop("no proposals were left")
            return state
        if turn.budget_left < 2 * self.settings.minibatch:
            turn.stop(_BUDGET)
            return state
        seed, step = self.setup.problem.seed, state.step + 1
        front = self._front(state, turn.pool) or {state.accepted[0]: 1}
        state = replace(
            state,
            step=step,
            parent=draw(front, seed, "parent", step),
            rows=self._minibatch(step),
            stage="minibatch",
        )
        turn.evaluate([state.parent], state.rows)
        if turn.idle:
            self._reflect(state, turn)
        return state

    def _minibatch(self, step: int) -> tuple[ExampleId, ...]:
        """The next rows of an order that is shuffled anew each time it has been gone through."""
        rows = [one.id for one in self.setup.parts.feedback]
        size = min(self.settings.minibatch, len(rows))
        epoch, place = divmod((step - 1) * size, len(rows) - len(rows) % size)
        seed = self.setup.problem.seed
        shuffled = sorted(rows, key=lambda row: uniform(seed, "minibatch", epoch, row))
        return tuple(shuffled[place : place + size])

    def _reflect(self, state: GepaState, turn: Turn) -> None:
        """Ask for a child, unless the parent has nothing to learn here."""
        setup, pool = self.setup, turn.pool
        failures = [one for one in pool.failures_of(state.parent) if one.example in state.rows]
        if not failures:
            if state.step >= _FRUITLESS and pool.tried == 0:
                turn.stop(pool.exhausted("nothing failed"))
            if state.step >= _FRUITLESS * (1 + turn.asked):
                turn.stop(pool.exhausted("nothing failed any more"))
            return
        place = below(len(setup.targets), setup.problem.seed, "component", state.step)
        scores = pool.table[state.parent].by_example
        known = [scores[row] for row in state.rows if row in scores]
        well = [one for one in pool.successes_of(state.parent) if one.example in state.rows]
        turn.propose(
            setup.proposers.reflect(
                pool[state.parent], setup.targets[place], failures, scores=known, successes=well
            )
        )

    def _try(self, state: GepaState, turn: Turn, made: Candidate | None) -> GepaState:
        if made is None or not turn.add(made):
            return state
        state = replace(state, fresh=made.hash, stage="child")
        return self._evaluated(state, turn, made.hash, state.rows)

    def _judge(self, state: GepaState, turn: Turn) -> GepaState:
        """Strictly better on the minibatch (a merge: not worse than both): on to all instances."""
        assert state.fresh is not None
        contest = turn.pool.contest
        mine = sum_on(contest, state.fresh, state.rows)
        if state.stage == "merge":
            parents = turn.pool[state.fresh].parents
            good = mine >= max(sum_on(contest, name, state.rows) for name in parents)
        else:
            good = mine > sum_on(contest, state.parent, state.rows)
        if not good:
            return forgotten(state, turn)
        return self._evaluated(replace(state, stage="full"), turn, state.fresh, self._instances)

    def _evaluated(
        self, state: GepaState, turn: Turn, name: ResourcesHash, rows: Sequence[ExampleId]
    ) -> GepaState:
        """With the child's evaluations on the agenda; without it where the budget has too few."""
        if turn.evaluate([name], rows):
            return state
        turn.stop(_BUDGET)
        return forgotten(state, turn)

    def _shuffled(self, purpose: str, number: int) -> tuple[ExampleId, ...]:
        seed = self.setup.problem.seed
        order = sorted(self._instances, key=lambda row: uniform(seed, purpose, number, row))
        return tuple(order)

    def _merge(self, state: GepaState, turn: Turn) -> GepaState:
        """Two of the front with a common ancestor: each component from whoever changed it."""
        front = list(self._front(state, turn.pool))
        for first, second in combinations(front, 2):
            found = common_ancestor(turn.pool, first, second)
            if found is None:
                continue
            made = Resources(values=self._combined(turn.pool, found, first, second))
            if turn.knows(made):
                continue
            one, two = turn.pool[first], turn.pool[second]
            merged = child(one, made, origin="merge", others=[two], generation=state.step)
            turn.add(merged)
            number = state.merged + 1
            state = replace(
                state,
                merged=number,
                fresh=merged.hash,
                stage="merge",
                rows=self._shuffled("merge", number)[:_MERGE_ROWS],
            )
            if turn.evaluate([merged.hash], state.rows):
                return state
            state = forgotten(state, turn)
        return state

    def _combined(
        self,
        pool: CandidatePool,
        ancestor: ResourcesHash,
        first: ResourcesHash,
        second: ResourcesHash,
    ) -> Mapping[str, Json]:
        base, one, two = (pool[name].resources.values for name in (ancestor, first, second))
        better = max((first, second), key=lambda name: mean_on(pool, name, self._instances))
        best = pool[better].resources.values
        values = dict(base)
        for target in self.setup.targets:
            key = target.name
            if one[key] == base[key]:
                values[key] = two[key]
            elif two[key] == base[key]:
                values[key] = one[key]
            else:
                values[key] = best[key]
        return values


def forgotten(state: GepaState, turn: Turn) -> GepaState:
    """Without the child, and without what was to be found out about it."""
    turn.withdraw()
    turn.pool = turn.pool.keeping(state.accepted)
    return replace(state, fresh=None)


def sum_on(table: ScoreTable, name: ResourcesHash, rows: Sequence[ExampleId]) -> float:
    """Of the scores; what is missing counts as 0."""
    known = table[name].by_example
    return sum(known.get(row, 0.0) for row in rows)


def mean_on(pool: CandidatePool, name: ResourcesHash, rows: Sequence[ExampleId]) -> float:
    """Of the scores to choose by; what is missing counts as 0."""
    return sum_on(pool.contest, name, rows) / max(1, len(rows))


def common_ancestor(
    pool: CandidatePool, first: ResourcesHash, second: ResourcesHash
) -> ResourcesHash | None:
    """The youngest that both descend from, where neither is the other's ancestor."""
    lines = [ancestors(pool, first), ancestors(pool, second)]
    if first in lines[1] or second in lines[0]:
        return None
    return next((name for name in lines[0] if name in lines[1]), None)


def ancestors(pool: CandidatePool, name: ResourcesHash) -> list[ResourcesHash]:
    """Along first parents, the youngest first."""
    line: list[ResourcesHash] = []
    while pool[name].parents:
        name = pool[name].parents[0]
        line.append(name)
    return line


Gepa = SearchPlugin(
    name="gepa", Settings=GepaSettings, State=GepaState, strategy=GepaStrategy, least=least
)

"""Reflective search: several rewrites per generation, screened on examples that are new to them.

A generation is two waves. First the reflection model is shown failures of the leaders and writes
children. What a rewrite lost without a successor is put back, and what siblings learnt apart is
joined, by their lines. Then children and leaders meet on the same fresh block of examples. From
what they fail there the next generation is made.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tau.algorithms.budget_ledger import Allowance, Spent
from tau.algorithms.demonstrations import right_answers, text_for_demonstrations
from tau.algorithms.evidence import TriedExample, deal, drawn, explained
from tau.algorithms.lines import is_prose
from tau.algorithms.parts import ExampleParts
from tau.algorithms.pool import CandidatePool
from tau.algorithms.prompts import shown
from tau.algorithms.proposers import ProposalRequest
from tau.algorithms.reflect_children import complement, taken_in, without_model
from tau.algorithms.reflect_final import Final, final_cost
from tau.algorithms.reflect_state import ReflectSettings, ReflectState
from tau.algorithms.search import SearchPlugin
from tau.algorithms.setup import SearchSetup
from tau.algorithms.standing import strengths
from tau.algorithms.turn import Turn
from tau.algorithms.versions import tried_versions
from tau.domain.ids import ExampleId, ResourcesHash

__all__ = ["Reflect", "ReflectSettings"]

_PRIOR_WEIGHT = 4.0
_STAGNANT = 2
"""Generations without a new leader after which children are also made without a model."""
_MANY_PROPOSALS = 36
"""From here on a second leader pays: it keeps what the first one lacks."""
_FEWEST_ROWS = 6
_MOST_ROWS = 30


def least(settings: ReflectSettings, parts: ExampleParts, allowed: Allowance) -> int:
    """The baseline, one generation beside it, and the choice at the end."""
    rows = settings.block or _FEWEST_ROWS
    return rows * (2 + 1 + settings.width) + final_cost(settings, parts, allowed)


@dataclass(frozen=True, slots=True)
class ReflectStrategy:
    """See the module."""

    settings: ReflectSettings
    setup: SearchSetup

    def begin(self, turn: Turn) -> ReflectState:
        """Failures of the baseline, enough for all children of the first generation."""
        if self.settings.demonstrations:
            text_for_demonstrations(self.setup.targets, "algorithm.demonstrations")
        baseline = turn.pool.baseline
        rows, cursor = self._next_rows(0, 2 * self._block)
        turn.evaluate([baseline], rows)
        return ReflectState(leaders=(baseline,), cursor=cursor)

    def advance(self, state: ReflectState, turn: Turn) -> ReflectState:
        state = self._noting_answers(state, turn)
        made = turn.read(turn.answers, generation=state.generation)
        fresh = taken_in(self.setup, turn, made)
        if state.stage == "final":
            return self._final.meet(self._rank(state, turn), turn)
        state = replace(state, waiting=(*state.waiting, *fresh))
        if state.stage == "propose" and state.waiting:
            state = replace(self._screen(state, turn, state.waiting), waiting=())
            if turn.measuring:
                return state
        if state.stage == "screen":
            state = self._rank(state, turn)
        if not turn.requests:
            state = self._next_generation(state, turn)
        return self._final.begin(self._rank(state, turn), turn) if turn.idle else state

    def ranked(self, state: ReflectState, pool: CandidatePool) -> Sequence[ResourcesHash]:
        return [*state.leaders, *self._final.finalists(state, pool)]

    # --- what follows from settings and budget

    @property
    def _final(self) -> Final:
        return Final(self.settings, self.setup)

    @property
    def _kept(self) -> int:
        """How many leaders go on from generation to generation."""
        many = self.setup.allowed.proposals >= _MANY_PROPOSALS
        return self.settings.leaders or (2 if many else 1)

    @property
    def _block(self) -> int:
        """As many rows as let the proposals and the evaluations end together."""
        if self.settings.block:
            return self.settings.block
        setup, width = self.setup, self.settings.width
        certification = setup.planned.cost
        left = max(0, setup.ledger(Spent()).evaluations_left() - certification)
        generations = max(1, -(-setup.allowed.proposals // width))
        each = (left - self._final_cost(certification)) // (generations + 1)
        return max(_FEWEST_ROWS, min(_MOST_ROWS, each // (width + self._kept)))

    def _final_cost(self, certification: int) -> int:
        parts, allowed = self.setup.parts, self.setup.allowed
        return final_cost(self.settings, parts, allowed, certification=certification)

    # --- a generation

    def _noting_answers(self, state: ReflectState, turn: Turn) -> ReflectState:
        """Keep answers that can be shown, as long as more are of use."""
        if len(state.answers) >= self.settings.demonstrations:
            return state
        may_be_shown = self.setup.proposers.examples
        found = right_answers(turn.results)
        answers = {row: text for row, text in found.items() if row in may_be_shown}
        return replace(state, answers={**state.answers, **answers})

    def _next_generation(self, state: ReflectState, turn: Turn) -> ReflectState:
        """Ask for children of the leaders; an empty agenda where nothing more can be tried."""
        cost = self._block * (self.settings.width + len(state.leaders))
        if turn.budget_left < cost + self._final_cost(turn.reserved):
            turn.stop("the budget for evaluations was used up")
            return state
        state = replace(state, generation=state.generation + 1)
        hands = self._hands(state, turn.pool)
        for number in range(self.settings.width):
            request = self._request(state, turn.pool, number, hands)
            if request is not None and not turn.propose(request):
                break
        if turn.requests:
            return replace(state, stage="propose")
        if turn.proposals_left < 1:
            turn.stop("no proposals were left")
            return state
        state = self._screen(state, turn, ())  # everything was right: look at more examples
        if turn.idle:
            turn.stop(turn.pool.exhausted("nothing failed any more"))
        return state

    def _hands(
        self, state: ReflectState, pool: CandidatePool
    ) -> dict[ResourcesHash, list[tuple[TriedExample, ...]]]:
        """Failures of each parent of this generation, other ones for each of its children."""
        turns = Counter(_parent(state, n) for n in range(self.settings.width))
        return {
            name: deal(
                pool.failures_of(name),
                self.setup.problem.seed,
                state.generation,
                hands=hands,
                count=self.settings.evidence * (2 if state.generation == 1 else 1),
            )
            for name, hands in turns.items()
        }

    def _request(
        self,
        state: ReflectState,
        pool: CandidatePool,
        number: int,
        hands: Mapping[ResourcesHash, list[tuple[TriedExample, ...]]],
    ) -> ProposalRequest | None:
        """Question `number` of this generation; None where its parent did everything right."""
        parent, targets = pool[_parent(state, number)], self.setup.targets
        target = targets[(state.generation + number) % len(targets)]
        if number and number == self.settings.width - 1 and _stagnant(state):
            other = complement(pool, parent)
            if other is not None and is_prose(shown(parent.resources, target)):
                return self.setup.proposers.crossover(parent, other, target)
        evidence = hands[parent.hash].pop(0)
        if not evidence:
            return None
        seed, well = self.setup.problem.seed, pool.successes_of(parent.hash)
        told = explained(evidence)
        successes = (
            drawn(well, seed, state.generation, seen=parent.seen_examples)
            if told
            else drawn(well, seed, state.generation, number)
        )
        return self.setup.proposers.reflect(
            parent,
            target,
            evidence,
            scores=pool.scores(parent.hash),
            successes=successes,
            versions=tried_versions(pool, parent.hash, target, worse=not told),
            sibling=number,
        )

    def _screen(
        self, state: ReflectState, turn: Turn, fresh: Sequence[ResourcesHash]
    ) -> ReflectState:
        """Children and leaders meet on the same rows."""
        rows, cursor = self._next_rows(state.cursor, self._block)
        free: list[ResourcesHash] = []
        if fresh and _stagnant(state):
            leader = turn.pool[state.leaders[0]]
            free = without_model(self.setup, turn, leader, state.generation)
        turn.evaluate([*state.leaders, *fresh, *free], rows)
        return replace(state, cursor=cursor, stage="screen")

    def _next_rows(self, cursor: int, size: int) -> tuple[list[ExampleId], int]:
        """The next `size` rows in their order, again and again, and the place after them."""
        order = [one.id for one in self.setup.parts.feedback]
        size = min(size, len(order))
        rows = [order[(cursor + step) % len(order)] for step in range(size)]
        return rows, (cursor + size) % len(order)

    def _rank(self, state: ReflectState, turn: Turn) -> ReflectState:
        """Who leads now; all others but the finalists and those who wait are forgotten."""
        pool = turn.pool
        names = [one for one in pool.members if pool.table[one].n or one == pool.baseline]
        found = strengths(pool, names, state.priors, weight=_PRIOR_WEIGHT)
        ranked = pool.safe(sorted(names, key=lambda name: -round(found[name], 9)))
        ranked = ranked or [pool.baseline]
        turn.pool = pool = pool.keeping([*ranked[: self.settings.finalists], *state.waiting])
        return replace(
            state,
            leaders=tuple(ranked[: self._kept]),
            led_since=state.led_since if ranked[0] == state.leaders[0] else state.generation,
            priors={name: found[name] for name in pool.members if name in found},
        )


def _parent(state: ReflectState, number: int) -> ResourcesHash:
    """Of child `number`: the first leader more often."""
    place = min(number // 2, len(state.leaders) - 1) if number % 2 else 0
    return state.leaders[place]


def _stagnant(state: ReflectState) -> bool:
    return state.generation - state.led_since >= _STAGNANT


Reflect = SearchPlugin(
    name="reflect",
    Settings=ReflectSettings,
    State=ReflectState,
    strategy=ReflectStrategy,
    least=least,
    evaluations_per_proposal=34,
    shown=lambda settings: settings.demonstrations,
)

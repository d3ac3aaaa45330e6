"""The end of a reflective search: the best of all generations meet on rows that are new to them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tau.algorithms.budget_ledger import Allowance
from tau.algorithms.demonstrations import (
    demonstrable,
    instructive,
    text_for_demonstrations,
    variants,
)
from tau.algorithms.parts import ExampleParts
from tau.algorithms.pool import Candidate, CandidatePool
from tau.algorithms.reflect_state import ReflectSettings, ReflectState
from tau.algorithms.setup import SearchSetup
from tau.algorithms.standing import shorter
from tau.algorithms.turn import Turn
from tau.domain.ids import ExampleId, ResourcesHash

_SHARE = 0.15
"""Of the evaluations, certification aside, for the best of all generations to meet at the end."""
_SHARE_SHOWING = 0.3
"""The same where demonstrations join them, which nothing is known of before."""
_MOST_SELECTING = 0.2
"""Of the evaluations, to see two finalists on all rows that only select."""


def final_cost(
    settings: ReflectSettings, parts: ExampleParts, allowed: Allowance, *, certification: int = 0
) -> int:
    """No less than two finalists on all that only selects, no more than there are rows for."""
    evaluations, rows = allowed.evaluations, len(parts.select + parts.feedback)
    share = _SHARE_SHOWING if settings.demonstrations else _SHARE
    wanted = min(share * (evaluations - certification), rows * settings.finalists / 2)
    least = min(2 * len(parts.select), _MOST_SELECTING * evaluations)
    return round(max(wanted, least))


@dataclass(frozen=True, slots=True)
class Final:
    """The finalists of a reflective search, and how they meet."""

    settings: ReflectSettings
    setup: SearchSetup

    def begin(self, state: ReflectState, turn: Turn) -> ReflectState:
        """Nobody but the finalists goes on, and the best of them with demonstrations."""
        names = self.finalists(state, turn.pool)
        if self.settings.demonstrations:
            fresh = self._demonstrating(state, turn, turn.pool[names[0]])
            priors = {**state.priors, **dict.fromkeys(fresh, state.priors[names[0]])}
            names, state = [names[0], *fresh], replace(state, priors=priors)
        turn.pool = turn.pool.keeping(names)
        return self.meet(replace(state, stage="final"), turn)

    def meet(self, state: ReflectState, turn: Turn) -> ReflectState:
        """On rows that none of them was made from; half of them go on, until 2 have met."""
        while not turn.measuring:
            names = self.finalists(state, turn.pool)
            left = max(1, math.ceil(math.log2(len(names)))) - state.final_rounds
            if left < 1 or len(names) < 2:
                first = shorter(turn.pool, names[:2], margin=self.settings.effect)
                return replace(state, leaders=(first,))
            names = names[: max(2, math.ceil(len(names) / 2**state.final_rounds))]
            state = replace(state, final_rounds=state.final_rounds + 1)
            rows = self._new_to(turn.pool, names)
            turn.evaluate(names, rows[: turn.budget_left // left // len(names)])
        return state

    def finalists(self, state: ReflectState, pool: CandidatePool) -> list[ResourcesHash]:
        """The safe ones that seem best, the best first."""
        known = [name for name in pool.safe(pool.members) if name in state.priors]
        ranked = sorted(known, key=lambda name: -round(state.priors[name], 9))
        return ranked[: self.settings.finalists] or [pool.baseline]

    def _demonstrating(
        self, state: ReflectState, turn: Turn, leader: Candidate
    ) -> list[ResourcesHash]:
        """What demonstrations below the leader and below the baseline make."""
        made = variants(
            leader,
            turn.pool[turn.pool.baseline],
            text_for_demonstrations(self.setup.targets, "algorithm.demonstrations"),
            instructive(
                demonstrable(self.setup.parts.feedback, state.answers),
                turn.pool.failures_of(leader.hash),
                self.setup.problem.seed,
            ),
            most=self.settings.demonstrations,
            max_chars=self.settings.max_chars,
            generation=state.generation,
        )
        return [one.hash for one in made if turn.add(one)]

    def _new_to(self, pool: CandidatePool, names: Sequence[ResourcesHash]) -> list[ExampleId]:
        """Rows that tell something new of all of them, those that only select first."""
        rows = [row.id for row in (*self.setup.parts.select, *self.setup.parts.feedback)]
        seen = pool.seen_by(names)
        known = [pool.table[name].by_example for name in names]
        return [row for row in rows if row not in seen and not all(row in one for one in known)]

"""Textual gradients and a beam (R. Pryzant et al., ProTeGi, EMNLP 2023).

A round: every prompt of the beam runs on a minibatch; its failures are criticised; each critique
becomes an edit, and edits are paraphrased; all of them and the beam itself meet by halving, and
the best form the next beam. Parents stay in the beam, so what is kept never gets worse by a round.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from annotated_types import Ge

from tau.algorithms.budget_ledger import Allowance
from tau.algorithms.evidence import TriedExample, choose
from tau.algorithms.fences import whole
from tau.algorithms.parts import ExampleParts
from tau.algorithms.pool import Candidate, CandidatePool
from tau.algorithms.prompts import PromptParseError, PromptTarget
from tau.algorithms.proposers import ProposalRequest
from tau.algorithms.racing_round import RacingRound, ids
from tau.algorithms.search import SearchPlugin
from tau.algorithms.search_settings import SearchSettings
from tau.algorithms.setup import SearchSetup
from tau.algorithms.turn import Turn
from tau.domain.draws import uniform
from tau.domain.ids import ExampleId, ResourcesHash
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ApoState:
    """Round `round` of the `beam`; `fresh` are the candidates that it made.

    `racing` is how they and the beam meet, once all of them are there.
    """

    beam: tuple[ResourcesHash, ...]
    stage: Literal["measure", "propose"] = "measure"
    round: int = 0
    fresh: tuple[ResourcesHash, ...] = ()
    racing: RacingRound | None = None


def least(settings: ApoSettings, parts: ExampleParts, allowed: Allowance) -> int:
    """A minibatch of the baseline, and a small contest."""
    return settings.minibatch + 3 * settings.beam


@dataclass(frozen=True, slots=True)
class ApoStrategy:
    """See the module."""

    settings: ApoSettings
    setup: SearchSetup

    def begin(self, turn: Turn) -> ApoState:
        return self._measure(ApoState(beam=(turn.pool.baseline,)), turn)

    def advance(self, state: ApoState, turn: Turn) -> ApoState:
        if state.racing is not None:
            state = self._race(state, turn, state.racing)
        elif state.stage == "measure":
            state = self._criticise(state, turn)
        else:
            state = self._take(state, turn)
        if turn.idle and not turn.stop_reason:
            state = self._begin_racing(state, turn)
        return state

    def ranked(self, state: ApoState, pool: CandidatePool) -> Sequence[ResourcesHash]:
        return state.beam

    # --- a round

    def _measure(self, state: ApoState, turn: Turn) -> ApoState:
        """Run the beam on a fresh minibatch, where that is not known yet."""
        state = replace(state, round=state.round + 1, stage="measure")
        turn.evaluate(state.beam, self._minibatch(state.round))
        return state if turn.measuring else self._criticise(state, turn)

    def _minibatch(self, number: int) -> list[ExampleId]:
        rows, seed = ids(self.setup.parts.feedback), self.setup.problem.seed
        rows.sort(key=lambda row: uniform(seed, "minibatch", number, row))
        return rows[: self.settings.minibatch]

    def _criticise(self, state: ApoState, turn: Turn) -> ApoState:
        targets = self.setup.targets
        recent = set(self._minibatch(state.round))
        for name in state.beam:
            failures = [one for one in turn.pool.failures_of(name) if one.example in recent]
            for number in range(self.settings.gradients):
                evidence = self._evidence(failures, state.round, number)
                target = targets[(state.round + number) % len(targets)]
                if evidence and turn.proposals_left >= 2 + len(turn.requests):  # and its edit
                    critique = self.setup.proposers.critique(turn.pool[name], target, evidence)
                    turn.propose(critique)
        return replace(state, stage="propose")

    def _evidence(
        self, failures: Sequence[TriedExample], number: int, gradient: int
    ) -> tuple[TriedExample, ...]:
        seed = self.setup.problem.seed
        return choose(failures, seed, number, gradient, count=self.settings.evidence)

    def _take(self, state: ApoState, turn: Turn) -> ApoState:
        """Critiques become edits, edits are paraphrased; all of them are candidates."""
        fresh = []
        asked = [one for one in turn.answers if one[0].strategy != "critique"]
        for made in turn.read(asked, generation=state.round):
            if not turn.add(made):
                continue
            fresh.append(made.hash)
            if made.origin == "edit":
                target = self._changed(made, turn.pool[made.parents[0]])
                for _ in range(self.settings.paraphrases):
                    turn.propose(self.setup.proposers.paraphrase(made, target))
        for request, result in turn.answers:
            if request.strategy == "critique":
                self._edit(turn, request, result)
        return replace(state, fresh=(*state.fresh, *fresh))

    def _changed(self, made: Candidate, parent: Candidate) -> PromptTarget:
        """The prompt in which `made` differs."""
        before, after = parent.resources.values, made.resources.values
        return next(one for one in self.setup.targets if after[one.name] != before[one.name])

    def _edit(self, turn: Turn, request: ProposalRequest, result: RolloutResult) -> None:
        parent = turn.pool.members.get(request.parents[0])
        if result.output is None or parent is None:
            lost = result.failure
            turn.refuse(result, "its parent is gone" if lost is None else lost.message)
            return
        try:
            text = whole(result.output).strip()
        except PromptParseError as error:
            turn.refuse(result, f"the critique: {error}")
            return
        failures = turn.pool.failures_of(parent.hash)
        shown = [one for one in failures if one.example in request.seen_examples]
        proposers = self.setup.proposers
        turn.propose(proposers.edit(parent, proposers.targets[request.target], shown, text))

    # --- which of them stay

    def _rows(self) -> list[ExampleId]:
        """Where there are rows that no candidate is made from, only those."""
        return ids(self.setup.parts.select or self.setup.parts.feedback)

    def _begin_racing(self, state: ApoState, turn: Turn) -> ApoState:
        if not state.fresh:
            turn.stop("no usable proposals were left")
            return state
        names, rows = [*state.beam, *state.fresh], self._rows()
        share = turn.budget_left // (self.settings.rounds - state.round + 1)
        racing = RacingRound.halving(names, rows, min(share, len(names) * len(rows)))
        if racing is None:
            turn.stop("the budget for evaluations was used up")
            return state
        return self._race(state, turn, racing)

    def _race(self, state: ApoState, turn: Turn, racing: RacingRound) -> ApoState:
        racing = racing.next(turn, self._rows())
        if turn.measuring:
            return replace(state, racing=racing)
        alive = turn.pool.safe(racing.standing.alive)
        others = [name for name in state.beam if name not in alive]
        beam = [*alive, *others][: self.settings.beam] or [turn.pool.baseline]
        state = replace(state, beam=tuple(beam), fresh=(), racing=None)
        turn.pool = turn.pool.keeping(beam)
        if state.round >= self.settings.rounds:
            turn.stop("all rounds were done")
            return state
        if turn.proposals_left < 2:
            turn.stop("no proposals were left")
            return state
        return self._measure(state, turn)


Apo = SearchPlugin(
    name="apo",
    Settings=ApoSettings,
    State=ApoState,
    strategy=ApoStrategy,
    least=least,
    least_proposals=2,  # a critique and an edit
)

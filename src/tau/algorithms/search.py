"""The one driver of all searches: waves from a frozen state, a budget, the winner's certification.

An algorithm is a `Strategy` that the driver holds: functions from its own frozen state and what has
come in to its next state and agenda. An empty agenda ends the search, and the winner meets the
baseline.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from tau.algorithms.budget_ledger import EVALUATIONS_PER_PROPOSAL
from tau.algorithms.demonstrations import longest
from tau.algorithms.ending import best_safe, limited_by, no_winner, why_undecided, winner
from tau.algorithms.finding import Finding
from tau.algorithms.frozen_json import from_json, to_json
from tau.algorithms.pool import CandidatePool
from tau.algorithms.search_settings import SearchSettings, fingerprint
from tau.algorithms.setup import Least, SearchSetup
from tau.algorithms.turn import DueEvaluation, SearchState, Turn
from tau.domain.ids import ResourcesHash
from tau.domain.json import Json, content_hash
from tau.domain.rollout import RolloutKind, RolloutRequest, RolloutResult, RolloutStatus
from tau.ports.algorithm import LIMITED_BY, Plan, Problem, Recommendation

_STATE_VERSION = 5
_HEAD = frozenset({"version", "algorithm", "problem", "search"})

S = TypeVar("S")
G = TypeVar("G", bound=SearchSettings)


class Strategy(Protocol[S]):
    """What makes one search different from another; pure, `S` is its frozen state."""

    def begin(self, turn: Turn) -> S:
        """Put the first wave on the agenda."""
        ...

    def advance(self, state: S, turn: Turn) -> S:
        """Put the next wave on the agenda, once results are in; none ends the search."""
        ...

    def ranked(self, state: S, pool: CandidatePool) -> Sequence[ResourcesHash]:
        """Who could be certified, the best first."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPlugin(Generic[G, S]):
    """A search as an entry point names it, see ports.algorithm.AlgorithmPlugin and Planner.

    Up to `shown` rows with right answers may stand in a candidate's prompt.
    """

    name: str
    Settings: type[G]
    State: type[S]
    strategy: Callable[[G, SearchSetup], Strategy[S]]
    least: Least[G]
    least_proposals: int = 1
    evaluations_per_proposal: int = EVALUATIONS_PER_PROPOSAL
    shown: Callable[[G], int] = lambda _: 0
    uses_history: bool = False

    def build(self, settings: G, problem: Problem) -> "Search[S]":
        setup = SearchSetup.of(
            settings,
            problem,
            name=self.name,
            least=self.least,
            proposals=self.least_proposals,
            evaluations_per_proposal=self.evaluations_per_proposal,
        )
        return Search(self.name, self.State, setup, self.strategy(settings, setup))

    def plan(self, settings: G, problem: Problem) -> Plan:
        setup = self.build(settings, problem).setup
        allowed, per = setup.allowed, problem.calls_per_evaluation
        return Plan(
            evaluations=allowed.evaluations,
            proposals=allowed.proposals,
            rollouts=allowed.evaluations + allowed.proposals,
            calls=allowed.evaluations * per + allowed.proposals,
            **setup.planned.forecast(varying=problem.varying),
            least_rollouts=setup.least + self.least_proposals,
            shown_bytes=longest(setup.parts.feedback, self.shown(settings), setup.targets),
            caveats=setup.caveats,
        )


class Search(Generic[S]):
    """See the module, and ports.algorithm. `state` is common to all searches, `own` is not."""

    def __init__(self, name: str, kind: type[S], setup: SearchSetup, strategy: Strategy[S]) -> None:
        self.setup = setup
        self._name = name
        self._kind = kind
        self._strategy = strategy
        self._fingerprint = fingerprint(setup.settings, setup.problem)
        turn = Turn(setup, SearchState.first(setup))
        self.own: S = strategy.begin(turn)
        self.state = self._concluded(turn.ended(), self.own)
        self._wave = requests_of(setup, self.state)

    def ask(self) -> Sequence[RolloutRequest]:
        return self._wave

    def tell(self, results: Sequence[RolloutResult]) -> None:
        told = content_hash([list(result.request.key) for result in results])
        if told == self.state.told:
            return
        wave = self._wave
        if not wave or told != content_hash([list(request.key) for request in wave]):
            raise ValueError(
                "these are not the results of the wave: tell what ask() returned, in order"
            )
        answers = list(zip(self.state.requests, results, strict=False))
        state, own = replace(recorded(self.setup, self.state, results), told=told), self.own
        if state.chosen is None:
            turn = Turn(self.setup, state, answers, results)
            own = self._strategy.advance(own, turn)
            state = self._concluded(turn.ended(), own)
        else:
            cut = sum(one.status is RolloutStatus.CANCELLED for one in results)
            state = replace(state, cut=cut, certified=not cut)
        wave = requests_of(self.setup, state)
        self.state, self.own, self._wave = state, own, wave

    def best(self) -> Recommendation:
        """The baseline until the winner has been proved better."""
        setup, state = self.setup, self.state
        baseline = setup.problem.seed_resources
        short = self._limited_by()
        open_ = state.chosen != state.pool.baseline and not state.certified
        if state.chosen is None or open_ or short:
            undecided = why_undecided(setup.certification(state.claimed), state.cut)
            return Recommendation(
                resources=baseline,
                evidence={**self._progress(), **({LIMITED_BY: short} if short else {})},
                caveats=(undecided, *setup.caveats),
            )
        found = self._finding(state.chosen)
        promoted = found.decision == "promote"
        return Recommendation(
            resources=state.pool[state.chosen].resources if promoted else baseline,
            decision=found.decision,
            evidence={**self._progress(), **self._certified(state.chosen, found)},
            caveats=(*setup.caveats, *found.caveats),
        )

    def state_dict(self) -> Mapping[str, Json]:
        return {
            "version": _STATE_VERSION,
            "algorithm": self._name,
            "problem": self._fingerprint,
            "search": to_json(self.own),
            **to_json(self.state),
        }

    def load_state_dict(self, state: Mapping[str, Json]) -> None:
        if state.get("algorithm") != self._name:
            raise ValueError(f"this state is not one of '{self._name}'")
        if state.get("version") != _STATE_VERSION:
            raise ValueError(
                f"this state of '{self._name}' was saved by another version of Tau (its format is "
                f"{state.get('version')}, this version reads {_STATE_VERSION}): finish the run "
                "with the version that began it, or begin a new one (--new)"
            )
        if state.get("problem") != self._fingerprint:
            raise ValueError("this state belongs to other examples, resources or settings")
        own = from_json(self._kind, state.get("search"))
        loaded = from_json(SearchState, {k: v for k, v in state.items() if k not in _HEAD})
        baseline = self.setup.problem.seed_resources.hash
        if loaded.pool.baseline != baseline or baseline not in loaded.pool.members:
            raise ValueError("this state belongs to other resources")
        try:
            wave = requests_of(self.setup, loaded)
        except KeyError as error:
            raise ValueError(f"this state asks for what it does not hold: {error}") from error
        self.state, self.own, self._wave = loaded, own, wave

    # --- inside

    def _leader(self) -> ResourcesHash:
        return best_safe(self.state.pool, self._strategy.ranked(self.own, self.state.pool))

    def _concluded(self, state: SearchState, own: S) -> SearchState:
        """Once nothing is due any more: the winner, and its certification."""
        if state.due or state.requests:
            return state
        return concluded(self.setup, state, self._strategy.ranked(own, state.pool))

    def _limited_by(self) -> list[str]:
        setup, state = self.setup, self.state
        chosen = None if state.due or state.cut else state.chosen
        certification = setup.certification(state.claimed)
        ledger = setup.ledger(state.spent)
        return limited_by(state.pool, chosen, ledger, certification, setup.least)

    def _finding(self, chosen: ResourcesHash) -> Finding:
        pool, proposals = self.state.pool, self.state.proposals
        economy = self.setup.economy(self.state.measured)
        why = no_winner(pool, economy.why_none, proposals)
        searched = bool(pool.tried or not proposals.lost)
        certification = self.setup.certification(self.state.claimed)
        return certification.decide(pool, economy, chosen, why, searched=searched)

    def _progress(self) -> Mapping[str, Json]:
        setup, state = self.setup, self.state
        ending = "certification" if state.due else "finished"
        return {
            "candidates": state.pool.tried,
            **state.proposals.report(),
            "stopped": state.stop_reason,
            "phase": "search" if state.chosen is None else ending,
            "leader": state.chosen or self._leader(),
            **setup.certification(state.claimed).known(),
            **setup.ledger(state.spent).report(),
            **setup.economy(state.measured).report(),
        }

    def _certified(self, chosen: ResourcesHash, found: Finding) -> Mapping[str, Json]:
        pool, certification = self.state.pool, self.setup.certification(self.state.claimed)
        return {
            **certification.evidence(found),
            "origin": pool[chosen].origin,
            "leader_mean": certification.mean(pool, chosen),
            "baseline_mean": certification.mean(pool, pool.baseline),
        }


def recorded(
    setup: SearchSetup, state: SearchState, results: Sequence[RolloutResult]
) -> SearchState:
    """`state` with the results of its wave folded in, and an empty agenda."""
    evaluated = [one for one in results if one.request.kind is RolloutKind.EVALUATE]
    pool = state.pool.recording(evaluated)
    per = setup.problem.calls_per_evaluation
    return replace(
        state,
        pool=pool,
        spent=state.spent.paying(results, calls_per_evaluation=per),
        measured=setup.economy(state.measured).recording(results, pool),
        due=(),
        requests=(),
    )


def concluded(
    setup: SearchSetup, state: SearchState, ranked: Sequence[ResourcesHash]
) -> SearchState:
    """`state` with the winner of a search that has ended, its certification on the agenda."""
    pool, economy = state.pool, setup.economy(state.measured)
    chosen = winner(pool, economy, ranked)
    measured = replace(state.measured, front=economy.front(pool, pool.safe(pool.members)))
    state = replace(
        state,
        chosen=chosen,
        pool=pool.keeping([chosen]),
        measured=measured.keeping({pool.baseline, chosen}),
    )
    if chosen == pool.baseline:
        return state
    left = setup.ledger(state.spent).evaluations_left()
    certification = setup.certification(state.claimed).within(left, varying=setup.problem.varying)
    due = tuple(
        DueEvaluation(candidate=name, example=row.id, replicate=number)
        for number in range(certification.replicates)
        for row in certification.rows
        for name in (pool.baseline, chosen)
    )
    claimed = certification.claimed(setup.parts)
    return replace(state, claimed=claimed, due=due, certified=not due)


def requests_of(setup: SearchSetup, state: SearchState) -> tuple[RolloutRequest, ...]:
    """The agenda as a wave; requests first: they take longest."""
    asked = [one.request(state.pool[one.parents[0]].resources) for one in state.requests]
    evaluated = [
        RolloutRequest(
            kind=RolloutKind.EVALUATE,
            resources=state.pool[one.candidate].resources,
            example=setup.examples[one.example],
            replicate=one.replicate,
            reusable=state.chosen is None,
        )
        for one in state.due
    ]
    return (*asked, *evaluated)

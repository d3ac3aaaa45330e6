"""The state that all searches share, and the one step in which an algorithm may change it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tau.algorithms.budget_ledger import Spent
from tau.algorithms.certification import ClaimedRows
from tau.algorithms.economy import Measured
from tau.algorithms.pool import Candidate, CandidatePool
from tau.algorithms.prompts import PromptParseError
from tau.algorithms.proposers import ProposalRequest
from tau.algorithms.refusals import Refusals
from tau.algorithms.setup import SearchSetup
from tau.domain.ids import ExampleId, ResourcesHash
from tau.domain.resources import Resources
from tau.domain.rollout import RolloutResult

_ORIGIN_DIGITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class DueEvaluation:
    """An evaluation on the agenda."""

    candidate: ResourcesHash
    example: ExampleId
    replicate: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchState:
    """Where a search stands, whatever its algorithm; a checkpoint holds it field by field.

    `due` and `requests` are the agenda: together the next wave. `origins` keep how each candidate
    was made, by the first digits of its hash. `told` is a hash of the wave that was told last.
    Once the search has `chosen` its winner, only certification is on the agenda; `cut` counts the
    evaluations of it that a limit ended. Displays read `origins` and `proposals` in a checkpoint.
    """

    pool: CandidatePool
    origins: Mapping[str, str]
    claimed: ClaimedRows
    due: tuple[DueEvaluation, ...] = ()
    requests: tuple[ProposalRequest, ...] = ()
    asked: int = 0
    proposals: Refusals = field(default_factory=Refusals)
    spent: Spent = field(default_factory=Spent)
    measured: Measured = field(default_factory=Measured)
    told: str = ""
    stop_reason: str = ""
    chosen: ResourcesHash | None = None
    certified: bool = False
    cut: int = 0

    @classmethod
    def first(cls, setup: SearchSetup) -> "SearchState":
        """Before anything was asked for."""
        pool = CandidatePool.of(setup.problem.seed_resources)
        return cls(
            pool=pool,
            origins={pool.baseline[:_ORIGIN_DIGITS]: pool[pool.baseline].origin},
            claimed=setup.planned.claimed(setup.parts),
        )


class Turn:
    """One step of an algorithm: what it knows, what it puts on the agenda.

    Made of a frozen state with an empty agenda, and frozen again by `ended`. `results` are those
    of the last wave, `answers` those to its requests. `reserved` evaluations are for certification.
    """

    def __init__(
        self,
        setup: SearchSetup,
        state: SearchState,
        answers: Sequence[tuple[ProposalRequest, RolloutResult]] = (),
        results: Sequence[RolloutResult] = (),
    ) -> None:
        self.answers = answers
        self.results = results
        self.pool = state.pool
        self.stop_reason = state.stop_reason
        self.asked = state.asked
        self.requests: list[ProposalRequest] = []
        self._setup = setup
        self._state = state
        self._ledger = setup.ledger(state.spent)
        self.reserved = 2 * len(state.claimed.places) * state.claimed.replicates
        self._due: dict[tuple[ResourcesHash, ExampleId], None] = {}
        self._origins = dict(state.origins)
        self._refusals = state.proposals

    def ended(self) -> SearchState:
        """The state after it."""
        due = tuple(DueEvaluation(candidate=name, example=row) for name, row in self._due)
        return replace(
            self._state,
            pool=self.pool,
            origins=self._origins,
            due=due,
            requests=tuple(self.requests),
            asked=self.asked,
            proposals=self._refusals,
            stop_reason=self.stop_reason,
        )

    @property
    def measuring(self) -> bool:
        """Whether evaluations are on the agenda."""
        return bool(self._due)

    @property
    def idle(self) -> bool:
        """Whether nothing is on the agenda."""
        return not (self._due or self.requests)

    @property
    def budget_left(self) -> int:
        """Evaluations left for the search, what is on the agenda and certification set aside."""
        left = self._ledger.evaluations_left(proposals=len(self.requests))
        return max(0, left - len(self._due) - self.reserved)

    @property
    def proposals_left(self) -> int:
        """Proposals left, what is on the agenda and certification set aside."""
        due = len(self._due) + self.reserved
        return max(0, self._ledger.proposals_left(evaluations=due) - len(self.requests))

    def evaluate(self, names: Sequence[ResourcesHash], rows: Sequence[ExampleId]) -> bool:
        """Put what is not known yet on the agenda, example by example, within the budget.

        Every candidate gets the same rows: where the budget does not reach, the last ones go, and
        the answer is False.
        """
        for row in rows:
            missing = [
                (name, row)
                for name in names
                if (row, 0) not in self.pool.table[name].cells and (name, row) not in self._due
            ]
            if len(missing) > self.budget_left:
                return False
            self._due.update(dict.fromkeys(missing))
        return True

    def withdraw(self) -> None:
        """Take the evaluations off the agenda again."""
        self._due.clear()

    def propose(self, request: ProposalRequest) -> bool:
        """Put a question on the agenda; False where no proposal is left."""
        if self.proposals_left < 1:
            return False
        self.asked += 1
        self.requests.append(replace(request, slot=self.asked))
        return True

    def read(
        self, answers: Sequence[tuple[ProposalRequest, RolloutResult]], *, generation: int
    ) -> list[Candidate]:
        """The candidates in `answers`; what cannot be used is asked for once more."""
        found = []
        proposers = self._setup.proposers
        for request, result in answers:
            known = [one for name in request.parents if (one := self.pool.members.get(name))]
            if result.output is None or len(known) < len(request.parents):
                lost = result.failure
                self.refuse(result, "its parent is gone" if lost is None else lost.message)
                continue
            try:
                made, note = proposers.made(request, known, result.output, generation=generation)
            except PromptParseError as error:
                again = proposers.repair(request, result.output.text, str(error))
                asked = not request.repaired and self.propose(again)
                self.refuse(result, str(error), lost=not asked)
                continue
            found.append(made)
            if note:
                self._refusals = self._refusals.noting(result, note)
        return found

    def refuse(self, result: RolloutResult, why: str, *, lost: bool = True) -> None:
        """An answer could not be used."""
        self._refusals = self._refusals.refusing(result, why, lost=lost)

    def knows(self, resources: Resources) -> bool:
        """Whether there ever was such a candidate."""
        return resources.hash[:_ORIGIN_DIGITS] in self._origins

    def add(self, candidate: Candidate) -> bool:
        """Take a new one into the pool; False where there was one like it before."""
        if self.knows(candidate.resources):
            return False
        self._origins[candidate.hash[:_ORIGIN_DIGITS]] = candidate.origin
        self.pool = self.pool.adding(candidate)
        return True

    def stop(self, reason: str) -> None:
        """Say why the search ends; the first reason counts."""
        self.stop_reason = self.stop_reason or reason

"""What all searching algorithms share: waves from a stored agenda, a pool, a budget, the end."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from tau.algorithms.certification import Certification
from tau.algorithms.demonstrations import longest
from tau.algorithms.economy import Economy
from tau.algorithms.ending import limited_by, no_winner
from tau.algorithms.finding import Finding
from tau.algorithms.parts import divide
from tau.algorithms.pool import Candidate, Pool
from tau.algorithms.prompts import Unusable, targets_of
from tau.algorithms.proposers import Draft, Proposers
from tau.algorithms.purse import EVALUATIONS_PER_PROPOSAL, Purse, allowance
from tau.algorithms.refusals import Refusals
from tau.algorithms.settings import SearchSettings, fingerprint
from tau.domain.dataset import Example
from tau.domain.ids import ExampleId, ResourcesHash
from tau.domain.json import Json, content_hash
from tau.domain.rollout import RolloutKind, RolloutRequest, RolloutResult, RolloutStatus
from tau.ports.algorithm import LIMITED_BY, Plan, Problem, Recommendation

_STATE_VERSION = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """An evaluation that is due."""

    candidate: ResourcesHash
    example: ExampleId
    replicate: int = 0


class Search(ABC):
    """An algorithm whose next wave is an agenda in its state.

    Subclasses put evaluations and drafts on the agenda, in `begin` and then whenever results are
    in (`advance`); an empty agenda ends the search, and the winner meets the baseline. `shown` rows
    with right answers may stand in a candidate's prompt.
    """

    name: ClassVar[str]
    least_proposals: ClassVar[int] = 1
    evaluations_per_proposal: ClassVar[int] = EVALUATIONS_PER_PROPOSAL
    pool: Pool
    economy: Economy
    purse: Purse
    shown: int = 0
    cells: list[Cell]
    drafts: list[Draft]
    asked: int
    refusals: Refusals
    stop_reason: str
    _told: str
    _chosen: ResourcesHash | None
    _certified: bool
    _cut: int
    _wave: tuple[RolloutRequest, ...] | None

    def __init__(self, settings: SearchSettings, problem: Problem) -> None:
        self.settings = settings
        self.problem = problem
        self.seed = problem.seed
        self.parts = divide(problem, alpha=settings.alpha)
        everything = (*self.parts.breed, *self.parts.select, *self.parts.certify)
        columns = {name for one in everything for name in one.fields}
        self.targets = targets_of(
            problem.seed_resources, settings.targets, problem.template, columns
        )
        self.examples: dict[ExampleId, Example] = {one.id: one for one in everything}
        self.allowed = allowance(
            problem.budget,
            settings.evaluations,
            settings.proposals if self.least_proposals else 0,
            calls_per_evaluation=problem.calls_per_evaluation,
            evaluations_per_proposal=self.evaluations_per_proposal,
        )
        least = self.least()
        self.certification = Certification.planned(
            self.parts,
            settings,
            evaluations=self.allowed.evaluations,
            search=least,
            terms=problem.claim,
        )
        cost = self.certification.cost
        self.allowed.check(self.name, least, certification=cost, proposals=self.least_proposals)
        self.proposers = Proposers.of(settings, self.targets, self.parts.breed, problem.claim)
        self._reset()
        self.begin()

    # --- for subclasses

    @abstractmethod
    def least(self) -> int:
        """The fewest evaluations with which a search makes sense, certification aside."""

    @abstractmethod
    def begin(self) -> None:
        """Put the first wave on the agenda."""

    @abstractmethod
    def advance(self, answers: Sequence[tuple[Draft, RolloutResult]]) -> None:
        """Put the next wave on the agenda; evaluations are in the pool already."""

    def observe(self, results: Sequence[RolloutResult]) -> None:  # noqa: B027  (not all need it)
        """Look at results for more than scores and failures, before `advance`."""

    @abstractmethod
    def ranked(self) -> Sequence[ResourcesHash]:
        """Who could be certified, the best first."""

    def winner(self) -> ResourcesHash:
        """The candidate to certify: the best safe one; the baseline where none was better."""
        safe = (name for name in self.ranked() if name not in self.pool.gated)
        return next(safe, self.pool.baseline)

    @abstractmethod
    def memo(self) -> Json:
        """The subclass's own state."""

    @abstractmethod
    def load_memo(self, memo: Any) -> None:  # noqa: ANN401  (JSON)
        """What `memo` gave; TypeError, KeyError or ValueError for anything else."""

    @property
    def caveats(self) -> tuple[str, ...]:
        """What weakens any claim of this search, whatever it finds."""
        return (*self.parts.caveats, *self.certification.level.caveats)

    @property
    def budget_left(self) -> int:
        """Evaluations left for the search, drafts on the agenda and certification set aside."""
        due = len(self.drafts)
        left = self.purse.evaluations_left(proposals=due)
        return max(0, left - len(self.cells) - self.certification.cost)

    @property
    def proposals_left(self) -> int:
        """Proposals left, evaluations on the agenda and certification set aside."""
        due = len(self.cells) + self.certification.cost
        return max(0, self.purse.proposals_left(evaluations=due) - len(self.drafts))

    def evaluate(self, names: Sequence[ResourcesHash], rows: Sequence[ExampleId]) -> bool:
        """Put what is not known yet on the agenda, example by example, within the budget.

        Every candidate gets the same rows: where the budget does not reach, the last ones go, and
        the answer is False.
        """
        due = {(cell.candidate, cell.example) for cell in self.cells}
        for row in rows:
            missing = [
                name
                for name in names
                if (row, 0) not in self.pool.table[name].cells and (name, row) not in due
            ]
            if len(missing) > self.budget_left:
                return False
            self.cells += [Cell(candidate=name, example=row) for name in missing]
        return True

    def draft(self, draft: Draft) -> bool:
        """Put a question on the agenda; False where no proposal is left."""
        if self.proposals_left < 1:
            return False
        self.asked += 1
        self.drafts.append(replace(draft, slot=self.asked))
        return True

    def read(self, answers: Sequence[tuple[Draft, RolloutResult]], *, born: int) -> list[Candidate]:
        """The candidates in `answers`; what cannot be used is asked for once more."""
        found = []
        for draft, result in answers:
            parents = [self.pool.members.get(name) for name in draft.parents]
            known = [one for one in parents if one is not None]
            if result.output is None or len(known) < len(parents):
                lost = result.failure
                why = "its parent is gone" if lost is None else lost.message
                self.refusals.refuse(result, why, lost=True)
                continue
            try:
                made, note = self.proposers.made(draft, known, result.output, born=born)
            except Unusable as error:
                again = self.proposers.repair(draft, result.output.text, str(error))
                asked = not draft.repaired and self.draft(again)
                self.refusals.refuse(result, str(error), lost=not asked)
                continue
            found.append(made)
            if note:
                self.refusals.note(result, note)
        return found

    def stop(self, reason: str) -> None:
        """Say why the search ends; the first reason counts."""
        self.stop_reason = self.stop_reason or reason

    # --- the port

    @classmethod
    def build(cls, settings: Any, problem: Problem) -> Self:  # noqa: ANN401
        return cls(settings, problem)

    @classmethod
    def plan(cls, settings: Any, problem: Problem) -> Plan:  # noqa: ANN401
        """See ports.algorithm.Planner."""
        search = cls(settings, problem)
        allowed, per = search.allowed, problem.calls_per_evaluation
        return Plan(
            evaluations=allowed.evaluations,
            proposals=allowed.proposals,
            rollouts=allowed.evaluations + allowed.proposals,
            calls=allowed.evaluations * per + allowed.proposals,
            **search.certification.forecast(),
            least_rollouts=search.least() + cls.least_proposals,
            shown_bytes=longest(search.parts.breed, search.shown, search.targets),
            caveats=search.caveats,
        )

    def ask(self) -> Sequence[RolloutRequest]:
        if self._wave is None:
            self._wave = tuple(self._requests())
        return self._wave

    def tell(self, results: Sequence[RolloutResult]) -> None:
        told = content_hash([list(result.request.key) for result in results])
        if told == self._told:
            return
        wave = self.ask()
        if not wave or told != content_hash([list(request.key) for request in wave]):
            raise ValueError(
                "these are not the results of the wave: tell what ask() returned, in order"
            )
        answers = list(zip(self.drafts, results, strict=False))
        self.drafts, self.cells, self._wave, self._told = [], [], None, told
        self.purse.pay(results)
        self.pool.record([one for one in results if one.request.kind is RolloutKind.EVALUATE])
        self.economy.record(results, self.pool)
        if self._chosen is None:
            self.observe(results)
            self.advance(answers)
            self._end_search()
        else:
            self._cut = sum(one.status is RolloutStatus.CANCELLED for one in results)
            self._certified = not self._cut

    def best(self) -> Recommendation:
        """The baseline until the winner has been proved better."""
        baseline = self.problem.seed_resources
        short = self._limited_by()
        open_ = self._chosen != self.pool.baseline and not self._certified
        if self._chosen is None or open_ or short:
            return Recommendation(
                resources=baseline,
                evidence={**self._report(None), **({LIMITED_BY: short} if short else {})},
                caveats=(self.certification.undecided(self._cut), *self.caveats),
            )
        found = self._certificate()
        promoted = found.decision == "promote"
        return Recommendation(
            resources=self.pool[self._chosen].resources if promoted else baseline,
            decision=found.decision,
            evidence=self._report(found),
            caveats=(*self.caveats, *found.caveats),
        )

    def state_dict(self) -> Mapping[str, Json]:
        return {
            "version": _STATE_VERSION,
            "algorithm": self.name,
            "problem": fingerprint(self.settings, self.problem),
            "pool": self.pool.to_json(),
            "origins": dict(self.pool.origins),
            "purse": self.purse.to_json(),
            "cells": [[one.candidate, one.example, one.replicate] for one in self.cells],
            "drafts": [one.to_json() for one in self.drafts],
            "asked": self.asked,
            "proposals": self.refusals.to_json(),
            "told": self._told,
            "chosen": self._chosen,
            "certified": self._certified,
            "certification": self.certification.to_json(self.parts),
            "economy": self.economy.to_json(),
            "stop_reason": self.stop_reason,
            "memo": self.memo(),
        }

    def load_state_dict(self, state: Mapping[str, Json]) -> None:
        if state.get("version") != _STATE_VERSION or state.get("algorithm") != self.name:
            raise ValueError(f"this state is not one of this version of '{self.name}'")
        if state.get("problem") != fingerprint(self.settings, self.problem):
            raise ValueError("this state belongs to other examples, resources or settings")
        other = type(self)(self.settings, self.problem)
        try:
            other._load(state)
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"this state is not one of '{self.name}': {error}") from error
        self.__dict__.update(other.__dict__)

    # --- inside

    def _reset(self) -> None:
        self.pool = Pool(self.problem.seed_resources)
        self.economy = Economy(self.problem.claim)
        self.purse = Purse(
            self.problem.budget,
            self.allowed,
            calls_per_evaluation=self.problem.calls_per_evaluation,
        )
        self.cells, self.drafts = [], []
        self.asked = 0
        self.refusals = Refusals()
        self.stop_reason = self._told = ""
        self._chosen, self._certified, self._cut, self._wave = None, False, 0, None

    def _load(self, state: Any) -> None:  # noqa: ANN401  (JSON)
        self.pool = Pool.from_json(state["pool"], state["origins"], self.problem.seed_resources)
        self.purse.load(state["purse"])
        self.cells = [Cell(candidate=c, example=e, replicate=r) for c, e, r in state["cells"]]
        self.drafts = [Draft.from_json(one) for one in state["drafts"]]
        self.asked = int(state["asked"])
        self.refusals = Refusals.from_json(state["proposals"])
        self.stop_reason, self._told = str(state["stop_reason"]), str(state["told"])
        self._chosen, self._certified = state["chosen"], bool(state["certified"])
        self.certification = Certification.from_json(
            state["certification"], self.parts, self.settings, self.problem.claim
        )
        self.economy.load(state["economy"])
        self.load_memo(state["memo"])
        self._wave = None
        self.ask()

    def _requests(self) -> list[RolloutRequest]:
        """Drafts first: they take longest."""
        asked = [draft.request(self.pool[draft.parents[0]].resources) for draft in self.drafts]
        evaluated = [
            RolloutRequest(
                kind=RolloutKind.EVALUATE,
                resources=self.pool[cell.candidate].resources,
                example=self.examples[cell.example],
                replicate=cell.replicate,
                reusable=self._chosen is None,
            )
            for cell in self.cells
        ]
        return [*asked, *evaluated]

    def _end_search(self) -> None:
        """Once nothing is due any more: the winner, and its certification."""
        if self.cells or self.drafts:
            return
        chosen = self._chosen = self.economy.choose(self.pool, self.winner())
        self.pool.keep([chosen])
        self.economy.keep([self.pool.baseline, chosen])
        if chosen == self.pool.baseline:
            return
        self.certification = self.certification.within(self.purse.evaluations_left())
        for row in self.certification.rows:
            self.cells += [
                Cell(candidate=name, example=row.id) for name in (self.pool.baseline, chosen)
            ]
        self._certified = not self.cells

    def _certificate(self) -> Finding:
        assert self._chosen is not None
        why = no_winner(self.pool, self.economy.why_none, self.refusals)
        searched = bool(self.pool.tried or not self.refusals.lost)
        return self.certification.decide(
            self.pool, self.economy, self._chosen, why, searched=searched
        )

    def _limited_by(self) -> list[str]:
        chosen = None if self.cells or self._cut else self._chosen
        return limited_by(self.pool, chosen, self.purse, self.certification, self.least())

    def _report(self, found: Finding | None) -> Mapping[str, Json]:
        ending = "certification" if self.cells else "finished"
        told: dict[str, Json] = {
            "candidates": self.pool.tried,
            **self.refusals.report(),
            "stopped": self.stop_reason,
            "phase": "search" if self._chosen is None else ending,
            "leader": self._chosen or self.winner(),
            **self.certification.known(),
            **self.purse.report(),
            **self.economy.report(),
        }
        if found is None or self._chosen is None:
            return told
        return {
            **told,
            **self.certification.evidence(found),
            "origin": self.pool[self._chosen].origin,
            "leader_mean": self.certification.mean(self.pool, self._chosen),
            "baseline_mean": self.certification.mean(self.pool, self.pool.baseline),
        }

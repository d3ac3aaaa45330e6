"""What a search is given and never changes: derived once from its settings and its problem."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tau.algorithms.budget_ledger import Allowance, BudgetLedger, Spent, allowance
from tau.algorithms.certification import Certification, ClaimedRows
from tau.algorithms.economy import Economy, Measured
from tau.algorithms.parts import ExampleParts, divide
from tau.algorithms.prompts import PromptTarget, targets_of
from tau.algorithms.proposers import Proposers
from tau.algorithms.search_settings import SearchSettings
from tau.domain.dataset import Example
from tau.domain.ids import ExampleId
from tau.ports.algorithm import Problem

G = TypeVar("G", bound=SearchSettings)

Least = Callable[[G, ExampleParts, Allowance], int]
"""The fewest evaluations with which a search makes sense, certification aside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSetup:
    """`least` evaluations make sense; `planned` is the certification before any is spent."""

    settings: SearchSettings
    problem: Problem
    parts: ExampleParts
    targets: tuple[PromptTarget, ...]
    examples: Mapping[ExampleId, Example]
    allowed: Allowance
    least: int
    planned: Certification
    proposers: Proposers

    @classmethod
    def of(
        cls,
        settings: G,
        problem: Problem,
        *,
        name: str,
        least: Least[G],
        proposals: int,
        evaluations_per_proposal: int,
    ) -> "SearchSetup":
        """For the search `name`, which takes `proposals` at least.

        Raises:
            InputError: the problem cannot be worked on with these settings.
        """
        parts = divide(problem, alpha=settings.alpha)
        everything = (*parts.feedback, *parts.select, *parts.certify)
        targets = _targets(settings, problem, everything)
        allowed = allowance(
            problem.budget,
            settings.evaluations,
            settings.proposals if proposals else 0,
            calls_per_evaluation=problem.calls_per_evaluation,
            evaluations_per_proposal=evaluations_per_proposal,
        )
        fewest = least(settings, parts, allowed)
        planned = Certification.planned(
            parts, settings, evaluations=allowed.evaluations, search=fewest, terms=problem.claim
        )
        allowed.check(name, fewest, certification=planned.cost, proposals=proposals)
        return cls(
            settings=settings,
            problem=problem,
            parts=parts,
            targets=targets,
            examples={one.id: one for one in everything},
            allowed=allowed,
            least=fewest,
            planned=planned,
            proposers=Proposers.of(
                settings,
                targets,
                parts.feedback,
                claim=problem.claim,
                purpose=problem.purpose,
                metric=problem.metric,
            ),
        )

    @property
    def caveats(self) -> tuple[str, ...]:
        """What weakens any claim of this search, whatever it finds."""
        return (*self.parts.caveats, *self.planned.level.caveats)

    def ledger(self, spent: Spent) -> BudgetLedger:
        """The budget after what was spent."""
        return BudgetLedger(
            budget=self.problem.budget,
            allowed=self.allowed,
            calls_per_evaluation=self.problem.calls_per_evaluation,
            spent=spent,
        )

    def economy(self, measured: Measured) -> Economy:
        """What candidates cost, as far as the claim is about it."""
        return Economy(terms=self.problem.claim, measured=measured)

    def certification(self, claimed: ClaimedRows) -> Certification:
        """The certification on the rows that a state has set aside."""
        return Certification.of(claimed, self.parts, self.settings, self.problem.claim)


def _targets(
    settings: SearchSettings, problem: Problem, examples: Sequence[Example]
) -> tuple[PromptTarget, ...]:
    return targets_of(
        problem.seed_resources,
        settings.targets,
        problem.template,
        {column for one in examples for column in one.fields},
        sources=problem.sources,
        check=problem.check,
    )

"""What may still be spent: never more is asked for than the budget holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil

from tau.domain.json import Json
from tau.domain.rollout import RolloutKind, RolloutResult
from tau.domain.spend import Budget, Spend
from tau.errors import InputError

DEFAULT_EVALUATIONS = 600
"""Where neither settings nor budget say how many."""
EVALUATIONS_PER_PROPOSAL = 25
_COST_MARGIN = 1.25
"""Costs of later rollouts may be so much above the mean so far (longer prompts)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """How many evaluations and proposals a run may make, retries aside."""

    evaluations: int
    proposals: int

    def check(self, name: str, least: int, *, certification: int, proposals: int) -> None:
        """Refuse what is too little for the search `name`, before anything is spent.

        `least` evaluations and `proposals` make sense, `certification` comes on top.

        Raises:
            InputError: it is too little.
        """
        if self.evaluations >= least and self.proposals >= proposals:
            return
        raise InputError(
            f"the budget is too small to try even a few candidates with '{name}'",
            where="budget",
            why=(
                f"it buys {self.evaluations} evaluations and {self.proposals} proposals; "
                f"{least + certification} evaluations and {proposals} proposals are the least"
            ),
            fix="raise the budget, or 'algorithm.evaluations' and 'algorithm.proposals'",
        )


def allowance(
    budget: Budget,
    evaluations: int | None,
    proposals: int | None,
    *,
    calls_per_evaluation: int,
    evaluations_per_proposal: int = EVALUATIONS_PER_PROPOSAL,
) -> Allowance:
    """What settings and budget allow together; proposals are taken from the budget first.

    Without `proposals`, there is one for each `evaluations_per_proposal` of the first 600, then one
    for each 25: once leaders are known, it is ideas that a search lacks.
    """
    most: list[int] = [] if evaluations is None else [evaluations]
    per = calls_per_evaluation
    if budget.rollouts is not None:
        asked = _proposals(budget.rollouts, proposals, evaluations_per_proposal)
        most.append(budget.rollouts - asked)
    if budget.calls is not None and per:
        asked = _proposals(budget.calls // per, proposals, evaluations_per_proposal)
        most.append((budget.calls - asked) // per)
    allowed = max(0, min(most, default=DEFAULT_EVALUATIONS))
    wanted = proposals
    if wanted is None:
        wanted = _proposals(allowed, None, evaluations_per_proposal)
    if budget.rollouts is not None:
        wanted = min(wanted, budget.rollouts - allowed)
    if budget.calls is not None:
        wanted = min(wanted, budget.calls - allowed * per)
    return Allowance(evaluations=allowed, proposals=max(0, wanted))


def _proposals(evaluations: int, proposals: int | None, each: int) -> int:
    if proposals is None:
        first = min(evaluations, DEFAULT_EVALUATIONS)
        proposals = ceil(first / each + (evaluations - first) / EVALUATIONS_PER_PROPOSAL)
    return min(proposals, evaluations // 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a search has used so far; `total` counts retries too."""

    evaluations: int = 0
    proposals: int = 0
    total: Spend = field(default_factory=Spend)

    def paying(self, results: Sequence[RolloutResult], *, calls_per_evaluation: int) -> "Spent":
        """With a wave counted."""
        proposals = sum(one.request.kind is RolloutKind.PROPOSE for one in results)
        total = self.total
        for result in results:
            if result.reused:
                continue
            proposed = result.request.kind is RolloutKind.PROPOSE
            spent = result.spent
            total += Spend(
                rollouts=max(1, spent.rollouts),
                calls=max(1 if proposed else calls_per_evaluation, spent.calls),
                tokens=spent.tokens,
                cost_nano_usd=spent.cost_nano_usd,
            )
        return Spent(
            evaluations=self.evaluations + len(results) - proposals,
            proposals=self.proposals + proposals,
            total=total,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetLedger:
    """What the budget leaves after what was spent, retries included."""

    budget: Budget
    allowed: Allowance
    calls_per_evaluation: int
    spent: Spent

    def evaluations_left(self, *, proposals: int = 0) -> int:
        """How many evaluations can be made beside so many proposals."""
        left = self.allowed.evaluations - self.spent.evaluations
        return max(0, min(left, *self._limits(proposals, self.calls_per_evaluation)))

    def proposals_left(self, *, evaluations: int = 0) -> int:
        """How many proposals can be made beside so many evaluations."""
        left = self.allowed.proposals - self.spent.proposals
        return max(
            0, min(left, *self._limits(evaluations * self.calls_per_evaluation, 1, evaluations))
        )

    def short(self, evaluations: int) -> list[str]:
        """The hard limits that do not leave so many evaluations."""
        return [
            name
            for name, left in self._hard(0, self.calls_per_evaluation).items()
            if left < evaluations
        ]

    def _limits(self, calls: int, per: int, rollouts: int | None = None) -> list[int]:
        """What each limit leaves, after `calls` and `rollouts` for something else."""
        every = self.allowed.evaluations + self.allowed.proposals
        return [every, *self._hard(calls, per, rollouts).values()]

    def _hard(self, calls: int, per: int, rollouts: int | None = None) -> dict[str, int]:
        """Of the hard limits, by name; later rollouts are taken to need as many retries."""
        budget, spent, per_evaluation = self.budget, self.spent.total, self.calls_per_evaluation
        other = calls if rollouts is None else rollouts
        found: dict[str, int] = {}
        if budget.rollouts is not None:
            retried = self._rate(spent.rollouts, self.spent.evaluations + self.spent.proposals)
            found["rollouts"] = int((budget.rollouts - spent.rollouts) / retried) - other
        if budget.calls is not None and per:
            retried = self._rate(
                spent.calls, self.spent.evaluations * per_evaluation + self.spent.proposals
            )
            found["calls"] = (int((budget.calls - spent.calls) / retried) - calls) // per
        for name, limit, used in (
            ("tokens", budget.tokens, spent.tokens),
            ("usd", budget.cost_nano_usd, spent.cost_nano_usd),
        ):
            if limit is not None and used > 0:
                each = used / spent.rollouts * _COST_MARGIN
                found[name] = int((limit - used) / each) - other
        return found

    @staticmethod
    def _rate(spent: int, planned: int) -> float:
        return max(1.0, spent / planned) if planned else 1.0

    def report(self) -> Mapping[str, Json]:
        """Planned against spent."""
        return {
            "planned": {
                "evaluations": self.allowed.evaluations,
                "proposals": self.allowed.proposals,
            },
            "spent": {
                "evaluations": self.spent.evaluations,
                "proposals": self.spent.proposals,
                "rollouts": self.spent.total.rollouts,
                "calls": self.spent.total.calls,
            },
        }

"""Why a budget ends a run, in words."""

from collections.abc import Callable, Sequence

from tau.domain.rollout import RolloutRequest, RolloutResult, RolloutStatus
from tau.domain.run import Run
from tau.domain.spend import NANO, Budget, Spend

_FIELDS = {
    "rollouts": "rollouts",
    "calls": "calls",
    "tokens": "tokens",
    "usd": "cost_nano_usd",
}
_FIX = {
    "tokens": "raise budget.tokens, or set a smaller max_tokens",
    "usd": "raise budget.usd, or set a smaller max_tokens",
    "calls": "raise budget.calls",
    "rollouts": "raise budget.rollouts",
}


def budget_end(
    refused: Sequence[str],
    run: Run,
    results: Sequence[RolloutResult],
    estimate: Callable[[RolloutRequest], Spend],
) -> str:
    """Why the limits `refused` end the run before all of `results` are settled."""
    waiting = (one.request for one in results if one.status is RolloutStatus.CANCELLED)
    needs = [estimate(request) for request in waiting]
    return "; ".join(_used_up(name, run.budget, run.spent, needs) for name in refused)


def _used_up(name: str, budget: Budget, spent: Spend, needs: Sequence[Spend]) -> str:
    """Why `name` covers none of the rollouts that wait; `needs` is what each may spend at most.

    A limit that something is left of says how much one rollout may need, as it is reserved.
    """
    field = _FIELDS[name]
    limit = getattr(budget, field)
    used = getattr(spent, field)
    need = max((getattr(one, field) for one in needs), default=0)
    if limit is None or used >= limit or need <= limit - used:
        return f"the budget of {name} is used up"
    if not used:
        return (
            f"the budget of {_said(name, limit)} covers not one rollout: one may need up to "
            f"{_said(name, need)}; {_FIX[name]}"
        )
    left = _said(name, limit - used, unit=False)
    return (
        f"the budget of {name} is used up: {left} of {_said(name, limit)} are left, and one "
        f"rollout may need up to {_said(name, need)}; {_FIX[name]}"
    )


def _said(name: str, number: int, *, unit: bool = True) -> str:
    if name == "usd":
        return f"${number / NANO:.6g}"
    return f"{number:,} {name}" if unit else f"{number:,}"

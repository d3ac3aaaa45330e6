"""What a configuration would cost and could show, told before anything is spent."""

from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from itertools import combinations

from tau.config.grouping import notes
from tau.config.run_settings import RunConfig
from tau.domain.dataset import Split
from tau.domain.json import content_hash
from tau.domain.resources import Resources
from tau.domain.rollout import RolloutKind, RolloutRequest
from tau.domain.spend import Budget, Spend
from tau.ports.algorithm import Plan
from tau.reports.wording import counted
from tau.scoring.power import fewest_for_margin
from tau.wiring.history import RunHistory, certified
from tau.wiring.parts import ExecutionParts, build_parts, plan_of
from tau.wiring.reserve import Reservation
from tau.wiring.stores import open_store

_SAMPLE = 50
_ALPHA = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The plan of an algorithm in rollouts, calls, tokens and money; every number is an upper one.

    `most` is what the plan would use without retries. `price_known` tells whether the money means
    anything.
    """

    plan: Plan
    budget: Budget
    most: Spend
    price_known: bool
    warnings: tuple[str, ...]


async def forecast(config: RunConfig, *, store: str | None = None) -> Forecast | None:
    """Look ahead without calling a model or writing; None where the algorithm can't say.

    Claims that runs in `store` have made count against rows that would certify again.

    Raises:
        InputError: the configuration cannot be carried out.
        StoreError: the store cannot be read.
    """
    async with AsyncExitStack() as closing:
        past = RunHistory()
        if store is not None:
            opened = await closing.enter_async_context(await open_store(store, read_only=True))
            past = RunHistory(certified=await certified(opened))
        parts = build_parts(config, closing)
        plan = plan_of(config, parts, past)
        if plan is None:
            return None
        # Tokens and money are only estimated under a budget that limits them.
        estimate = Reservation(replace(config, budget=Budget(tokens=0)), parts)
        each = _mean([estimate(request) for request in _sample(config, plan.shown_bytes)])
        ask = estimate(RolloutRequest(kind=RolloutKind.PROPOSE, resources=config.resources))
    most = _times(each, plan.evaluations) + _times(ask, plan.proposals)
    return Forecast(
        plan=plan,
        budget=config.budget,
        most=most,
        price_known=parts.prices_known,
        warnings=(*plan.caveats, *_warnings(config, plan, most)),
    )


def _sample(config: RunConfig, shown_bytes: int) -> list[RolloutRequest]:
    """Evaluations of the given prompts, demonstrations as long as can be in addition."""
    values = {**config.resources.values, "demonstrations": "-" * shown_bytes}
    resources = Resources(values=values) if shown_bytes else config.resources
    rows = [row for split in Split for row in config.examples[split][:_SAMPLE]]
    return [
        RolloutRequest(kind=RolloutKind.EVALUATE, resources=resources, example=row) for row in rows
    ]


def _mean(spends: Sequence[Spend]) -> Spend:
    total = sum(spends, Spend())
    count = max(1, len(spends))
    return Spend(
        rollouts=1,
        calls=-(-total.calls // count),
        tokens=-(-total.tokens // count),
        cost_nano_usd=-(-total.cost_nano_usd // count),
    )


def _times(spend: Spend, count: int) -> Spend:
    return Spend(
        rollouts=count * spend.rollouts,
        calls=count * spend.calls,
        tokens=count * spend.tokens,
        cost_nano_usd=count * spend.cost_nano_usd,
    )


def _warnings(config: RunConfig, plan: Plan, most: Spend) -> Iterator[str]:
    """What the budget cannot cover, and rows that stand in two splits."""
    yield from insufficient(config, plan)
    over = config.budget.refuses(most)
    if over:
        yield f"the budget of {' and '.join(over)} may end the run before the plan is through"
    if plan.proposals != 0:
        yield from shared_rows(config)
    if plan.certification:
        yield from notes(config)


def shared_rows(config: RunConfig) -> Iterator[str]:
    """Rows that choose or certify and were seen before: they make every gain look larger."""
    contents = {
        split: {content_hash(row.value) for row in config.examples[split]} for split in Split
    }
    for earlier, later in combinations(Split, 2):
        shared = len(contents[earlier] & contents[later])
        if shared:
            rows = "row of" if shared == 1 else "rows of"
            verb = "stands" if shared == 1 else "stand"
            yield (
                f"{shared:,} {rows} '{later}' {verb} in '{earlier}' too: what was learnt there "
                "is not proved by them"
            )


def insufficient(config: RunConfig, plan: Plan) -> Iterator[str]:
    """What the rows that certify cannot prove, whatever is found: to be said before all else."""
    if not plan.certification:
        return
    stated: float = getattr(config.algorithm.settings, "alpha", _ALPHA)
    alpha = stated if plan.level is None else plan.level
    noun = "group" if plan.groups < plan.certification else "row"
    terms = config.claim
    margins = {} if terms.margin is None else {"the score": terms.margin}
    margins |= {f"the guard '{guard.grader}'": guard.margin for guard in terms.guards}
    for what, margin in margins.items():
        wanted = fewest_for_margin(margin, alpha)
        if plan.groups < wanted:
            yield (
                f"{counted(plan.groups, noun)} that certify can never prove that {what} is not "
                f"worse by {100 * margin:.3g} points, and nothing will be promoted: at least "
                f"{wanted:,} {noun}s are needed{_by_budget(config, plan)}"
            )


def foretold(
    config: RunConfig, parts: ExecutionParts, past: RunHistory, *, resumed: bool
) -> tuple[str, ...]:
    """What to say before a new run spends anything."""
    plan = None if resumed else plan_of(config, parts, past)
    return () if plan is None else tuple(insufficient(config, plan))


def _by_budget(config: RunConfig, plan: Plan) -> str:
    """What keeps rows that there are from being used."""
    there = len(config.examples[Split.TEST])
    limited = config.budget != Budget() and plan.certification < there
    return f" (the budget lets {plan.certification:,} of {there:,} certify)" if limited else ""

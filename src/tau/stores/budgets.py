"""Whether budgets cover what is ready."""

from collections.abc import Iterable, Mapping

from tau.domain.spend import Budget, Spend
from tau.stores.amounts import amount
from tau.stores.rows import Row


def reserve(row: Row) -> Spend:
    """What an attempt at a ready rollout sets aside; its rollout only the first time."""
    return amount(
        0 if row["charged"] else row["reserve_rollouts"],
        row["reserve_calls"],
        row["reserve_tokens"],
        row["reserve_cost"],
    )


def refusals(run: Row, wanted: Spend) -> tuple[str, ...]:
    """The limits of `run` that `wanted` would exceed on top of what is spent and reserved."""
    limits = Budget(
        rollouts=run["limit_rollouts"],
        calls=run["limit_calls"],
        tokens=run["limit_tokens"],
        cost_nano_usd=run["limit_cost"],
    )
    used = Spend(
        rollouts=run["rollouts"],
        calls=run["calls"],
        tokens=run["tokens"],
        cost_nano_usd=run["cost"],
    )
    return limits.refuses(used + wanted)


def affordable(
    ready: Iterable[Row], runs: Mapping[int, Row], limit: int
) -> list[tuple[Row, Spend]]:
    """The oldest `limit` that their runs can pay for, each with what it reserves.

    A run that cannot pay for one of its rollouts gives none of the later ones either.
    """
    chosen: list[tuple[Row, Spend]] = []
    blocked = set()
    for row in ready:
        if len(chosen) == limit:
            break
        if row["run"] in blocked:
            continue
        run, wanted = runs[row["run"]], reserve(row)
        if run["limited"]:
            if refusals(run, wanted):
                blocked.add(row["run"])
                continue
            run["rollouts"] += wanted.rollouts
            run["calls"] += wanted.calls
            run["tokens"] += wanted.tokens
            run["cost"] += wanted.cost_nano_usd
        chosen.append((row, wanted))
    return chosen

"""Amounts of budget in rows."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from tau.domain.spend import Spend


@lru_cache(maxsize=1024)  # most rollouts of a run reserve and count the same
def amount(rollouts: int, calls: int, tokens: int, cost_nano_usd: int) -> Spend:
    """An amount by its parts; equal ones are made once."""
    return Spend(rollouts=rollouts, calls=calls, tokens=tokens, cost_nano_usd=cost_nano_usd)


def reserved(row: Mapping[str, Any]) -> Spend:
    """What an attempt or run has set aside."""
    return amount(
        row["reserved_rollouts"],
        row["reserved_calls"],
        row["reserved_tokens"],
        row["reserved_cost"],
    )


def spent_by_run(row: Mapping[str, Any]) -> Spend:
    """What a run has spent, with how much of it is assumed."""
    return replace(
        spent(row),
        assumed_tokens=row["assumed_tokens"],
        assumed_cost_nano_usd=row["assumed_cost"],
    )


def all_assumed(amount: Spend) -> Spend:
    """`amount`, of which nobody knows how much was really spent."""
    return replace(
        amount,
        assumed_tokens=amount.tokens,
        assumed_cost_nano_usd=amount.cost_nano_usd,
    )


def spent(row: Mapping[str, Any]) -> Spend:
    """What an attempt or run has spent."""
    return Spend(
        rollouts=row["spent_rollouts"],
        calls=row["spent_calls"],
        tokens=row["spent_tokens"],
        cost_nano_usd=row["spent_cost"],
    )

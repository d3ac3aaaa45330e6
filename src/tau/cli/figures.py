"""Numbers as people read them."""

from collections.abc import Mapping

from tau.domain.spend import Budget, Spend
from tau.readings.scores import SplitScore
from tau.reports.wording import counted as count
from tau.reports.wording import dollars as money

__all__ = [
    "ago", "assumed", "count", "duration", "evidence", "failures", "interval", "missing", "money",
    "of", "spending",
]  # fmt: skip


def duration(seconds: float) -> str:
    """`340 ms`, `4.1 s`, `12 s`, `3 min 5 s`, `2 h 10 min`."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def ago(age_s: float) -> str:
    """`now`, `40 s`, `18 min`, `5 h`, `12 days`: how long it has been."""
    if age_s < 5:
        return "now"
    if age_s < 60:
        return f"{age_s:.0f} s"
    if age_s < 3600:
        return f"{age_s // 60:.0f} min"
    if age_s < 48 * 3600:
        return f"{age_s // 3600:.0f} h"
    return f"{age_s // 86400:.0f} days"


def interval(split: SplitScore) -> str:
    """`0.712 (0.681 to 0.743)`, or that there is nothing yet."""
    if split.mean is None:
        return "no score"
    if split.low is None or split.high is None:
        return f"{split.mean:.3f}"
    return f"{split.mean:.3f} ({split.low:.3f} to {split.high:.3f})"


def missing(split: SplitScore) -> list[str]:
    """What does not enter the mean, by kind; empty where everything does."""
    kinds = (("unscored", split.unscored), ("failed", split.failed), ("cancelled", split.cancelled))
    return [f"{number:,} {name}" for name, number in kinds if number]


def evidence(split: SplitScore) -> str:
    """How many rows the score rests on, and what became of the others."""
    scored = [f"{split.scored:,} scored"] if split.scored else []
    return ", ".join([*scored, *missing(split)])


def failures(by_class: Mapping[str, int]) -> str:
    """`rate_limit 3, server 2`, the most frequent first."""
    ranked = sorted(by_class.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {number:,}" for name, number in ranked)


def spending(spent: Spend, budget: Budget | None = None) -> list[str]:
    """Calls, tokens and money used, each with its limit where there is one."""
    limits = budget or Budget()
    parts = [of(count(spent.calls, "call"), limits.calls)] if spent.calls else []
    if spent.tokens:
        parts.append(of(count(spent.tokens, "token"), limits.tokens))
    if spent.cost_nano_usd or limits.cost_nano_usd:
        parts.append(money(spent.cost_usd))
        if limits.cost_nano_usd is not None:
            parts[-1] += f" of {money(Spend(cost_nano_usd=limits.cost_nano_usd).cost_usd)}"
    return parts


def assumed(spent: Spend) -> str | None:
    """How much of the spend no provider has told; None where all of it is known."""
    parts = [count(spent.assumed_tokens, "token")] if spent.assumed_tokens else []
    if spent.assumed_cost_nano_usd:
        parts.append(money(spent.assumed_cost_usd))
    if not parts:
        return None
    verb = "was" if spent.assumed_tokens in (0, 1) and len(parts) == 1 else "were"
    return (
        f"of this, {' and '.join(parts)} {verb} not reported by the provider "
        "and counted as reserved"
    )


def of(text: str, limit: int | None) -> str:
    """`499 of 500`, without the limit where there is none."""
    return text if limit is None else f"{text} of {limit:,}"

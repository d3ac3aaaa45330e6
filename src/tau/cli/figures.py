"""Numbers as people read them."""

from collections.abc import Mapping

from tau.domain.spend import Budget, Spend
from tau.trainer.progress import SplitScore


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


def money(usd: float) -> str:
    """Dollars with two significant places below a cent, never a bare 0 for something."""
    if usd >= 1 or usd == 0:
        return f"${usd:,.2f}"
    return f"${usd:.4f}" if usd >= 0.0001 else "<$0.0001"


def count(number: int, noun: str) -> str:
    """`1 call`, `2,000 calls`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


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
    parts = [_of(count(spent.calls, "call"), limits.calls)] if spent.calls else []
    if spent.tokens:
        parts.append(_of(count(spent.tokens, "token"), limits.tokens))
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


def _of(text: str, limit: int | None) -> str:
    return text if limit is None else f"{text} of {limit:,}"

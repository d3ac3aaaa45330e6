"""What an optimization found, in words: the decision, what it rests on, and the changed prompt."""

from collections.abc import Iterator, Sequence
from typing import Any

from tau.cli import claiming, figures
from tau.cli.text import Column, line, shown, table
from tau.ports.algorithm import Plan
from tau.reports.account import Account, SplitAccount
from tau.reports.gain import Gain, p_text
from tau.reports.refused import counted, refused_lines
from tau.reports.wording import signed
from tau.reports.words import Change, Piece
from tau.scoring.aggregate import Estimate
from tau.trainer.report import RunReport

_CONTEXT = 60


def fields(report: RunReport) -> dict[str, Any]:
    """What the JSON result says beside what every run's says."""
    account = report.account
    if account is None:
        return {}
    return account_fields(account) | {"plan": plan_fields(report.plan) if report.plan else None}


def account_fields(account: Account) -> dict[str, Any]:
    """An account as JSON: candidates by hash, the diff as pieces."""
    gain = account.gain
    return {
        "baseline_hash": account.baseline.hash,
        "leader_hash": account.leader.hash,
        "candidates": account.tried,
        "unusable_answers": dict(counted(account.evidence, "unusable_answers")),
        "reason": account.reason,
        "gain": gain.to_json() if gain else None,
        "partial": account.partial.to_json() if account.partial else None,
        "comparison": [_split_fields(split) for split in account.splits()],
        "diff": {
            name: [[str(piece.change), piece.text] for piece in pieces]
            for name, pieces in account.diffs().items()
        },
        **claiming.claim_fields(account),
    }


def plan_fields(plan: Plan) -> dict[str, Any]:
    """A plan as JSON."""
    return {
        "evaluations": plan.evaluations,
        "proposals": plan.proposals,
        "rollouts": plan.rollouts,
        "calls": plan.calls,
        "certification_rows": plan.certification,
        "certification_groups": plan.groups,
        "certification_replicates": plan.certification_replicates,
        "independent_rows": plan.independent,
        "least_rollouts": plan.least_rollouts,
        "detectable_gain": plan.detectable,
        "caveats": list(plan.caveats),
    }


def claim(report: RunReport) -> Iterator[tuple[str, str]]:
    """What the decision rests on in figures, and what would settle it."""
    account = report.account
    assert account is not None
    gain = account.gain
    if gain is not None:
        yield "gain", gain_text(gain)
        yield "evidence", gain_evidence(gain)
        yield from claiming.group_facts(gain)
    yield from claiming.claim_facts(account)
    if account.reason:
        yield "why", account.reason
    if account.partial is not None:
        yield "part only", account.partial.text
    if gain is not None and gain.rows_to_settle is not None:
        yield "to settle", f"{gain.settling} would decide it"
    detectable = report.plan.detectable if report.plan else None
    if detectable is not None and "claim" not in account.evidence:
        yield "could show", f"gains from {detectable:+.3f} on, in 4 runs of 5"
    yield "tried", tried_text(account)
    yield from (("", told) for told in refused_lines(account.evidence))
    if report.plan is not None:
        yield "planned", against_plan(report.plan, account)
    stopped = account.evidence.get("stopped")
    if isinstance(stopped, str) and stopped:
        yield "stopped", stopped


def gain_text(gain: Gain) -> str:
    """`+0.225 (90 % interval +0.110 to +0.340), p = 0.0004`."""
    level = f"{100 * (1 - gain.alpha):.3g} %"
    return (
        f"{signed(gain.difference)} ({level} interval {signed(gain.low)} to {signed(gain.high)}), "
        f"p {p_text(gain.p_value)}" + (", one-sided" if gain.one_sided else "")
    )


def gain_evidence(gain: Gain) -> str:
    """How many examples it rests on, how many of them changed sides."""
    parts = [
        figures.count(gain.n, "paired example"),
        f"{len(gain.fixed):,} fixed",
        f"{len(gain.broken):,} broken",
    ]
    if gain.missing:
        parts.append(f"{gain.missing:,} missing")
    return ", ".join(parts)


def tried_text(account: Account) -> str:
    """How many candidates, and how many proposals came to none."""
    tried = figures.count(account.tried, "candidate")
    failed = account.evidence.get("failed_proposals")
    if not isinstance(failed, int) or not failed:
        return tried
    return f"{tried}; {figures.count(failed, 'proposal')} could not be used"


def against_plan(plan: Plan, account: Account) -> str:
    """Rollouts and calls used, of those planned."""
    spent = account.run.spent
    said = (
        f"{spent.rollouts:,} of {figures.count(plan.rollouts, 'rollout')}, "
        f"{spent.calls:,} of {figures.count(plan.calls, 'call')}"
    )
    if account.retries:
        said += f"; {figures.count(account.retries, 'attempt')} made again are not in the plan"
    return said


def split_table(account: Account, *, width: int | None = None) -> list[str]:
    """Baseline and best side by side; the splits that selected are not the claim."""
    return table(
        ("split", "baseline", "best", Column(name="examples", drop=1)),
        [
            (str(split.split), estimate_text(split.baseline), estimate_text(split.best),
             examples_text(split))
            for split in account.splits()
        ],
        width=width,
    )  # fmt: skip


def estimate_text(estimate: Estimate | None) -> str:
    """`0.712 (0.681 to 0.743)`, or `-`."""
    if estimate is None:
        return "-"
    return f"{estimate.mean:.3f} ({estimate.low:.3f} to {estimate.high:.3f})"


def examples_text(split: SplitAccount) -> str:
    """How many examples each of both rests on."""
    counts = [0 if one is None else one.n for one in (split.baseline, split.best)]
    return str(counts[0]) if counts[0] == counts[1] else f"{counts[0]} and {counts[1]}"


def diff_lines(pieces: Sequence[Piece]) -> list[str]:
    """A word diff for any terminal: [-removed-] {+added+}, long stretches of the same cut."""
    parts = []
    for piece in pieces:
        text = shown(piece.text)
        if piece.change is Change.SAME:
            parts.append(shortened(text))
        elif piece.change is Change.REMOVED:
            parts.append(f"[-{text}-]")
        else:
            parts.append(f"{{+{text}+}}")
    return [f"  | {text}" for text in "".join(parts).split("\n")]


def shortened(text: str) -> str:
    """A text with its middle left out where it is long."""
    if len(text) <= 3 * _CONTEXT:
        return text
    return f"{text[:_CONTEXT]} [...] {text[-_CONTEXT:]}"


def diff_title(account: Account, name: str) -> str:
    """Which texts a diff is of."""
    proved = "" if _proved(account) else ", which is not proved better"
    return f"{line(name)}: from the baseline to the best{proved}"


def _proved(account: Account) -> bool:
    return account.leader.hash == account.best.hash != account.baseline.hash


def _split_fields(split: SplitAccount) -> dict[str, Any]:
    return {
        "split": str(split.split),
        "baseline": _estimate_fields(split.baseline),
        "best": _estimate_fields(split.best),
    }


def _estimate_fields(estimate: Estimate | None) -> dict[str, Any] | None:
    if estimate is None:
        return None
    return {"n": estimate.n, "mean": estimate.mean, "low": estimate.low, "high": estimate.high}

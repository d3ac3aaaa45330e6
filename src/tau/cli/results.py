"""The result of a run for programs: the contract's line and document; and how it ended."""

from typing import Any

from tau.cli import figures, optimization
from tau.cli.displays import split_fields
from tau.cli.text import line
from tau.domain.rollout import RolloutStatus
from tau.domain.run import CAME_TO_NOTHING, StopReason
from tau.reports import shortfalls
from tau.trainer.report import RunReport


def document(report: RunReport) -> dict[str, Any]:
    """The JSON result: the contract's fields first, in its order."""
    counts = report.counts
    return {
        "model_ref": report.model_ref,
        "store_path": report.store_path,
        "total_rollouts": counts.total,
        "succeeded": counts[RolloutStatus.SUCCEEDED],
        "failed": counts[RolloutStatus.FAILED],
        "cancelled": counts[RolloutStatus.CANCELLED],
        "run_id": report.run_id,
        "run_state": str(report.status),
        "stop_reason": str(report.stop_reason),
        "stop_detail": report.stop_detail,
        "resumable": report.resumable,
        "resumed": report.resumed,
        "splits": [split_fields(split) for split in report.splits],
        "best_resources_version": report.best_version,
        "best_resources_hash": report.best_hash,
        "decision": report.decision,
        "evidence": report.evidence,
        "failures": dict(report.failures),
        "last_failure": report.last_failure,
        "calls": report.spent.calls,
        "retries": report.retries,
        "reused": report.reused,
        "tokens": report.spent.tokens,
        "cost_usd": report.cost_usd,
        "assumed_tokens": report.spent.assumed_tokens,
        "assumed_cost_usd": report.spent.assumed_cost_usd,
        "duration_s": round(report.duration_s, 3),
        "active_s": round(report.active_s, 3),
        "caveats": list(report.caveats),
        "judges": list(report.judges),
        **shortfalls.to_json(report.shortfalls),
        **optimization.fields(report),
    }


def contract_line(report: RunReport) -> str:
    """The text result of the flag surface, verbatim as in the contract."""
    counts = report.counts
    return line(
        f"prompt optimization complete: model={report.model_ref} store={report.store_path} "
        f"total={counts.total} succeeded={counts[RolloutStatus.SUCCEEDED]} "
        f"failed={counts[RolloutStatus.FAILED]} cancelled={counts[RolloutStatus.CANCELLED]}"
    )


def essence(report: RunReport) -> str:
    """How it ended, in one line."""
    counts = report.counts
    done = f"{counts[RolloutStatus.SUCCEEDED]:,} of {figures.count(counts.total, 'rollout')}"
    text = f"{done} succeeded in {figures.duration(report.duration_s)}"
    if report.stop_reason in CAME_TO_NOTHING:
        text = f"failed: {text}"
    elif report.stop_reason is not StopReason.FINISHED:
        text = f"stopped ({report.stop_reason}): {text}"
    return text


def details(report: RunReport) -> list[str]:
    """Why it stopped, where there is more to say than the reason's name."""
    return [line(report.stop_detail)] if report.stop_detail else []

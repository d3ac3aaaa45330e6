"""The result of a run: the contract's line and document, and a report for people."""

import shlex
from collections.abc import Iterator
from typing import Any

from tau.cli import figures, optimization
from tau.cli.displays import split_fields
from tau.cli.text import line, table
from tau.domain.rollout import RolloutStatus
from tau.domain.run import StopReason
from tau.domain.visible import clipped
from tau.reports import shortfalls
from tau.reports.account import Account
from tau.trainer.report import RunReport

_SHOWN_CHARS = 300


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
        "tokens": report.spent.tokens,
        "cost_usd": report.cost_usd,
        "assumed_tokens": report.spent.assumed_tokens,
        "assumed_cost_usd": report.spent.assumed_cost_usd,
        "duration_s": round(report.duration_s, 3),
        "active_s": round(report.active_s, 3),
        "caveats": list(report.caveats),
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
    if report.stop_reason is StopReason.NOTHING_SCORED:
        text = f"failed: {text}"
    elif report.stop_reason is not StopReason.FINISHED:
        text = f"stopped ({report.stop_reason}): {text}"
    return text


def details(report: RunReport) -> list[str]:
    """Why it stopped, where there is more to say than the reason's name."""
    return [line(report.stop_detail)] if report.stop_detail else []


def report_lines(report: RunReport, *, resume: str) -> Iterator[str]:
    """The report for people: how it ended, scores, spending, failures, what to do next."""
    yield essence(report)
    yield from (f"  {detail}" for detail in details(report))
    yield ""
    if report.account is not None:
        yield from found(report.account)
    else:
        yield from scores(report)
    yield ""
    yield from facts(report)
    yield ""
    yield "next:"
    yield from (f"  {command}" for command in next_commands(report, resume=resume))


def found(account: Account) -> Iterator[str]:
    """The decision, both prompts by their scores, and what changed."""
    yield optimization.decision_text(account)
    yield ""
    yield from optimization.split_table(account)
    diff = list(optimization.diff_section(account))
    if diff:
        yield ""
        yield from diff[:-1]


def scores(report: RunReport) -> list[str]:
    """The splits of a run that only measured."""
    return table(
        ("split", "score", "95 % interval", "scored", "not scored"),
        [
            (
                split.split,
                "-" if split.mean is None else f"{split.mean:.3f}",
                "-" if split.low is None else f"{split.low:.3f} to {split.high:.3f}",
                f"{split.scored:,} of {split.rows:,}",
                ", ".join(figures.missing(split)) or "-",
            )
            for split in report.splits
        ],
    )


def next_commands(report: RunReport, *, resume: str) -> list[str]:
    """The commands that most likely come next, ready to be copied."""
    store = f"--store {shlex.quote(report.store_path)}"
    run = f"--run {shlex.quote(report.run_id)}"
    commands = [resume] if report.resumable else []
    look = f"tau serve {store}"
    if report.failures:
        commands.append(f"tau rollouts ls {run} --status failed {store}")
    if report.account is not None:
        return [*commands, *_next_of_optimization(report, store), look]
    commands.append(f"tau rollouts ls {run} {store}")
    commands.append(f"tau resources show {report.best_hash[:12]} --content {store}")
    return [*commands, look]


def _next_of_optimization(report: RunReport, store: str) -> Iterator[str]:
    run = shlex.quote(report.run_id)
    if report.decision == "promote":
        yield f"tau promote {run} --alias prod {store}"
    else:
        yield f"tau candidates ls {run} {store}"
    yield f"tau export {run} --to html --output report.html {store}"
    yield f"tau candidates diff {run} {store}"


def facts(report: RunReport) -> Iterator[str]:
    """What else there is to say, a line each."""
    if report.account is not None:
        yield from optimization.claim_lines(report)
    elif report.decision:
        yield f"decision   {line(report.decision)}"
    yield f"best       {report.best_version or 'not published'} ({report.best_hash[:12]})"
    used = figures.spending(report.spent)
    if report.spent.calls and report.cost_usd is None:
        used.append("price unknown")
    yield f"used       {', '.join(used) or 'nothing'}"
    if assumed := figures.assumed(report.spent):
        yield f"           {assumed}"
    if report.failures:
        yield f"failures   {figures.failures(report.failures)}"
    if report.last_failure:
        yield f"the last   {clipped(line(report.last_failure), _SHOWN_CHARS)}"
    for text in shortfalls.lines(report.shortfalls):
        yield f"missing    {line(text)}"
    for caveat in report.caveats:
        yield f"note       {line(caveat)}"
    yield f"run        {line(report.run_id)} in {line(report.store_path)}"

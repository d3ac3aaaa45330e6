"""A stored run in other shapes."""

import json
import sys
from pathlib import Path

from tau.cli import figures, optimization
from tau.cli.decision import plain
from tau.cli.records.naming import newest_run
from tau.cli.records.reading import moment, read
from tau.cli.report import account_rows, store_option
from tau.cli.surface import Exit
from tau.cli.text import line
from tau.files.atomic import atomic_write
from tau.ports.store import Store
from tau.reports import rows, shortfalls
from tau.reports.account import Account, gather
from tau.reports.html import html
from tau.reports.junit import Cases, junit
from tau.wiring.outcome import judge_reports, judges_of


def export(
    store: str, run: str | None, *, shape: str, output: str | None, content: bool, cases: Cases
) -> int:
    """Write the run in a shape to a file or to standard output."""

    async def query(opened: Store) -> tuple[Account, list[rows.EvaluationRow]]:
        account = await gather(opened, await newest_run(opened, run))
        wanted = shape in ("jsonl", "csv", "junit", "html")
        found = account.measurements if wanted else ()
        return account, await rows.evaluation_rows(opened, account.run.id, found)

    account, evaluations = read(store, query)
    text = _text(account, evaluations, shape, store=store, content=content, cases=cases)
    if output is None:
        sys.stdout.write(text)
        return Exit.OK
    atomic_write(Path(output), text.encode("utf-8", "replace"))
    sys.stderr.write(f"wrote {line(output)}\n")
    return Exit.OK


def _text(
    account: Account,
    evaluations: list[rows.EvaluationRow],
    shape: str,
    *,
    store: str,
    content: bool,
    cases: Cases,
) -> str:
    match shape:
        case "html":
            judges = judge_reports(account.run, store)
            return html(account, evaluations, content=content, judges=judges)
        case "junit":
            return junit(account, evaluations, cases)
        case "csv":
            return rows.as_csv(evaluations, content=content)
        case "jsonl":
            return rows.jsonl(evaluations, content=content)
        case "json":
            return json.dumps(fields(account), indent=2) + "\n"
        case _:
            return "\n".join(lines(account, store)) + "\n"


def fields(account: Account) -> dict[str, object]:
    """The whole account as one document, without the single evaluations."""
    run = account.run
    return {
        "run_id": run.id,
        "run_state": str(run.status),
        "stop_reason": run.stop_reason and str(run.stop_reason),
        "stop_detail": run.stop_detail,
        "model_ref": run.model_ref,
        "algorithm": run.algorithm,
        "seed": run.seed,
        "config_hash": run.config_hash,
        "total_rollouts": account.counts.total,
        "counts": {str(status): number for status, number in account.counts.by_status.items()},
        "failures": dict(account.failures),
        "calls": run.spent.calls,
        "tokens": run.spent.tokens,
        "cost_usd": run.spent.cost_usd,
        "assumed_tokens": run.spent.assumed_tokens,
        "assumed_cost_usd": run.spent.assumed_cost_usd,
        "active_s": run.active_s,
        "decision": account.decision,
        "best_resources_hash": account.best.hash,
        "best_resources_version": account.version.id if account.version else None,
        "best_resources": dict(account.best.values),
        "evidence": dict(account.evidence),
        "caveats": list(account.verdict.caveats) if account.verdict else [],
        **shortfalls.to_json(account.shortfalls),
        **optimization.account_fields(account),
    }


def lines(account: Account, store: str) -> list[str]:
    """The account for people, with all its figures."""
    run = account.run
    said = [
        f"run {line(run.id)}",
        f"{line(run.model_ref)}, {line(run.algorithm)}, {run.status}",
        f"started {moment(run.created_unix_ms)}, ran for {figures.duration(run.active_s)}",
        "",
    ]
    return said + [
        plain(row)
        for row in account_rows(account, store_option(store), judges_of(account.run, store))
    ]

"""Lists of runs, rollouts and published versions."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tau.cli import figures
from tau.cli.records.reading import moment, print_json, print_lines, read
from tau.cli.surface import Exit
from tau.cli.text import table
from tau.domain.condition import Condition, condition_of
from tau.domain.dataset import Split
from tau.domain.ids import RolloutId, RunId
from tau.domain.rollout import RolloutCounts, RolloutKind, RolloutStatus
from tau.domain.run import Run, RunStatus
from tau.ports.clock import SystemClock
from tau.ports.insights import RolloutFilter, RolloutRow
from tau.ports.store import Store
from tau.reports.refused import UNUSABLE, unusable_of
from tau.reports.shortfalls import why_missing


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutListing:
    """What to list; without a run it is the newest, with `all_runs` every one."""

    run_id: str | None = None
    all_runs: bool = False
    statuses: tuple[str, ...] = ()
    splits: tuple[str, ...] = ()
    kind: str | None = None
    newest: bool = False
    limit: int = 50
    offset: int = 0

    def where(self, run: RunId | None) -> RolloutFilter:
        """The same for the store."""
        return RolloutFilter(
            run=run,
            statuses=frozenset(map(RolloutStatus, self.statuses)) or None,
            splits=frozenset(map(Split, self.splits)) or None,
            kinds=frozenset({RolloutKind(self.kind)}) if self.kind else None,
        )


def list_runs(store: str, *, status: str | None, limit: int, offset: int, as_json: bool) -> int:
    """Print runs, newest first."""

    async def query(opened: Store) -> list[tuple[Run, RolloutCounts, Condition]]:
        insights = opened.insights
        wanted = RunStatus(status) if status else None
        found = await insights.runs(status=wanted, limit=limit, offset=offset)
        workers, now = await insights.workers(), SystemClock().unix_ms()
        return [
            (run, await insights.counts(run.id), condition_of(run, workers, now)) for run in found
        ]

    found = read(store, query)
    if as_json:
        print_json(
            [
                _run_fields(run, counts) | {"condition": str(condition)}
                for run, counts, condition in found
            ]
        )
        return Exit.OK
    rows = [
        (
            run.id,
            str(condition) + (f" ({run.stop_reason})" if run.stop_reason else ""),
            run.model_ref,
            f"{counts.settled:,}/{counts.total:,}",
            f"{counts[RolloutStatus.FAILED]:,}",
            f"{run.spent.tokens:,}",
            figures.money(run.spent.cost_usd),
            moment(run.created_unix_ms),
        )
        for run, counts, condition in found
    ]
    _print_table(
        ("run", "state", "model", "settled", "failed", "tokens", "cost", "started"), rows, "runs"
    )
    return Exit.OK


def list_rollouts(store: str, listing: RolloutListing, *, as_json: bool) -> int:
    """Print rollouts without their contents."""

    async def query(
        opened: Store,
    ) -> tuple[Sequence[RolloutRow], Mapping[RolloutId, str], Mapping[str, str], RunId | None]:
        insights = opened.insights
        run: RunId | None = None
        if listing.run_id:
            run = (await insights.run(RunId(listing.run_id))).id
        elif not listing.all_runs:
            newest = await insights.runs(limit=1)
            if not newest:
                return (), {}, {}, None
            run = newest[0].id
        rows = await insights.rollouts(
            listing.where(run), limit=listing.limit, offset=listing.offset,
            newest_first=listing.newest,
        )  # fmt: skip
        return rows, await _reasons(opened, rows), await unusable_of(opened, rows), run

    found, reasons, refused, run = read(store, query)
    if as_json:
        told = ({"reason": reasons.get(row.id), "unusable": refused.get(row.id)} for row in found)
        print_json([_row_fields(row) | more for row, more in zip(found, told, strict=True)])
        return Exit.OK
    rows = [
        (
            row.id,
            UNUSABLE if row.id in refused else str(row.status),
            str(row.split or row.kind),
            "-" if row.score is None else f"{row.score:.3f}",
            str(row.attempts),
            figures.duration(row.duration_ms / 1000),
            f"{row.spent.tokens:,}",
            (reasons.get(row.id) or refused.get(row.id, ""))[:100],
        )
        for row in found
    ]
    header = ("rollout", "status", "split", "score", "attempts", "time", "tokens", "reason")
    _print_table(header, rows, "rollouts")
    if len(found) == listing.limit:
        sys.stderr.write(f"more: --offset {listing.offset + listing.limit}\n")
    if run is not None and not listing.run_id:
        sys.stderr.write(f"of the newest run, {run}\n")
    return Exit.OK


async def _reasons(opened: Store, rows: Sequence[RolloutRow]) -> Mapping[RolloutId, str]:
    """Why each of the rows has no score, where it failed or could not be graded."""
    found = {row.id: f"{row.failure.kind}: {row.failure.message}" for row in rows if row.failure}
    bare = [
        row
        for row in rows
        if row.score is None
        and row.kind is RolloutKind.EVALUATE
        and row.status is RolloutStatus.SUCCEEDED
    ]
    for run in dict.fromkeys(row.run_id for row in bare):
        ids = [row.id for row in bare if row.run_id == run]
        results = await opened.queue.collect(run, ids)
        found |= {
            one: f"unscored: {why_missing(result)}"
            for one, result in zip(ids, results, strict=True)
        }
    return found


def list_versions(store: str, *, limit: int, offset: int, as_json: bool) -> int:
    """Print published resources versions, newest first."""
    found = read(store, lambda opened: opened.insights.versions(limit=limit, offset=offset))
    if as_json:
        print_json(
            [
                {
                    "version": version.id,
                    "hash": version.resources.hash,
                    "parent": version.resources.parent,
                    "latest": version.latest,
                    "run_id": version.run_id,
                    "published_unix_ms": version.published_unix_ms,
                    "names": list(version.resources.values),
                }
                for version in found
            ]
        )
        return Exit.OK
    rows = [
        (
            version.id + (" (latest)" if version.latest else ""),
            version.resources.hash[:12],
            ", ".join(version.resources.values),
            version.run_id or "-",
            moment(version.published_unix_ms),
        )
        for version in found
    ]
    _print_table(("version", "hash", "resources", "run", "published"), rows, "published versions")
    return Exit.OK


def _print_table(header: Sequence[str], rows: Sequence[Sequence[str]], noun: str) -> None:
    if rows:
        print_lines(table(header, rows))
    else:
        sys.stderr.write(f"no {noun}\n")


def _run_fields(run: Run, counts: RolloutCounts) -> dict[str, Any]:
    return {
        "run_id": run.id,
        "run_state": str(run.status),
        "stop_reason": str(run.stop_reason) if run.stop_reason else None,
        "stop_detail": run.stop_detail,
        "model_ref": run.model_ref,
        "algorithm": run.algorithm,
        "seed": run.seed,
        "config_hash": run.config_hash,
        "created_unix_ms": run.created_unix_ms,
        "updated_unix_ms": run.updated_unix_ms,
        "active_s": run.active_s,
        "total_rollouts": counts.total,
        "counts": {str(status): number for status, number in counts.by_status.items()},
        "calls": run.spent.calls,
        "tokens": run.spent.tokens,
        "cost_usd": run.spent.cost_usd,
        "assumed_tokens": run.spent.assumed_tokens,
        "assumed_cost_usd": run.spent.assumed_cost_usd,
    }


def _row_fields(row: RolloutRow) -> dict[str, Any]:
    return {
        "rollout_id": row.id,
        "run_id": row.run_id,
        "kind": str(row.kind),
        "status": str(row.status),
        "split": str(row.split) if row.split else None,
        "attempts": row.attempts,
        "score": row.score,
        "failure": None
        if row.failure is None
        else {"class": str(row.failure.kind), "message": row.failure.message},
        "calls": row.spent.calls,
        "tokens": row.spent.tokens,
        "cost_usd": row.spent.cost_usd,
        "duration_ms": row.duration_ms,
        "updated_unix_ms": row.updated_unix_ms,
    }

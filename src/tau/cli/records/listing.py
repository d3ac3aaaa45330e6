"""Lists of rollouts and published versions."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tau.cli import figures
from tau.cli.records.reading import moment, print_json, print_table, read
from tau.cli.surface import Exit
from tau.cli.text import Column
from tau.domain.condition import Condition, condition_of, standing
from tau.domain.dataset import Split
from tau.domain.ids import RolloutId, RunId, short_hash, short_rollout, short_run
from tau.domain.rollout import RolloutKind, RolloutStatus
from tau.ports.clock import SystemClock
from tau.ports.insights import RolloutFilter, RolloutRow
from tau.ports.store import Store
from tau.reports.refused import UNUSABLE, unusable_of
from tau.reports.shortfalls import why_missing
from tau.wiring.naming import run_named


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


_ROLLOUTS = (
    Column(name="rollout"),
    Column(name="run", drop=4),
    Column(name="status"),
    Column(name="split"),
    Column(name="score", right=True),
    Column(name="tries", right=True, drop=2),
    Column(name="time", right=True, drop=1),
    Column(name="tokens", right=True, drop=3),
    Column(name="reason", least=40),
)
_VERSIONS = (
    Column(name="version"),
    Column(name="hash"),
    Column(name="resources", least=13),
    Column(name="run", drop=1),
    Column(name="published", least=10, drop=2),
)


def list_rollouts(store: str, listing: RolloutListing, *, as_json: bool) -> int:
    """Print rollouts without their contents."""

    async def query(
        opened: Store,
    ) -> tuple[
        Sequence[RolloutRow],
        Mapping[RolloutId, str],
        Mapping[str, str],
        Mapping[RunId, Condition],
        RunId | None,
    ]:
        insights = opened.insights
        run: RunId | None = None
        if listing.run_id:
            run = await run_named(opened, listing.run_id)
        elif not listing.all_runs:
            newest = await insights.runs(limit=1)
            if not newest:
                return (), {}, {}, {}, None
            run = newest[0].id
        rows = await insights.rollouts(
            listing.where(run), limit=listing.limit, offset=listing.offset,
            newest_first=listing.newest,
        )  # fmt: skip
        refused, conditions = await unusable_of(opened, rows), await _conditions(opened, rows)
        return rows, await _reasons(opened, rows), refused, conditions, run

    found, reasons, refused, conditions, run = read(store, query)
    if as_json:
        print_json(
            [
                {
                    **_row_fields(row),
                    "standing": standing(row.status, conditions[row.run_id]),
                    "reason": reasons.get(row.id),
                    "unusable": refused.get(row.id),
                }
                for row in found
            ]
        )
        return Exit.OK
    print_table(_ROLLOUTS, _rollout_cells(found, reasons, refused, conditions), "rollouts")
    if len(found) == listing.limit:
        sys.stderr.write(f"more: --offset {listing.offset + listing.limit}\n")
    if run is not None and not listing.run_id:
        sys.stderr.write(f"of the newest run, {short_run(run)}\n")
    return Exit.OK


def _rollout_cells(
    found: Sequence[RolloutRow],
    reasons: Mapping[RolloutId, str],
    refused: Mapping[str, str],
    conditions: Mapping[RunId, Condition],
) -> list[tuple[str, ...]]:
    """A line for each rollout."""
    several = len({row.run_id for row in found}) > 1
    return [
        (
            short_rollout(row.id),
            short_run(row.run_id) if several else "",
            UNUSABLE if row.id in refused else standing(row.status, conditions[row.run_id]),
            str(row.split or row.kind),
            "-" if row.score is None else f"{row.score:.3f}",
            str(row.attempts),
            figures.duration(row.duration_ms / 1000),
            f"{row.spent.tokens:,}",
            reasons.get(row.id) or refused.get(row.id, ""),
        )
        for row in found
    ]


async def _conditions(opened: Store, rows: Sequence[RolloutRow]) -> Mapping[RunId, Condition]:
    """How the runs of these rollouts are."""
    workers, now = await opened.insights.workers(), SystemClock().unix_ms()
    runs = [await opened.insights.run(name) for name in {row.run_id for row in rows}]
    return {run.id: condition_of(run, workers, now) for run in runs}


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
            short_hash(version.resources.hash),
            ", ".join(version.resources.values),
            short_run(version.run_id or "-"),
            moment(version.published_unix_ms),
        )
        for version in found
    ]
    print_table(_VERSIONS, rows, "published versions")
    return Exit.OK


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

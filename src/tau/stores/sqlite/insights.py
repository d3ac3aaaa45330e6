"""Reading what is in the store."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import apsw

from tau.domain.ids import (
    ResourcesHash,
    RolloutId,
    RunId,
    rollout_key,
)
from tau.domain.resources import Resources, ResourcesVersion
from tau.domain.rollout import RolloutCounts, RolloutStatus
from tau.domain.run import Run, RunStatus
from tau.domain.worker import WorkerRecord
from tau.errors import NotFound
from tau.ports.insights import (
    CandidateRecord,
    MeanCost,
    Measurement,
    RolloutFilter,
    RolloutRow,
    RolloutView,
    ScoreSummary,
    SettledRow,
    Shortfalls,
    Stint,
    StoreFacts,
)
from tau.stores import codec, rows
from tau.stores.settled import settled, stints
from tau.stores.sqlite import schema
from tau.stores.sqlite.connection import SqliteStatements, Value
from tau.stores.sqlite.database import SqliteDatabase
from tau.stores.sqlite.queue import run_key, tally
from tau.stores.sqlite.runs import run_row
from tau.stores.views import (
    is_prefix,
    mean_costs,
    measurement,
    shortfalls,
    summaries,
    the_one,
    view,
)


class SqliteInsights:
    """See ports.insights.Insights."""

    def __init__(self, database: SqliteDatabase) -> None:
        """Shares the database with the other roles."""
        self._database = database

    async def facts(self) -> StoreFacts:
        def query(statements: SqliteStatements) -> StoreFacts:
            connection = statements.connection
            pages = int(connection.pragma("page_count")) * int(connection.pragma("page_size"))
            log = Path(self._database.location + "-wal")
            return StoreFacts(
                backend="sqlite",
                location=self._database.location,
                schema_version=schema.version(connection),
                runs=statements.value("number_of_runs"),
                rollouts=rows.counts(statements.rows("all_tallies")[0]).total,
                size_bytes=pages,
                details={
                    "sqlite": apsw.sqlite_lib_version(),
                    "apsw": apsw.apsw_version(),
                    "journal_mode": str(connection.pragma("journal_mode")),
                    "log_bytes": str(log.stat().st_size if log.exists() else 0),
                },
            )

        return await self._database.read(query)

    async def runs(
        self, *, status: RunStatus | None = None, limit: int = 50, offset: int = 0
    ) -> Sequence[Run]:
        page = {"status": status, "limit": limit, "offset": offset}
        return await self._database.read(
            lambda statements: [rows.run(row) for row in statements.rows("runs_page", page)]
        )

    async def run(self, run_id: RunId) -> Run:
        return await self._database.read(lambda statements: rows.run(run_row(statements, run_id)))

    async def counts(self, run_id: RunId | None = None) -> RolloutCounts:
        if run_id is not None:
            return await self._database.read(lambda statements: tally(statements, run_id))
        return await self._database.read(
            lambda statements: rows.counts(statements.rows("all_tallies")[0])
        )

    async def rollouts(
        self, where: RolloutFilter, *, limit: int = 50, offset: int = 0, newest_first: bool = False
    ) -> Sequence[RolloutRow]:
        text, bindings = _listing(where, newest_first=newest_first)

        def query(statements: SqliteStatements) -> list[RolloutRow]:
            cursor = statements.connection.execute(text, (*bindings, limit, offset))
            return [rows.rollout_row(dict(zip(_LISTED, row, strict=True))) for row in cursor]

        return await self._database.read(query)

    async def settled(
        self, run_id: RunId, *, since_unix_ms: int = 0, after: int = 0, limit: int = 5000
    ) -> Sequence[SettledRow]:
        def query(statements: SqliteStatements) -> list[SettledRow]:
            place = (run_key(statements, run_id), since_unix_ms, after, limit)
            return settled(statements.tuples("settled", place))

        return await self._database.read(query)

    async def stints(self, run_id: RunId, *, limit: int = 200) -> Sequence[Stint]:
        return await self._database.read(
            lambda statements: stints(
                run_id, statements.tuples("stints", (run_key(statements, run_id), limit))
            )
        )

    async def rollout(self, rollout_id: RolloutId) -> RolloutView:
        return await self._database.read(lambda statements: _view(statements, rollout_id))

    async def scores(self, run_id: RunId) -> Sequence[ScoreSummary]:
        def query(statements: SqliteStatements) -> list[ScoreSummary]:
            run = run_key(statements, run_id)
            return summaries(statements.rows("scored", (run,)))

        return await self._database.read(query)

    async def measurements(
        self, *, run: RunId | None = None, resources: ResourcesHash | None = None
    ) -> Sequence[Measurement]:
        if run is None and resources is None:
            raise ValueError("measurements are asked for by run, by resources, or by both")

        def query(statements: SqliteStatements) -> list[Measurement]:
            if run is None:
                found = statements.rows("measurements_of_resources", (resources,))
            else:
                key = run_key(statements, run)
                found = statements.rows("measurements_of_run", (key, resources))
            return [measurement(row) for row in found]

        return await self._database.read(query)

    async def reused(self, run_id: RunId) -> int:
        return await self._database.read(
            lambda statements: int(statements.value("reused", (run_key(statements, run_id),)) or 0)
        )

    async def costs(self, run_id: RunId) -> Sequence[MeanCost]:
        return await self._database.read(
            lambda statements: mean_costs(
                statements.tuples("costs", (run_key(statements, run_id),))
            )
        )

    async def failures(self, run_id: RunId) -> Mapping[str, int]:
        return await self._database.read(
            lambda statements: dict(statements.tuples("failures", (run_key(statements, run_id),)))
        )

    async def shortfalls(self, run_id: RunId) -> Shortfalls:
        def query(statements: SqliteStatements) -> Shortfalls:
            run = (run_key(statements, run_id),)
            return shortfalls(
                statements.rows("unscored", run),
                statements.rows("failed_why", run),
                statements.rows("answer_codes", run),
            )

        return await self._database.read(query)

    async def workers(self, *, include_retired: bool = False) -> Sequence[WorkerRecord]:
        return await self._database.read(
            lambda statements: [
                rows.worker(row) for row in statements.rows("workers", (include_retired,))
            ]
        )

    async def versions(self, *, limit: int = 50, offset: int = 0) -> Sequence[ResourcesVersion]:
        return await self._database.read(
            lambda statements: [
                rows.version(row) for row in statements.rows("versions", (limit, offset))
            ]
        )

    async def candidates(
        self, run_id: RunId, *, limit: int = 50, offset: int = 0
    ) -> Sequence[CandidateRecord]:
        return await self._database.read(
            lambda statements: [
                CandidateRecord(
                    resources=rows.resources(row),
                    wave=row["wave"],
                    abandoned=bool(row["abandoned"]),
                )
                for row in statements.rows("candidates", (run_id, limit, offset))
            ]
        )

    async def resources(self, hash_prefix: str) -> Resources:
        def query(statements: SqliteStatements) -> Resources:
            found = []
            if is_prefix(hash_prefix):
                found = statements.rows("resources_by_prefix", (hash_prefix, hash_prefix + "g"))
            return the_one(found, hash_prefix)

        return await self._database.read(query)


_LISTED = (
    "key", "run_id", "kind", "status", "split", "attempts", "score", "failure", "duration_ms",
    "updated_unix_ms", "spent",
)  # fmt: skip

_LISTING = """
SELECT
  r.key, run.id, r.kind, r.status, e.split, r.attempts, r.score, r.failure, r.duration_ms,
  r.updated_unix_ms,
  (
    SELECT
      json_array(
        sum(a.spent_rollouts), sum(a.spent_calls + ifnull(a.late_calls, 0)),
        sum(a.spent_tokens + ifnull(a.late_tokens, 0)), sum(a.spent_cost + ifnull(a.late_cost, 0))
      )
    FROM attempt AS a
    WHERE a.rollout = r.key
  )
FROM rollout AS r
CROSS JOIN run ON run.key = r.run
LEFT JOIN example AS e ON e.key = r.example
"""


_FAILED = frozenset({RolloutStatus.FAILED})
_HELD = frozenset({RolloutStatus.PREPARING, RolloutStatus.RUNNING})
_LIVE = """
r.key IN (
  SELECT rollout FROM attempt INDEXED BY attempt_live WHERE status IN ('preparing', 'running')
)
"""


def _listing(where: RolloutFilter, *, newest_first: bool) -> tuple[str, list[Value]]:
    """The statement of a listing; only the terms that are asked for, so that indexes serve."""
    terms: list[str] = []
    bindings: list[Value] = []
    if where.run is not None:
        terms.append("r.run = (SELECT key FROM run WHERE id = ?)")
        bindings.append(where.run)
    if where.ids is not None:
        terms.append("r.key IN (SELECT value FROM json_each(?))")
        terms.append("run.id || '-r' || r.key IN (SELECT value FROM json_each(?))")
        keys = [parts[1] for parts in map(rollout_key, where.ids) if parts is not None]
        bindings += [codec.text(keys), codec.text(list(where.ids))]
    if where.statuses is not None and where.statuses <= _HELD:
        terms.append(_LIVE)  # a handful, found by their attempts
    if where.statuses == _FAILED:
        terms.append("r.status = 'failed'")  # in so many words, so that their own index serves
    for column, wanted in (
        ("r.status", where.statuses),
        ("r.kind", where.kinds),
        ("e.split", where.splits),
    ):
        if wanted is not None:
            terms.append(f"{column} IN (SELECT value FROM json_each(?))")
            bindings.append(codec.text(sorted(wanted)))
    text = _LISTING + ("WHERE " + " AND ".join(terms) if terms else "")
    return text + f" ORDER BY r.key {'DESC' if newest_first else 'ASC'} LIMIT ? OFFSET ?", bindings


def _view(statements: SqliteStatements, rollout: RolloutId) -> RolloutView:
    parts = rollout_key(rollout)
    known = None if parts is None else statements.row("rollout_by_key", (parts[1],))
    if parts is None or known is None or known["run_id"] != parts[0]:
        raise NotFound(f"there is no rollout '{rollout}'")
    run_id, key = parts
    row = statements.rows("collect", (codec.text([key]),))[0]
    tries, blocks = statements.rows("attempts", (key,)), statements.rows("spans", (key,))
    return view(row, run_id, tries, blocks)

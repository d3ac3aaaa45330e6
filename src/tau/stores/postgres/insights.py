"""Reading what is in the store."""

from collections.abc import Mapping, Sequence

from tau.domain.ids import ResourcesHash, RolloutId, RunId, rollout_key
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
from tau.stores import rows
from tau.stores.postgres.database import PostgresDatabase
from tau.stores.postgres.queue import tally
from tau.stores.postgres.runs import run_key, run_row
from tau.stores.postgres.statements import SQL, PostgresStatements
from tau.stores.settled import settled, stints
from tau.stores.views import (
    is_prefix,
    mean_costs,
    measurement,
    shortfalls,
    summaries,
    the_one,
    view,
)


class PostgresInsights:
    """See ports.insights.Insights."""

    def __init__(self, database: PostgresDatabase) -> None:
        """Shares the database with the other roles."""
        self._database = database

    async def facts(self) -> StoreFacts:
        async def query(statements: PostgresStatements) -> StoreFacts:
            found = await statements.row("facts")
            assert found is not None
            counts = rows.counts((await statements.rows("all_tallies"))[0])
            return StoreFacts(
                backend="postgresql",
                location=self._database.location,
                schema_version=int(found["version"]),
                runs=found["runs"],
                rollouts=counts.total,
                size_bytes=found["size_bytes"],
                details={
                    "postgresql": found["server"],
                    "schema": self._database.access.address.schema,
                },
            )

        return await self._database.read(query)

    async def runs(
        self, *, status: RunStatus | None = None, limit: int = 50, offset: int = 0
    ) -> Sequence[Run]:
        async def query(statements: PostgresStatements) -> list[Run]:
            found = await statements.rows("runs_page", status, limit, offset)
            return [rows.run(row) for row in found]

        return await self._database.read(query)

    async def run(self, run_id: RunId) -> Run:
        async def query(statements: PostgresStatements) -> Run:
            return rows.run(await run_row(statements, run_id))

        return await self._database.read(query)

    async def counts(self, run_id: RunId | None = None) -> RolloutCounts:
        async def query(statements: PostgresStatements) -> RolloutCounts:
            if run_id is not None:
                return await tally(statements, run_id)
            return rows.counts((await statements.rows("all_tallies"))[0])

        return await self._database.read(query)

    async def rollouts(
        self, where: RolloutFilter, *, limit: int = 50, offset: int = 0, newest_first: bool = False
    ) -> Sequence[RolloutRow]:
        text, bindings = _listing(where, newest_first=newest_first)

        async def query(statements: PostgresStatements) -> list[RolloutRow]:
            found = await statements.connection.fetch(text, *bindings, limit, offset)
            return [rows.rollout_row(dict(row)) for row in found]

        return await self._database.read(query)

    async def settled(
        self, run_id: RunId, *, since_unix_ms: int = 0, after: int = 0, limit: int = 5000
    ) -> Sequence[SettledRow]:
        async def query(statements: PostgresStatements) -> list[SettledRow]:
            run = await run_key(statements, run_id)
            found = await statements.tuples("settled", run, since_unix_ms, after, limit)
            return settled([tuple(row) for row in found])

        return await self._database.read(query)

    async def stints(self, run_id: RunId, *, limit: int = 200) -> Sequence[Stint]:
        async def query(statements: PostgresStatements) -> list[Stint]:
            run = await run_key(statements, run_id)
            found = await statements.tuples("stints", run, limit)
            return stints(run_id, [tuple(row) for row in found])

        return await self._database.read(query)

    async def rollout(self, rollout_id: RolloutId) -> RolloutView:
        async def query(statements: PostgresStatements) -> RolloutView:
            parts = rollout_key(rollout_id)
            known = None if parts is None else await statements.row("rollout_by_key", parts[1])
            if parts is None or known is None or known["run_id"] != parts[0]:
                raise NotFound(f"there is no rollout '{rollout_id}'")
            run_id, key = parts
            row = (await statements.rows("collect", [key]))[0]
            tries = await statements.rows("attempts", key)
            return view(row, run_id, tries, await statements.rows("spans", key))

        return await self._database.read(query)

    async def scores(self, run_id: RunId) -> Sequence[ScoreSummary]:
        async def query(statements: PostgresStatements) -> list[ScoreSummary]:
            run = await run_key(statements, run_id)
            return summaries(await statements.rows("scored", run))

        return await self._database.read(query)

    async def measurements(
        self, *, run: RunId | None = None, resources: ResourcesHash | None = None
    ) -> Sequence[Measurement]:
        if run is None and resources is None:
            raise ValueError("measurements are asked for by run, by resources, or by both")

        async def query(statements: PostgresStatements) -> list[Measurement]:
            key = None if run is None else await run_key(statements, run)
            return [
                measurement(row) for row in await statements.rows("measurements", key, resources)
            ]

        return await self._database.read(query)

    async def reused(self, run_id: RunId) -> int:
        async def query(statements: PostgresStatements) -> int:
            return int(await statements.value("reused", await run_key(statements, run_id)) or 0)

        return await self._database.read(query)

    async def costs(self, run_id: RunId) -> Sequence[MeanCost]:
        async def query(statements: PostgresStatements) -> list[MeanCost]:
            run = await run_key(statements, run_id)
            return mean_costs([tuple(row) for row in await statements.tuples("costs", run)])

        return await self._database.read(query)

    async def failures(self, run_id: RunId) -> Mapping[str, int]:
        async def query(statements: PostgresStatements) -> dict[str, int]:
            run = await run_key(statements, run_id)
            return {row["kind"]: row["number"] for row in await statements.tuples("failures", run)}

        return await self._database.read(query)

    async def shortfalls(self, run_id: RunId) -> Shortfalls:
        async def query(statements: PostgresStatements) -> Shortfalls:
            run = await run_key(statements, run_id)
            return shortfalls(
                await statements.rows("unscored", run),
                await statements.rows("failed_why", run),
                await statements.rows("answer_codes", run),
            )

        return await self._database.read(query)

    async def workers(self, *, include_retired: bool = False) -> Sequence[WorkerRecord]:
        async def query(statements: PostgresStatements) -> list[WorkerRecord]:
            return [rows.worker(row) for row in await statements.rows("workers", include_retired)]

        return await self._database.read(query)

    async def versions(self, *, limit: int = 50, offset: int = 0) -> Sequence[ResourcesVersion]:
        async def query(statements: PostgresStatements) -> list[ResourcesVersion]:
            return [rows.version(row) for row in await statements.rows("versions", limit, offset)]

        return await self._database.read(query)

    async def candidates(
        self, run_id: RunId, *, limit: int = 50, offset: int = 0
    ) -> Sequence[CandidateRecord]:
        async def query(statements: PostgresStatements) -> list[CandidateRecord]:
            return [
                CandidateRecord(
                    resources=rows.resources(row), wave=row["wave"], abandoned=row["abandoned"]
                )
                for row in await statements.rows("candidates", run_id, limit, offset)
            ]

        return await self._database.read(query)

    async def resources(self, hash_prefix: str) -> Resources:
        async def query(statements: PostgresStatements) -> Resources:
            found = []
            if is_prefix(hash_prefix):
                found = await statements.rows("resources_by_prefix", hash_prefix, hash_prefix + "g")
            return the_one(found, hash_prefix)

        return await self._database.read(query)


_SOURCES: tuple[tuple[frozenset[RolloutStatus], str], ...] = (
    (
        frozenset({RolloutStatus.QUEUING, RolloutStatus.REQUEUING}),
        "JOIN waiting AS k ON k.run = r.run AND k.rollout = r.key",
    ),
    (
        frozenset({RolloutStatus.PREPARING, RolloutStatus.RUNNING}),
        "JOIN held AS k ON k.run = r.run AND k.rollout = r.key",
    ),
    (
        frozenset({RolloutStatus.FAILED, RolloutStatus.CANCELLED}),
        "JOIN outcome AS k ON k.run = r.run AND k.rollout = r.key AND k.status <> 'succeeded'",
    ),
)
"""Where the few of some statuses are found without a look at all others."""


def _listing(where: RolloutFilter, *, newest_first: bool) -> tuple[str, list[object]]:
    """The statement of a listing; only the terms that are asked for, so that indexes serve."""
    terms = ["true"]
    bindings: list[object] = []
    asked = where.statuses if where.statuses is not None else frozenset(RolloutStatus)
    source = next((join for statuses, join in _SOURCES if asked <= statuses), "")
    place = ("k.run", "k.rollout") if source else ("r.run", "r.key")

    def add(term: str, *values: object) -> None:
        terms.append(term.format(*(f"${len(bindings) + n}" for n in range(1, len(values) + 1))))
        bindings.extend(values)

    if where.run is not None:
        add(place[0] + " = (SELECT key FROM run WHERE id = {})", where.run)
    if where.ids is not None:
        keys = [parts[1] for parts in map(rollout_key, where.ids) if parts is not None]
        add("r.key = ANY({}::bigint[])", keys)
        add("run.id || '-r' || r.key = ANY({}::text[])", list(where.ids))
    for column, wanted in (
        ("r.status", where.statuses),
        ("r.kind", where.kinds),
        ("e.split", where.splits),
    ):
        if wanted is not None:
            add(column + " = ANY({}::text[])", sorted(wanted))
    order = f"ORDER BY {place[1]} {'DESC' if newest_first else 'ASC'}"
    paging = f"LIMIT ${len(bindings) + 1} OFFSET ${len(bindings) + 2}"
    return f"{SQL['listing']} {source} WHERE {' AND '.join(terms)} {order} {paging}", bindings

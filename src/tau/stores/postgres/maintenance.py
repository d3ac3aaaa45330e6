"""What `tau db` does with a store on a server: checking all of it, and retention."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg

from tau.errors import StoreUnavailable
from tau.stores.postgres import address, faults, schema
from tau.stores.postgres.sessions import PostgresAccess, PostgresSession, SessionPool
from tau.stores.postgres.statements import ABOUT, SQL, PostgresStatements
from tau.stores.retention import PrunedRun, prunable
from tau.stores.verification import CONTENTS, MOST_PER_CHECK, Verification, problem

_CHECKS = tuple(sorted(name for name in ABOUT if name.startswith("check_")))
_PATIENCE_S = 10.0
_ANSWER_S = 3600.0
_PAGE = 1000


async def verify(location: str) -> Verification:
    """Check the store at `location` on one snapshot, without changing it; it may be in use.

    Disks and pages are the server's to check.

    Raises:
        StoreError: it cannot be opened, or is no Tau store of this version.
    """
    async with _connected(location, read_only=True) as (session, version):
        connection = session.connection
        await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        statements = PostgresStatements(connection)
        problems: list[str] = []
        for name in _CHECKS:
            found = await statements.tuples(name)
            problems += [f"{ABOUT[name]}: {where}" for (where,) in found[:MOST_PER_CHECK]]
        checked = 0
        for name, check in CONTENTS.items():
            async for row in connection.cursor(SQL[name], prefetch=_PAGE):
                checked += 1
                if wrong := problem(ABOUT[name], dict(row), check):
                    problems.append(wrong)
        return Verification(
            location=address.parse(location).shown,
            schema_version=version,
            checked=checked,
            problems=tuple(problems),
        )


async def prune(
    location: str,
    *,
    runs: Sequence[str] = (),
    before_unix_ms: int | None = None,
    dry_run: bool = True,
) -> Sequence[PrunedRun]:
    """As stores.sqlite.pruning.prune, on a server: a transaction per run, whose row is locked.

    Examples stay: a trainer elsewhere may be about to ask for them again.

    Raises:
        NotFound: a run that does not exist; nothing was changed.
        InputError: a run that has not ended; nothing of it was changed.
        StoreError: the store cannot be used.
    """
    async with _connected(location, read_only=dry_run) as (session, _):
        statements = PostgresStatements(session.connection)
        found = await _meant(statements, runs, before_unix_ms)
        for key, run in [] if dry_run else found:
            await session.connection.execute("BEGIN")
            await statements.tuples("lock_run", run.id)
            await _meant(statements, [run.id], None)  # it may have been begun again meanwhile
            for name in ("spans", "results", "attempts", "rollouts", "run_checkpoints", "tally"):
                await statements.tuples(f"prune_{name}", key)
            await session.connection.execute("COMMIT")
        return [run for _, run in found]


async def _meant(
    statements: PostgresStatements, runs: Sequence[str], before_unix_ms: int | None
) -> list[tuple[int, PrunedRun]]:
    return prunable(await statements.rows("prunable", list(runs), before_unix_ms), runs)


@asynccontextmanager
async def _connected(
    location: str, *, read_only: bool
) -> AsyncIterator[tuple[PostgresSession, int]]:
    """A connection to a store of this version; what is wrong with it later is told in our words."""
    access = PostgresAccess(
        address=address.parse(location), read_only=read_only, answer_s=_ANSWER_S
    )
    where = access.address.shown
    session = await SessionPool(access, size=1, patience_s=_PATIENCE_S).session()
    try:
        await schema.check_server(session.connection, where, read_only=read_only)
        version = await schema.check(session.connection, access.address)
        if version < schema.CURRENT:
            raise StoreUnavailable(
                "there is no store of this version", where=where, fix="run: tau db migrate"
            )
        yield session, version
    except faults.LOST as error:
        raise faults.unreachable(where, error) from error
    except asyncpg.PostgresError as error:
        raise faults.translated(error, where) from error
    finally:
        if not session.connection.is_closed() and session.connection.is_in_transaction():
            await session.rollback()
        await session.aclose()

"""The version of a store's schema, and the way from an older one to ours.

`version` is what the schema is, `oldest` the oldest Tau schema whose programs may go on with it: a
migration that only adds leaves `oldest` alone, so that two versions can run side by side.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg

from tau.errors import StoreDamaged, StoreUnavailable, StoreVersion
from tau.stores import statements
from tau.stores.postgres.address import Address
from tau.stores.postgres.statements import PACKAGE

SCRIPTS = statements.migrations(PACKAGE)
CURRENT = len(SCRIPTS)

_OLDEST_SERVER = 140000
_MIGRATION_S = 3600.0
_MOST_TRIES = 30
_PAUSE_S = 0.2
_APART = 4
"""The last migration after which programs of the version before cannot go on."""
CARRIES = 5
"""The migration after which a store can carry its policy; older programs would not hold to one."""
_STEERED = 6
"""The migration after which a store says what is desired of its runs."""
_BUSIEST = (
    "receipt", "worker", "run", "waiting", "held", "request", "rollout", "ended", "attempt",
    "outcome", "result", "span_block", "tally",
)  # fmt: skip
"""In the order in which workers come to them, so that a migration and they seldom cross."""
_EXPECTED = frozenset(
    {
        "schema_meta", "receipt", "worker", "run", "tally", "resources", "resources_version",
        "example", "request", "waiting", "held", "ended", "outcome", "span_block", "checkpoint",
        "candidate", "alias", "verdict",
    }
)  # fmt: skip


async def check_server(connection: Any, where: str, *, read_only: bool) -> None:  # noqa: ANN401
    """Raise StoreUnavailable for a server that cannot hold a store."""
    number = int(await connection.fetchval("SELECT current_setting('server_version_num')"))
    if number < _OLDEST_SERVER:
        raise StoreUnavailable(
            "the PostgreSQL server is too old",
            where=where,
            why=f"it is version {number // 10000}, Tau needs {_OLDEST_SERVER // 10000} or newer",
            fix="upgrade the server",
        )
    if await connection.fetchval("SELECT pg_is_in_recovery()"):
        raise StoreUnavailable(
            "the PostgreSQL server is a replica",
            where=where,
            why="it lags behind and cannot be written; leases and budgets need the primary",
            fix="name the primary, or add target_session_attrs=primary to the URL",
        )
    if await connection.fetchval("SELECT current_setting('fsync')") == "off" and not read_only:
        await connection.execute("SET synchronous_commit = off")  # nothing is durable anyway


async def check(connection: Any, address: Address) -> int:  # noqa: ANN401
    """The schema's version, 0 where there is none; refuses what is newer or not whole."""
    names = {
        row["relname"]
        for row in await connection.fetch(
            "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace($1) "
            "AND relkind IN ('r', 'p')",
            address.schema,
        )
    }
    if not names:
        return 0
    if "schema_meta" not in names:
        raise StoreDamaged(
            "not a Tau store",
            where=address.shown,
            why=f"the schema '{address.schema}' holds tables of another program",
            fix="name another schema with ?schema=NAME; this one was left as it is",
        )
    found = {
        row["name"]: int(row["value"])
        for row in await connection.fetch(
            "SELECT name, value FROM schema_meta WHERE name IN ('version', 'oldest')"
        )
    }
    if found.get("oldest", 0) > CURRENT:
        raise StoreVersion(
            "the store was written by a newer Tau",
            where=address.shown,
            why=f"its schema is version {found.get('version')}, this Tau knows {CURRENT}",
            fix="upgrade Tau, or name another store",
        )
    version = found.get("version", 0)
    expected = _EXPECTED | ({"policy"} if version >= CARRIES else set())
    expected |= {"desired_state"} if version >= _STEERED else set()
    missing = sorted(expected - names) if version >= _APART else ()
    if missing:
        raise StoreDamaged(
            "the store is damaged", where=address.shown, why=f"it has no table {', '.join(missing)}"
        )
    return version


async def migrate(
    connection: Any,  # noqa: ANN401
    address: Address,
    *,
    scripts: Sequence[str] = SCRIPTS,
) -> int:
    """Bring the schema to ours, all or nothing, one process at a time; the version it had.

    Workers may go on meanwhile: where they and this wait for each other, this begins anew.
    """
    for left in reversed(range(_MOST_TRIES)):
        try:
            async with connection.transaction():
                return await _migrate(connection, address, scripts)
        except asyncpg.TransactionRollbackError:
            if not left:
                raise
            await asyncio.sleep(_PAUSE_S)
    raise AssertionError("the last try answers or raises")


async def _migrate(connection: Any, address: Address, scripts: Sequence[str]) -> int:  # noqa: ANN401
    await connection.execute("SET LOCAL lock_timeout = 0")  # another's migration may take long
    await connection.fetchval(
        "SELECT pg_advisory_xact_lock(hashtextextended('tau:' || $1, 0))",
        address.schema,
        timeout=_MIGRATION_S,
    )
    found = await check(connection, address)
    if found >= len(scripts):
        return found
    if not found:
        await _create_schema(connection, address)
    try:
        if found:
            await _take_tables(connection)
            if found < _APART <= len(scripts):
                await _check_alone(connection, address)
        for script in scripts[found:]:
            await connection.execute(script, timeout=_MIGRATION_S)
    except asyncpg.InsufficientPrivilegeError as error:
        raise _not_ours(address, found, error) from error
    await connection.execute(
        "INSERT INTO schema_meta (name, value) VALUES ('version', $1) "
        "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        str(len(scripts)),
    )
    if not found:
        await connection.execute(
            "INSERT INTO schema_meta (name, value) VALUES ('oldest', '1') ON CONFLICT DO NOTHING"
        )
    return found


async def _take_tables(connection: Any) -> None:  # noqa: ANN401
    """Wait until nobody else uses the tables that are there, and keep them."""
    for name in _BUSIEST:
        there = "SELECT relkind = 'r' FROM pg_class WHERE oid = to_regclass($1)"
        if await connection.fetchval(there, name):
            await connection.execute(f"LOCK TABLE {name}", timeout=_MIGRATION_S)


async def _check_alone(connection: Any, address: Address) -> None:  # noqa: ANN401
    """Refuse while others hold leases: they could not go on with the tables to come."""
    others = await connection.fetch(
        "SELECT name, host, pid FROM worker WHERE state = 'live' AND "
        "heartbeat_ms + lease_ms > extract(epoch FROM clock_timestamp()) * 1000 ORDER BY key"
    )
    if others:
        raise StoreVersion(
            "the store is in use by programs of the Tau before",
            where=address.shown,
            why=f"{len(others)} of them are at work, such as '{others[0]['name']}' (process "
            f"{others[0]['pid']} on {others[0]['host']}), and could not go on with the new tables",
            fix="stop all of them, wait until their leases have run out, and begin again",
        )


def _not_ours(
    address: Address, found: int, error: asyncpg.InsufficientPrivilegeError
) -> StoreVersion:
    return StoreVersion(
        "the store was written by an older Tau, and this role may not change it",
        where=address.shown,
        why=f"its schema is version {found}, this Tau works with {CURRENT}: {error}",
        fix="let the schema's owner run once: tau db migrate --store URL",
    )


async def _create_schema(connection: Any, address: Address) -> None:  # noqa: ANN401
    there = await connection.fetchval("SELECT to_regnamespace($1) IS NOT NULL", address.schema)
    if there:
        return
    try:
        await connection.execute(f'CREATE SCHEMA "{address.schema}"')
    except asyncpg.InsufficientPrivilegeError as error:
        raise StoreUnavailable(
            f"there is no store in the schema '{address.schema}', and it cannot be made",
            where=address.shown,
            why=str(error),
            fix="let the database's owner run once: tau db migrate --store URL",
        ) from error

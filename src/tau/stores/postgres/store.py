"""A store in one schema of a PostgreSQL database."""

from typing import Self

import asyncpg

from tau.errors import StoreUnavailable, StoreVersion
from tau.ports.clock import Clock
from tau.ports.processes import Processes, SystemProcesses
from tau.stores.postgres import address, faults, schema
from tau.stores.postgres.database import PostgresDatabase
from tau.stores.postgres.desired import PostgresDesiredStates
from tau.stores.postgres.insights import PostgresInsights
from tau.stores.postgres.ledger import (
    PostgresAliases,
    PostgresCheckpoints,
    PostgresPolicies,
    PostgresResources,
    PostgresSeals,
    PostgresVerdicts,
)
from tau.stores.postgres.liveness import SharedLiveness
from tau.stores.postgres.queue import PostgresQueue
from tau.stores.postgres.runs import PostgresRuns
from tau.stores.postgres.sessions import PostgresAccess, SessionPool
from tau.stores.postgres.work import PostgresWork


class PostgresStore:
    """See ports.store.Store; made by `open`."""

    def __init__(self, database: PostgresDatabase, processes: Processes) -> None:
        """Give every role its share of the open database."""
        liveness = SharedLiveness(processes)
        self._database = database
        self.runs = PostgresRuns(database, liveness)
        self.queue = PostgresQueue(database)
        self.work = PostgresWork(database, liveness)
        self.resources = PostgresResources(database)
        self.aliases = PostgresAliases(database)
        self.verdicts = PostgresVerdicts(database)
        self.checkpoints = PostgresCheckpoints(database)
        self.policies = PostgresPolicies(database)
        self.desired_states = PostgresDesiredStates(database)
        self.seals = PostgresSeals(database)
        self.insights = PostgresInsights(database)

    @classmethod
    async def open(
        cls,
        location: str,
        *,
        clock: Clock | None = None,
        processes: Processes | None = None,
        read_only: bool = False,
        connections: int = 4,
        poll_interval_s: float = 1.0,
        patience_s: float = 15.0,
        connect_s: float = 10.0,
        answer_s: float = 30.0,
    ) -> Self:
        """Open the store at the URL `location`, creating or migrating its schema where needed.

        Times are the database's, unless a `clock` is given. A process has up to `connections` for
        its event loop, two for others' and one that listens; what others do is noticed by notices,
        or every `poll_interval_s` where those are lost. A server that is away is waited for up to
        `patience_s`; no answer within `answer_s` counts as a lost connection.

        Raises:
            InputError: `location` is no such URL.
            StoreUnavailable: the server is away, too old, a replica, or refuses.
            StoreDamaged: the schema is another program's, or not whole.
            StoreVersion: from a newer Tau, or read only and from an older one.
        """
        access = PostgresAccess(
            address=address.parse(location),
            read_only=read_only,
            connect_s=connect_s,
            answer_s=answer_s,
        )
        await _prepare(access, patience_s)
        database = PostgresDatabase(
            access,
            clock=clock,
            connections=connections,
            patience_s=patience_s,
            poll_interval_s=poll_interval_s,
        )
        return cls(database, processes or SystemProcesses())

    async def aclose(self) -> None:
        await self.work.aclose()
        await self._database.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()


async def _prepare(access: PostgresAccess, patience_s: float) -> None:
    """See that there is a server with a schema of our version."""
    where = access.address.shown
    session = await SessionPool(access, size=1, patience_s=patience_s).session()
    connection = session.connection
    try:
        await schema.check_server(connection, where, read_only=access.read_only)
        found = await schema.check(connection, access.address)
        if found < schema.CURRENT:
            if access.read_only:
                raise _unmigrated(where, found)
            await schema.migrate(connection, access.address)
    except faults.LOST as error:
        raise faults.unreachable(where, error) from error
    except asyncpg.PostgresError as error:
        raise faults.translated(error, where) from error
    finally:
        await session.aclose()


def _unmigrated(where: str, found: int) -> StoreUnavailable | StoreVersion:
    if not found:
        return StoreUnavailable(
            "there is no store",
            where=where,
            fix="a run makes one: tau run CFG; name another with --store",
        )
    return StoreVersion(
        "the store was written by an older Tau",
        where=where,
        why=f"its schema is version {found}, this Tau reads {schema.CURRENT}",
        fix="migrate it with `tau db migrate`",
    )

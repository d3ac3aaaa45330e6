"""A store in one SQLite file."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Self

import apsw

from tau.domain.worker import ProcessIdentity
from tau.errors import StoreError, StoreVersion
from tau.ports.clock import Clock, SystemClock
from tau.ports.processes import Processes, SystemProcesses
from tau.stores.liveness import Liveness
from tau.stores.signals import Signals
from tau.stores.sqlite import schema
from tau.stores.sqlite.connection import SqliteAccess
from tau.stores.sqlite.database import SqliteDatabase
from tau.stores.sqlite.desired import SqliteDesiredStates
from tau.stores.sqlite.faults import translated
from tau.stores.sqlite.insights import SqliteInsights
from tau.stores.sqlite.ledger import SqliteCheckpoints, SqliteResources
from tau.stores.sqlite.location import DatabasePath, file_system
from tau.stores.sqlite.machine import refuse_another
from tau.stores.sqlite.maintenance import keep_old
from tau.stores.sqlite.naming import SqliteAliases, SqlitePolicies, SqliteVerdicts
from tau.stores.sqlite.queue import SqliteQueue
from tau.stores.sqlite.readers import Readers
from tau.stores.sqlite.runs import SqliteRuns
from tau.stores.sqlite.salvage import check_whole
from tau.stores.sqlite.seals import SqliteSeals
from tau.stores.sqlite.transaction import SqliteTransaction
from tau.stores.sqlite.work import SqliteWork
from tau.stores.sqlite.writer import GroupCommitWriter


class SqliteStore:
    """See ports.store.Store; made by `open`."""

    def __init__(self, database: SqliteDatabase, clock: Clock, processes: Processes) -> None:
        """Give every role its share of the open database."""
        liveness = Liveness(clock, processes)
        self._database = database
        self._closed = False
        self.runs = SqliteRuns(database, clock, liveness)
        self.queue = SqliteQueue(database, clock)
        self.work = SqliteWork(database, clock, liveness, processes)
        self.resources = SqliteResources(database, clock)
        self.aliases = SqliteAliases(database, clock)
        self.verdicts = SqliteVerdicts(database, clock)
        self.checkpoints = SqliteCheckpoints(database, clock)
        self.policies = SqlitePolicies(database, clock)
        self.desired_states = SqliteDesiredStates(database)
        self.seals = SqliteSeals(database)
        self.insights = SqliteInsights(database)

    @classmethod
    async def open(
        cls,
        location: str | Path,
        *,
        clock: Clock | None = None,
        processes: Processes | None = None,
        read_only: bool = False,
        synchronous: str = "FULL",
        vfs: str | None = None,
        exclusive: bool = False,
        busy_timeout_ms: int = 30_000,
        poll_interval_s: float = 0.05,
        file_system: Callable[[Path], str] = file_system,
    ) -> Self:
        """Open the store in the file `location`, creating or migrating it where needed.

        `:memory:` is a store of this process alone, gone when closed. With `vfs` the file is
        that VFS's affair and not looked at; `exclusive` keeps everything on one connection
        without shared memory. Other processes' writes are noticed every `poll_interval_s`.

        Raises:
            StoreUnavailable: a folder, not readable or writable, on a network, or locked.
            StoreDamaged: not a Tau store, or not a whole one.
            StoreVersion: from a newer Tau, or read only and from an older one.
        """
        clock = clock or SystemClock()
        processes = processes or SystemProcesses()
        access = SqliteAccess(
            path=str(location),
            synchronous=synchronous,
            vfs=vfs,
            busy_timeout_ms=busy_timeout_ms,
            exclusive=exclusive,
        )
        place = None
        if not access.memory and vfs is None:
            place = DatabasePath(Path(location), file_system=file_system)
        opening = _Opening(access, place, clock, poll_interval_s)
        database = await asyncio.to_thread(opening.reader if read_only else opening.writer)
        store = cls(database, clock, processes)
        if not read_only:
            here, now = processes.this(), clock.unix_ms()
            try:
                await database.write(lambda transaction: _note_boot(transaction, here, now))
            except StoreError:
                await database.aclose()
                raise
        return store

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            await self._database.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()


class _Opening:
    """The blocking part of `open`."""

    def __init__(
        self, access: SqliteAccess, place: DatabasePath | None, clock: Clock, poll_interval_s: float
    ) -> None:
        self._access = access
        self._place = place
        self._clock = clock
        self._poll_interval_s = poll_interval_s
        self._check_file = place.check if place is not None else _no_check
        self._check_log = place.check_log if place is not None else _no_check

    def writer(self) -> SqliteDatabase:
        """Ready for everything."""
        access, place = self._access, self._place
        if place is not None:
            place.check_name()
            check_whole(place.path)
            place.prepare(read_only=False)
            place.recognise(access)
        try:
            connection = access.writer()
            try:
                self._migrate(connection)
            except BaseException:
                connection.close()
                raise
        except apsw.Error as error:
            raise translated(error, access.path, writing=False) from error
        if place is not None:
            place.remember()
        signals = Signals()
        writer = GroupCommitWriter(
            connection,
            access,
            signals=signals,
            clock=self._clock,
            check_file=self._check_log,
            poll_interval_s=self._poll_interval_s,
        )
        readers = None if access.single else Readers(access, check_file=self._check_log)
        return self._database(writer, readers, signals)

    def reader(self) -> SqliteDatabase:
        """Ready for reading."""
        access, place = self._access, self._place
        if place is not None:
            place.check_name()
            check_whole(place.path)
            place.prepare(read_only=True)
            place.recognise(access)
        try:
            access = self._readable(access)
            connection = access.reader()
            with contextlib.closing(connection):
                found = schema.version(connection)
                schema.check_version(found, access.path)
                schema.check_filled(connection, access.path)
                if found < schema.CURRENT:
                    raise StoreVersion(
                        "the store was written by an older Tau",
                        where=access.path,
                        why=f"its schema is version {found}, this Tau reads {schema.CURRENT}",
                        fix="migrate it with `tau db migrate`",
                    )
                schema.check_tables(connection, access.path)
        except apsw.Error as error:
            raise translated(error, access.path, writing=False) from error
        if place is not None:
            place.remember()
        return self._database(None, Readers(access, check_file=self._check_file), Signals())

    def _readable(self, access: SqliteAccess) -> SqliteAccess:
        """Where even SQLite's own files beside the store cannot be made, nobody else writes."""
        if self._place is None or self._place.writable or self._place.logged:
            return access
        return replace(access, immutable=True)

    def _migrate(self, connection: apsw.Connection) -> None:
        access = self._access
        schema.check_version(schema.version(connection), access.path)
        schema.begin_log(connection, access.prepare)
        before = schema.migrate(connection, access.path, before=self._keep_old)
        if before == schema.CURRENT:
            schema.check_tables(connection, access.path)

    def _keep_old(self, version: int) -> None:
        if self._place is not None:
            keep_old(self._place.path, version)

    def _database(
        self, writer: GroupCommitWriter | None, readers: Readers | None, signals: Signals
    ) -> SqliteDatabase:
        return SqliteDatabase(
            location=self._access.path,
            writer=writer,
            readers=readers,
            signals=signals,
            poll_interval_s=self._poll_interval_s,
        )


def _note_boot(transaction: SqliteTransaction, here: ProcessIdentity, unix_ms: int) -> None:
    """Monotonic times of another boot mean nothing: what they scheduled is ready."""
    refuse_another(transaction, here, unix_ms)
    if transaction.value("meta", ("boot_id",)) != here.boot_id:
        transaction.run("forget_retry_times")
        transaction.run("set_meta", ("boot_id", here.boot_id))


def _no_check() -> None:
    """There is no file to look at."""

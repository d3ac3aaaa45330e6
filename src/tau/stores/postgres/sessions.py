"""Connections to the server: made when needed, a bounded number, each with a receipt."""

import asyncio
import contextlib
import secrets
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from tau.errors import StoreUnavailable
from tau.ports.clock import Clock
from tau.stores.postgres import faults
from tau.stores.postgres.address import Address
from tau.stores.postgres.statements import SQL
from tau.stores.postgres.transaction import Moment, Opening, PostgresTransaction

_STATEMENTS = 256
_CLOSING_S = 2.0
_SLOTS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresAccess:
    """How to connect. No answer within `answer_s` counts as a lost connection."""

    address: Address
    read_only: bool = False
    connect_s: float = 10.0
    answer_s: float = 30.0

    async def connect(self, name: str) -> Any:  # noqa: ANN401  (the driver has no types)
        """A new connection, called `name` at the server.

        Raises:
            StoreError: it is refused.
            OSError, TimeoutError and the like (faults.LOST): it cannot be made just now.
        """
        settings = {
            "application_name": name,
            "search_path": self.address.schema,
            "default_transaction_isolation": "read committed",
            "default_transaction_read_only": "on" if self.read_only else "off",
            "lock_timeout": str(int(self.answer_s * 500)),
            "idle_in_transaction_session_timeout": str(int(self.answer_s * 2000)),
            "jit": "off",
        }
        try:
            return await asyncpg.connect(
                self.address.url,
                timeout=self.connect_s,
                command_timeout=self.answer_s,
                statement_cache_size=_STATEMENTS,
                server_settings=settings,
            )
        except ssl.SSLCertVerificationError as error:
            raise StoreUnavailable(
                "the store's server is not trusted",
                where=self.address.shown,
                why=error.verify_message,
                fix="name its root certificate with sslrootcert or PGSSLROOTCERT, and the host as "
                "its certificate does",
            ) from error
        except faults.LOST:
            raise
        except faults.BUSY as error:  # no connection is free: like a server that starts
            raise ConnectionRefusedError(faults.why(error)) from error
        except asyncpg.PostgresError as error:
            raise faults.translated(error, self.address.shown) from error
        except ValueError:  # the driver repeats the URL in it
            raise StoreUnavailable(
                "the store's URL or the PG* variables cannot be used", where=self.address.shown
            ) from None


class PostgresSession:
    """One connection and the number of its last transaction."""

    def __init__(self, connection: Any, name: str) -> None:  # noqa: ANN401
        """Take over `connection`."""
        self.connection = connection
        self.name = name
        self.pid: int = connection.get_server_pid()
        self.receipt: int | None = None
        self.number = 0

    async def begin(
        self, told: Clock | None, opening: Opening | None = None
    ) -> PostgresTransaction:
        """Open a transaction; its first statement signs the receipt and tells the time."""
        connection = self.connection
        while True:
            if self.receipt is None:
                self.receipt = await connection.fetchval(SQL["open_receipt"])
            self.number += 1
            await connection.execute("BEGIN")
            slot = self.receipt % _SLOTS
            name = opening.name if opening else "sign_receipt"
            more = (slot, *opening.bindings) if opening else ()
            rows = await connection.fetch(SQL[name], self.receipt, self.number, *more)
            if rows:
                moment = Moment(rows[0][0], told)
                opened = rows if opening else ()
                return PostgresTransaction(connection, moment=moment, slot=slot, opened=opened)
            await connection.execute("ROLLBACK")
            self.receipt = None  # it had been pruned, so it was not used for a day

    async def commit(self) -> None:
        """Make the transaction durable."""
        await self.connection.execute("COMMIT")

    async def rollback(self) -> None:
        """Undo the transaction; a connection that cannot is closed."""
        try:
            await self.connection.execute("ROLLBACK")
        except (*faults.LOST, asyncpg.PostgresError):
            self.connection.terminate()

    async def aclose(self) -> None:
        """Leave in order where that is possible."""
        with contextlib.suppress(*faults.LOST, asyncpg.PostgresError):
            async with asyncio.timeout(_CLOSING_S):
                if self.receipt is not None:
                    await self.connection.execute(SQL["close_receipt"], self.receipt)
                await self.connection.close()
        self.connection.terminate()


class SessionPool:
    """Up to `size` sessions of one event loop."""

    def __init__(self, access: PostgresAccess, *, size: int, patience_s: float) -> None:
        """Connects when first asked; gives up connecting after `patience_s`."""
        self._access = access
        self._patience_s = patience_s
        self._free: list[PostgresSession] = []
        self._places = asyncio.Semaphore(size)
        self._name = f"tau-{secrets.token_hex(6)}"
        self._made = 0

    async def session(self, *, patience_s: float | None = None) -> PostgresSession:
        """A new session, tried for as long as there is patience; it belongs to the caller.

        Raises:
            StoreUnavailable: the server cannot be reached or refuses.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + (self._patience_s if patience_s is None else patience_s)
        pause_s = 0.05
        while True:
            self._made += 1
            name = f"{self._name}-{self._made}"
            try:
                return PostgresSession(await self._access.connect(name), name)
            except faults.LOST as error:
                if loop.time() + pause_s > end:
                    raise faults.unreachable(self._access.address.shown, error) from error
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, 1.0)

    @asynccontextmanager
    async def use(self) -> AsyncIterator[PostgresSession]:
        """A session that nobody else uses; one whose connection broke is not used again."""
        async with self._places:
            session = None
            while self._free and session is None:
                session = self._free.pop()
                if session.connection.is_closed():
                    session = None
            session = session or await self.session()
            try:
                yield session
            except faults.LOST:
                session.connection.terminate()
                raise
            finally:
                connection = session.connection
                if connection.is_closed() or connection.is_in_transaction():
                    connection.terminate()
                else:
                    self._free.append(session)

    async def aclose(self) -> None:
        """Close what is free; nothing may be in use."""
        while self._free:
            await self._free.pop().aclose()

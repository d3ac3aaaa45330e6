"""Hearing of changes: at once what this process writes, by NOTIFY what others do.

Notices are gathered, since NOTIFY makes commits wait for each other, and sent beside the commits.
They may be lost: those who wait look for themselves now and then.
"""

import asyncio
import contextlib
import secrets
import threading
from typing import Any

import asyncpg

from tau.errors import StoreError
from tau.stores.changes import Changes
from tau.stores.postgres import faults
from tau.stores.postgres.sessions import PostgresAccess, SessionPool
from tau.stores.postgres.statements import PostgresStatements
from tau.stores.signals import READY, Signals

_GATHER_S = 0.02
_RECONNECT_S = 1.0
_LONGEST = 7000


class Notices:
    """Counts what happens here and elsewhere."""

    def __init__(self, access: PostgresAccess, pool: SessionPool) -> None:
        """Listens from the first wait on."""
        self.signals = Signals()
        self._access = access
        self._pool = pool
        self._home = asyncio.get_running_loop()
        self._me = secrets.token_hex(6)
        self._lock = threading.Lock()
        self._untold: set[str] = set()
        self._sender: asyncio.Task[None] | None = None
        self._listener: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def channel(self) -> str:
        """Of the store; channels are shared by a whole database."""
        return f"tau_{self._access.address.schema}"[:63]

    def tell(self, changes: Changes) -> None:
        """Wake those who wait for what was just committed; from any thread."""
        topics = {str(run) for run in changes.settled}
        if changes.claimable or changes.due_ms:
            topics.add(READY)
        if not topics:
            return
        self.signals.happen(topics)
        with self._lock:
            first = not self._untold
            self._untold |= topics
        if first and not self._closed:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to send
                self._home.call_soon_threadsafe(self._start_sending)

    def listen(self) -> None:
        """Hear of others from now on; on the home loop."""
        if self._listener is None and not self._closed:
            self._listener = self._home.create_task(self._listen(), name="tau-store-listener")

    async def aclose(self) -> None:
        """Send what is left and stop listening."""
        self._closed = True
        if self._sender is not None:
            await asyncio.wait([self._sender])
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.wait([self._listener])

    def _start_sending(self) -> None:
        if self._sender is None or self._sender.done():
            self._sender = self._home.create_task(self._send(), name="tau-store-notices")

    async def _send(self) -> None:
        while self._untold:
            await asyncio.sleep(_GATHER_S)
            with self._lock:
                topics, self._untold = self._untold, set()
            payloads = [f"{self._me} {topic}"[:_LONGEST] for topic in sorted(topics)]
            with contextlib.suppress(*faults.LOST, asyncpg.PostgresError, StoreError):
                async with self._pool.use() as session:
                    await PostgresStatements(session.connection).tuples(
                        "tell", self.channel, payloads
                    )

    async def _listen(self) -> None:
        while True:
            with contextlib.suppress(*faults.LOST, asyncpg.PostgresError, StoreError):
                await self._listen_once()
            await asyncio.sleep(_RECONNECT_S)

    async def _listen_once(self) -> None:
        """Until the connection ends; raises what ended it."""
        ended = asyncio.Event()
        connection = await self._access.connect(f"tau-{self._me}-listener")
        try:
            connection.add_termination_listener(lambda _: ended.set())
            await connection.add_listener(self.channel, self._heard)
            await ended.wait()
        finally:
            connection.terminate()

    def _heard(self, connection: Any, pid: int, channel: str, payload: str) -> None:  # noqa: ANN401
        sender, _, topic = payload.partition(" ")
        if sender != self._me:
            self.signals.happen([topic])

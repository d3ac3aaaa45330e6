"""A wire between a store and its server that can be cut, stalled, or lose a commit's answer."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum, auto


class Fault(Enum):
    """What happens to the next COMMIT, or to everything."""

    NONE = auto()
    BEFORE_COMMIT = auto()
    """The connection is cut before the server hears of the commit."""
    AFTER_COMMIT = auto()
    """The server commits, and the connection is cut before its answer arrives."""
    MUTE_AFTER_COMMIT = auto()
    """The server commits; its answer and all that follows are lost, the connection stays."""


class Proxy:
    """Passes bytes on, until told otherwise; a fault strikes once."""

    def __init__(self, port: int) -> None:
        self._server_port = port
        self.port = 0
        self.fault = Fault.NONE
        self.delay_s = 0.0
        self.struck = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._silences: set[asyncio.Event] = set()
        self._handlers: set[asyncio.Task[None]] = set()

    def cut(self) -> None:
        """Cut every connection there is."""
        for writer in list(self._writers):
            writer.transport.abort()

    def silence(self) -> None:
        """Let every connection there is hang: open at both ends, and nothing gets through."""
        for silent in self._silences:
            silent.set()

    async def aclose(self) -> None:
        """Cut everything and wait until it is gone."""
        self.cut()
        if self._handlers:
            await asyncio.wait(self._handlers)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        me = asyncio.current_task()
        assert me is not None
        self._handlers.add(me)
        me.add_done_callback(self._handlers.discard)
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._server_port)
        except OSError:
            writer.transport.abort()
            return
        muted, silent = asyncio.Event(), asyncio.Event()
        self._silences.add(silent)
        self._writers |= {writer, up_writer}
        ways = [
            asyncio.create_task(self._up(reader, up_writer, muted, silent)),
            asyncio.create_task(self._down(up_reader, writer, muted, silent)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.wait(ways)
            self._silences.discard(silent)
            for each in (writer, up_writer):
                self._writers.discard(each)
                each.transport.abort()

    async def _up(
        self,
        reader: asyncio.StreamReader,
        up: asyncio.StreamWriter,
        muted: asyncio.Event,
        silent: asyncio.Event,
    ) -> None:
        while data := await self._read(reader):
            if silent.is_set():
                continue
            if self.fault is not Fault.NONE and b"COMMIT\x00" in data:
                fault, self.fault = self.fault, Fault.NONE
                self.struck += 1
                if fault is Fault.BEFORE_COMMIT:
                    return
                muted.set()
                up.write(data)
                await up.drain()
                if fault is Fault.AFTER_COMMIT:
                    await asyncio.sleep(0.05)  # the server has what it needs
                    return
                continue
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            up.write(data)
            await up.drain()

    async def _down(
        self,
        up: asyncio.StreamReader,
        down: asyncio.StreamWriter,
        muted: asyncio.Event,
        silent: asyncio.Event,
    ) -> None:
        while data := await self._read(up):
            if muted.is_set() or silent.is_set():
                continue
            down.write(data)
            await down.drain()

    @staticmethod
    async def _read(reader: asyncio.StreamReader) -> bytes:
        with contextlib.suppress(ConnectionError):
            return await reader.read(65536)
        return b""


@asynccontextmanager
async def proxied(port: int) -> AsyncIterator[Proxy]:
    """A proxy before the server at `port`."""
    proxy = Proxy(port)
    server = await asyncio.start_server(proxy.handle, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.aclose()
        await server.wait_closed()

"""Server-sent events: one reader per channel, however many listen, and little kept for each."""

import asyncio
import zlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TypeAlias

from tau.gateway.answers import Refused

Parts: TypeAlias = Mapping[str, bytes]

KEEP_ALIVE_S = 15.0
RECHECK_S = 10.0
MOST_LISTENERS = 2000
_HISTORY = 256
_QUEUE = 16
_REST = 9  # a channel looks for at most a tenth of the time: on a busy machine, less often
_KEEP_ALIVE = b": keep-alive\n\n"
_END = b"event: end\ndata: end\n\n"


class Listener:
    """What one client has still to be sent; one that is too slow starts again from a snapshot."""

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self._ready = asyncio.Event()
        self.behind = False
        self.closed = False

    def put(self, event: bytes) -> None:
        """Queue an event, or note that too many wait."""
        if len(self._waiting) >= _QUEUE:
            self._waiting.clear()
            self.behind = True
        if not self.behind:
            self._waiting.append(event)
        self._ready.set()

    def close(self) -> None:
        """Let the client go."""
        self.closed = True
        self._ready.set()

    async def get(self, timeout_s: float) -> bytes | None:
        """The next events in one piece; None at the timeout or when there is something else."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._ready.wait()
        except TimeoutError:
            return None
        self._ready.clear()
        found = b"".join(self._waiting)
        self._waiting.clear()
        return found or None


class Channel:
    """Something that changes in parts, told to whoever listens at most once per period.

    Where looking takes long, because there is much to read or the machine is busy with the run, it
    is done less often.

    `produce` makes all parts; `encode` makes an event of (number, parts, whether it is all).
    Numbers grow from start to start of the gateway, so that an old one is never taken for a new.
    """

    def __init__(
        self,
        produce: Callable[[], Awaitable[Parts]],
        encode: Callable[[int, Parts, bool], bytes],
        *,
        first: int,
        period_s: float,
    ) -> None:
        self._produce = produce
        self._encode = encode
        self._period_s = period_s
        self._number = first
        self._oldest = first
        self._parts: Parts = {}
        self._history: deque[tuple[int, bytes]] = deque(maxlen=_HISTORY)
        self._listeners: set[Listener] = set()
        self._task: asyncio.Task[None] | None = None
        self._looking = asyncio.Lock()
        self._looked_s = float("-inf")

    @property
    def listeners(self) -> int:
        """How many listen now."""
        return len(self._listeners)

    async def listen(
        self,
        *,
        seen: int | None = None,
        hello: Callable[[bool], bytes] | None = None,
        welcome: Callable[[], Awaitable[bool]] | None = None,
        keep_alive_s: float = KEEP_ALIVE_S,
        recheck_s: float = RECHECK_S,
    ) -> AsyncIterator[bytes]:
        """Events for one client: all of it, or what came after number `seen`; then the changes.

        `hello` makes a first event of whether `seen` could be picked up. `welcome` is asked
        every `recheck_s`, however much there is to tell, whether the client may still listen.
        """
        listener, loop = Listener(), asyncio.get_running_loop()
        await self._look(unless_fresh=True)
        missed = self._since(seen)
        self._listeners.add(listener)
        self._start()
        try:
            if hello is not None:
                yield hello(missed is not None)
            yield self._all() if missed is None else missed
            asked_s = loop.time()
            while True:
                left_s = max(0.0, asked_s + recheck_s - loop.time())
                event = await listener.get(min(keep_alive_s, left_s))
                if listener.behind:
                    listener.behind = False
                    event = self._all() + (_END if listener.closed else b"")
                if event is None and listener.closed:
                    return
                if welcome is not None and loop.time() - asked_s >= recheck_s:
                    asked_s = loop.time()
                    if not await welcome():
                        return
                yield event or _KEEP_ALIVE
                if listener.closed:
                    return
        finally:
            self._listeners.discard(listener)

    async def finish(self) -> None:
        """Tell everybody the last state, and that it is the last, then let them go."""
        if self._listeners:
            await self._look()
        for listener in self._listeners:
            listener.put(_END)
        self.close()

    def close(self) -> None:
        """Let everybody go."""
        for listener in self._listeners:
            listener.close()
        if self._task is not None:
            self._task.cancel()

    def _all(self) -> bytes:
        return self._encode(self._number, self._parts, True)

    def _since(self, seen: int | None) -> bytes | None:
        """The events after number `seen`, None where they are no longer, or not, known."""
        if seen is None or not self._oldest <= seen <= self._number:
            return None
        return b"".join(event for number, event in self._history if number > seen)

    def _start(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="gateway-channel")
            # whoever listens next meets the same error, and is answered with it
            self._task.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def _run(self) -> None:
        try:
            loop, took_s = asyncio.get_running_loop(), 0.0
            while self._listeners:
                await asyncio.sleep(max(self._period_s, _REST * took_s))
                began_s = loop.time()
                await self._look()
                took_s = loop.time() - began_s
        finally:  # where it cannot go on, clients come back and are told why, instead of waiting
            for listener in self._listeners:
                listener.close()

    async def _look(self, *, unless_fresh: bool = False) -> None:
        """Note what has changed; who comes makes nobody be told more often than once a period."""
        async with self._looking:
            now_s = asyncio.get_running_loop().time()
            if unless_fresh and self._parts and now_s - self._looked_s < self._period_s:
                return
            self._looked_s = now_s
            parts = await self._produce()
            changed = {n: part for n, part in parts.items() if self._parts.get(n) != part}
            if not changed:
                return
            self._parts = parts
            self._number += 1
            event = self._encode(self._number, changed, False)
            if len(self._history) == _HISTORY:
                self._oldest = self._history[0][0]
            self._history.append((self._number, event))
            for listener in self._listeners:
                listener.put(event)


class Hub:
    """The channels of a gateway by name; those nobody listens to are forgotten."""

    def __init__(self) -> None:
        self._channels: dict[str, Channel] = {}

    def channel(self, name: str, make: Callable[[], Channel]) -> Channel:
        """The channel `name`.

        Raises:
            Refused: 503 where too many listen already.
        """
        if sum(channel.listeners for channel in self._channels.values()) >= MOST_LISTENERS:
            raise Refused(503, "too_many_streams", "too many streams are open", retry_after_s=10)
        found = self._channels.get(name)
        if found is None:
            self._channels = {n: c for n, c in self._channels.items() if c.listeners or n[0] != "/"}
            found = self._channels[name] = make()
        return found

    @property
    def listeners(self) -> int:
        """How many listen in all."""
        return sum(channel.listeners for channel in self._channels.values())

    async def finish(self) -> None:
        """End every stream with the last state."""
        await asyncio.gather(*(channel.finish() for channel in self._channels.values()))

    def close(self) -> None:
        """End every stream."""
        for channel in self._channels.values():
            channel.close()


async def compressed(events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same as one gzip stream, each piece of it whole as soon as it is there."""
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    async for one in events:
        yield packer.compress(one) + packer.flush(zlib.Z_SYNC_FLUSH)
    yield packer.flush()


def event(name: str | None, data: bytes, *, identity: str | None = None) -> bytes:
    """One server-sent event; `data` may have several lines."""
    head = (f"event: {name}\n" if name else "") + (f"id: {identity}\n" if identity else "")
    lines = b"".join(b"data: " + one + b"\n" for one in data.splitlines() or [b""])
    return head.encode() + lines + b"\n"

"""Connections before anybody is known: how many, how long, and how much they may say.

Where there are too many, the one that has been silent longest makes room: who has asked is
answered, so probes and operators get through while strangers keep hundreds of connections open.
"""

import asyncio
import logging
import resource
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tau.gateway.addresses import Networks
from tau.gateway.guard import HEADERS, MOST_BODY_BYTES
from tau.gateway.limits import Rate
from tau.ports.clock import Clock, SystemClock

_OWN_FILES = 48
_MOST = 1024
_LEAST = 16
_HEADERS = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items()).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """What strangers may take up.

    `total` and `per_address` bound connections; a whole request must have come within `request_s`
    of its beginning, its head within `head_bytes`; an answer that nobody takes ends after
    `stalled_s`.
    """

    total: int
    per_address: int
    head_bytes: int = 32 * 1024
    request_s: float = 10.0
    stalled_s: float = 30.0

    @property
    def backlog(self) -> int:
        """How many may wait to be taken in: so many are taken in one go."""
        return max(8, min(128, self.total // 4))


def limits_here() -> ConnectionLimits:
    """What the number of files that this process may open leaves room for."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = 1 << 20 if files == resource.RLIM_INFINITY else files
    total = max(_LEAST, min(_MOST, (files - _OWN_FILES) * 2 // 3))
    return ConnectionLimits(total=total, per_address=max(8, total // 4))


class Connections:
    """Those that are open, the longest silent first."""

    def __init__(self, limits: ConnectionLimits, trusted: Networks) -> None:
        self.limits = limits
        self._trusted = trusted
        self._open: OrderedDict[BoundedProtocol, str] = OrderedDict()
        self._of: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, one: "BoundedProtocol") -> bool:
        """Take a connection in, in place of a silent one where there are too many."""
        address = one.address
        if self._of.get(address, 0) >= self.limits.per_address and address not in self._trusted:
            if not self._make_room(address):
                return False
        elif len(self._open) >= self.limits.total and not self._make_room(None):
            return False
        self._open[one] = address
        self._of[address] = self._of.get(address, 0) + 1
        return True

    def heard(self, one: "BoundedProtocol") -> None:
        """Note that a connection has asked for something as a whole."""
        if one in self._open:
            self._open.move_to_end(one)

    def leave(self, one: "BoundedProtocol") -> None:
        """Forget a connection."""
        address = self._open.pop(one, None)
        if address is None:
            return
        self._of[address] -= 1
        if not self._of[address]:
            del self._of[address]

    def _make_room(self, address: str | None) -> bool:
        for other, of in self._open.items():
            if other.silent and address in (None, of):
                self.leave(other)
                other.drop()
                return True
        return False


class BoundedProtocol(HttpToolsProtocol):
    """A connection within limits. Made by `bounded`, which says which."""

    bounds: Connections

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401  (uvicorn's own)
        super().__init__(*arguments, **named)
        self.address = "unknown"
        self.silent = True
        self._taken = 0
        self._headed = False
        self._late: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take part, or be told at once that there is no room."""
        super().connection_made(transport)
        self.address = self.client[0] if self.client else "unknown"
        if not self.bounds.admit(self):
            self._refuse(503, b"too many connections")
            return
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave."""
        self.bounds.leave(self)
        for timer in (self._late, self._stalled):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what has come of a request that is not whole."""
        if self.transport.is_closing() or self.parser is None:
            return
        if self.silent and self._late is None:
            self._expect()
        self._taken += len(data)
        super().data_received(data)
        limits = self.bounds.limits
        if self.silent and not self._headed and self._taken > limits.head_bytes:
            self._refuse(431, b"the head of the request is too long")
        elif self.silent and self._taken > limits.head_bytes + 2 * MOST_BODY_BYTES:
            self._refuse(413, b"the request is too long")

    def on_message_begin(self) -> None:
        """A request begins."""
        self.silent, self._headed = True, False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its head is whole."""
        self._headed = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """It is whole: it is answered, however long that takes."""
        self.silent, self._taken = False, 0
        if self._late is not None:
            self._late.cancel()
            self._late = None
        self.bounds.heard(self)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Silence until the next one; uvicorn's own limit ends it."""
        self.silent = not self.pipeline
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Nobody takes what is sent."""
        super().pause_writing()
        if self._stalled is None:
            self._stalled = self.loop.call_later(self.bounds.limits.stalled_s, self.drop)

    def resume_writing(self) -> None:
        """Somebody does again."""
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP is told so, with the headers that every answer has."""
        self._refuse(400, msg.encode("ascii", "replace"))

    def drop(self) -> None:
        """End it, whatever was still to be sent."""
        if self.transport is not None:
            self.transport.abort()

    def _expect(self) -> None:
        self._late = self.loop.call_later(self.bounds.limits.request_s, self._too_late)

    def _too_late(self) -> None:
        self._late = None
        if self.silent and not self.transport.is_closing():
            self._refuse(408, b"the request did not come in time")

    def _refuse(self, status: int, why: bytes) -> None:
        """Answer by hand: there is no request that could be answered."""
        if self.transport.is_closing():
            return
        head = b"HTTP/1.1 %d Refused\r\ncontent-type: text/plain\r\nconnection: close\r\n" % status
        self.transport.write(head + _HEADERS + b"content-length: %d\r\n\r\n%s" % (len(why), why))
        self.transport.close()
        # what a client does not take is not kept for it
        self.loop.call_later(1.0, self.drop)


def bounded(connections: Connections) -> type[BoundedProtocol]:
    """The protocol of one server."""
    return type("OneServersProtocol", (BoundedProtocol,), {"bounds": connections})


class SparingLog(logging.Filter):
    """Lets so many records of one text a minute through: strangers cannot fill a disk."""

    def __init__(self, most: int = 10, *, clock: Clock | None = None) -> None:
        super().__init__()
        self._rate = Rate(most, clock or SystemClock())

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this one is written."""
        return self._rate.take(str(record.msg)[:200]) is None

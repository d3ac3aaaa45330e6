"""One call of an agent's, as the runner makes calls: counted, paced, metered and recorded."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import orjson

from tau.domain.chat import Completion, ModelRequest
from tau.domain.json import Json
from tau.domain.spend import Usage
from tau.errors import MalformedResponse, ModelError
from tau.models.wire import Unexpected
from tau.ports.forwarding import ForwardedReply, ForwardedRequest, Upstream
from tau.ports.model import Model
from tau.proxy.dialects import Answered, Body, Dialect

_LARGEST_BODY = 32 * 1024 * 1024
_LARGEST_STREAM = 256 * 1024 * 1024
_READ_BYTES = 4 * 1024 * 1024
"""Of a stream, what is read again at its end."""
_TAIL_BYTES = 64 * 1024
_BYTES_PER_TOKEN = 4
_EVENTS = "text/event-stream"


class Client(Protocol):
    """Whoever waits for a stream."""

    gone: bool
    """It has closed its connection: nothing more is to be fetched for it."""

    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Send the head."""
        ...

    async def write(self, piece: bytes) -> None:
        """Send a piece at once."""
        ...

    async def end(self) -> None:
        """Nothing more comes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeReply:
    """An answer that is not streamed, as upstream gave it."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class PassedCall:
    """Implements `ports.model.Model` for one call: whoever makes it lets the client have the bytes.

    A stream goes to `client` as it comes; any other answer waits in `reply` until it is counted.
    """

    def __init__(
        self,
        model: Model,
        upstream: Upstream,
        dialect: Dialect,
        request: ForwardedRequest,
        client: Client,
        name: str,
    ) -> None:
        """`name` is the model that is asked for."""
        self._model = model
        self._upstream = upstream
        self._dialect = dialect
        self._request = request
        self._client = client
        self._name = name
        self.ref = f"{model.ref.partition('/')[0]}/{name}"
        self.provider = model.provider
        self.reply: WholeReply | None = None
        self.begun = False

    def price(self, usage: Usage) -> int | None:
        """That of the run's model."""
        return self._model.price(usage)

    async def aclose(self) -> None:
        """Nothing of its own is open."""

    async def complete(self, request: ModelRequest) -> Completion:
        """Pass it on. Raises ModelError."""
        async with self._upstream.open(self._request) as reply:
            if 200 <= reply.status < 300 and _is_stream(reply.headers):
                return await self._stream(reply)
            body = await self._whole(reply)
        self.reply = WholeReply(status=reply.status, headers=reply.headers, body=body)
        if not 200 <= reply.status < 300:
            raise self._upstream.refusal(reply.status, reply.headers, body)
        try:
            value = orjson.loads(body)
        except orjson.JSONDecodeError:
            value = None
        return self._completion(value if isinstance(value, dict) else {}, reply, len(body))

    async def _whole(self, reply: ForwardedReply) -> bytes:
        pieces, size = [], 0
        async for piece in reply.pieces():
            pieces.append(piece)
            size += len(piece)
            if size > _LARGEST_BODY:
                raise MalformedResponse(f"the answer is larger than {_LARGEST_BODY >> 20} MB")
        return self._upstream.masked(b"".join(pieces))

    async def _stream(self, reply: ForwardedReply) -> Completion:
        client, kept, size = self._client, KeptBody(), 0
        self.begun = True
        await client.begin(reply.status, reply.headers)
        try:
            async for piece in reply.pieces():
                clean = self._upstream.masked(piece)
                await client.write(clean)
                kept.add(clean)
                size += len(clean)
                if client.gone:
                    break
                if size > _LARGEST_STREAM:
                    raise MalformedResponse(f"the stream is over {_LARGEST_STREAM >> 20} MB long")
        except asyncio.CancelledError:
            if not client.gone:  # else what has come is counted before the call ends
                raise
        try:
            return self._completion(self._assembled(kept.body()), reply, size)
        finally:  # an error among the events is the client's to see
            await client.end()

    def _assembled(self, stream: bytes) -> Body:
        try:
            return self._dialect.assembled(stream)
        except (Unexpected, ValueError, AttributeError, TypeError):
            return {}  # cut, or of another kind: the agent has it as it is, and it is counted

    def _completion(self, body: Body, reply: ForwardedReply, size: int) -> Completion:
        """What is counted and recorded."""
        if isinstance(body.get("error"), dict):  # inside a 200
            raise self._failed(body, reply)
        said = self._said(body)
        told = self._upstream.metered(dict(body))
        usage = told.usage
        if not usage.total_tokens:
            usage = _guessed(self._request.body, said.text, size)
        return Completion(
            text=said.text,
            finish_reason="cancelled" if self._client.gone else said.finish_reason,
            model=said.model or self._name,
            usage=usage,
            usage_whole=told.whole,
            cost_nano_usd=told.cost_nano_usd,
            response_id=said.response_id,
            refusal=said.refusal,
            tool_calls=said.tool_calls,
        )

    def _said(self, body: Body) -> Answered:
        try:
            return self._dialect.answered(body)
        except (Unexpected, ValueError, AttributeError, TypeError):
            return Answered()

    def _failed(self, body: Body, reply: ForwardedReply) -> ModelError:
        headers = {"Content-Type": "application/json"}
        return self._upstream.refusal(reply.status, headers, orjson.dumps(dict(body)))


class KeptBody:
    """A stream's beginning and, where it is long, its end."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._pieces: list[bytes] = []
        self._size = 0
        self._tail = b""

    def add(self, piece: bytes) -> None:
        """Take the next piece."""
        if self._size < _READ_BYTES:
            self._pieces.append(piece)
            self._size += len(piece)
        else:
            self._tail = (self._tail + piece)[-_TAIL_BYTES:]

    def body(self) -> bytes:
        """What was kept, cut between two events."""
        if not self._tail:
            return b"".join(self._pieces)
        head = b"".join(self._pieces).rpartition(b"\n\n")[0]
        return head + b"\n\n" + self._tail.partition(b"\n\n")[2]


def _is_stream(headers: Mapping[str, str]) -> bool:
    return headers.get("Content-Type", "").startswith(_EVENTS)


def _guessed(asked: bytes, said: str, size: int) -> Usage:
    """Tokens by length, where the provider tells none."""
    answered = len(said) or size // 8  # what cannot be read is mostly the protocol's own words
    return Usage(
        input_tokens=-(-len(asked) // _BYTES_PER_TOKEN),
        output_tokens=-(-answered // _BYTES_PER_TOKEN),
    )


def params_with(body: Body, name: str | None, most: int | None) -> dict[str, Json] | None:
    """`body` with its missing output limit set; None where nothing is to change.

    Raises:
        ValueError: it asks for more.
    """
    if name is None or most is None:
        return None
    names = ("max_tokens", "max_completion_tokens") if name == "max_tokens" else (name,)
    given = [body[one] for one in names if body.get(one) is not None]
    for asked in given:
        if isinstance(asked, int) and asked > most:
            raise ValueError(
                f"the call may generate {asked} tokens, and {most} are reserved for each "
                "(raise params.max_tokens in the configuration, or ask for less)"
            )
    return None if given else {**body, name: most}

"""What happens to a request of an agent's: who asks, for what, within which bounds."""

import asyncio
import re
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from aiohttp import web

from tau.domain.chat import Completion, ModelRequest
from tau.domain.json import Json
from tau.errors import AttemptError, BudgetRefused, ModelError
from tau.models.forwarding import passed_back
from tau.ports.clock import Clock
from tau.ports.forwarding import ForwardedRequest, ForwardingModel
from tau.ports.model import Model
from tau.proxy.anthropic_messages import AnthropicMessages
from tau.proxy.chat_completions import ChatCompletions, Embeddings
from tau.proxy.clients import StreamClient
from tau.proxy.dialects import Body, Dialect
from tau.proxy.leases import AttemptLease, Leases
from tau.proxy.passing import PassedCall, params_with
from tau.proxy.responses import Responses

DIALECTS: Final[Mapping[str, Dialect]] = {
    one.path: one for one in (ChatCompletions(), Responses(), Embeddings(), AnthropicMessages())
}
_PATH = re.compile(r"(?:/attempt/(?P<lease>[0-9a-f]{12}))?(?:/v1)?(?P<path>/[a-z/]+)")
_LARGEST_REQUEST = 64 * 1024 * 1024
_TOO_MANY = 429
_NO_RETRY: Final = {"x-should-retry": "false"}
"""Understood by the clients of OpenAI and Anthropic: asking again would be refused again."""


class RequestRefused(Exception):
    """A request that is answered here, with what is wrong."""

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        """`message` says the fix too."""
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A request that may be made."""

    dialect: Dialect
    body: Body
    raw: bytes
    model: str
    request: ModelRequest


class AgentCalls:
    """Serves the agents of one run; `model` answers."""

    def __init__(self, model: Model, leases: Leases, clock: Clock) -> None:
        self._model = model
        self._leases = leases
        self._clock = clock
        self._forwarding = model if isinstance(model, ForwardingModel) else None
        self.name = model.ref.partition("/")[2] or model.ref
        """What the model is called here."""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request, whatever is wrong with it."""
        match = _PATH.fullmatch(request.path.rstrip("/"))
        path = match["path"] if match else ""
        dialect = DIALECTS.get(path, DIALECTS["/chat/completions"])
        client = StreamClient(request)
        try:
            lease = self._lease(request, match["lease"] if match else None)
            if request.method == "GET" and path == "/models":
                return _json(200, self._listed(lease))
            if request.method != "POST" or path not in DIALECTS:
                raise RequestRefused(404, f"{request.method} {request.path} is not served here")
            lease.calls += 1
            asked = self._asked(lease, dialect, await _body(request))
            return await self._answered(lease, asked, request, client)
        except RequestRefused as error:
            answer = dialect.error(error.status, str(error), error.code)
            return _json(error.status, answer, _NO_RETRY)
        except BudgetRefused as error:
            answer = dialect.error(_TOO_MANY, str(error), "insufficient_quota")
            return client.broken() or _json(_TOO_MANY, answer, _NO_RETRY)
        except AttemptError as error:
            return client.broken() or _failed(dialect, error)

    def _lease(self, request: web.BaseRequest, name: str | None) -> AttemptLease:
        given = request.headers.get("Authorization", "")
        kind, _, key = given.partition(" ")
        if kind.lower() != "bearer":
            key = request.headers.get("x-api-key") or request.headers.get("api-key") or ""
        lease = self._leases.find(name, key.strip())
        if lease is None:
            raise RequestRefused(
                401,
                "this key is not in force at this address: every attempt has its own, and it ends "
                "with the attempt (read OPENAI_API_KEY and OPENAI_BASE_URL anew in each attempt)",
                "invalid_api_key",
            )
        return lease

    def _listed(self, lease: AttemptLease) -> Body:
        names = dict.fromkeys([self.name, *lease.terms.models])
        owned = self._model.provider
        return {
            "object": "list",
            "data": [
                {"id": name, "object": "model", "created": 0, "owned_by": owned} for name in names
            ],
        }

    def _asked(self, lease: AttemptLease, dialect: Dialect, raw: bytes) -> _Asked:
        try:
            body = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise RequestRefused(400, f"the body is not JSON: {error}") from None
        if not isinstance(body, dict):
            raise RequestRefused(400, "the body must be a JSON object")
        given = body.get("model")
        name = self._allowed(given, lease)
        changed = {**body, "model": name} if name != given else None
        try:
            limited = params_with(changed or body, dialect.output_limit, lease.terms.max_tokens)
            changed = limited or changed
            request = dialect.request(changed or body)
        except ValueError as error:
            raise RequestRefused(400, str(error)) from None
        return _Asked(
            dialect=dialect,
            body=changed or body,
            raw=orjson.dumps(changed) if changed is not None else raw,
            model=name,
            request=request,
        )

    def _allowed(self, given: Json, lease: AttemptLease) -> str:
        if not isinstance(given, str) or not given:
            raise RequestRefused(400, "you must provide a model parameter")
        if given in (self.name, self._model.ref):
            return self.name
        for name in lease.terms.models:
            if given in (name, f"{self._model.ref.partition('/')[0]}/{name}"):
                return name
        allowed = ", ".join(f"'{name}'" for name in (self.name, *lease.terms.models))
        raise RequestRefused(
            404,
            f"the model '{given[:200]}' is not one of this run's: ask for {allowed}, or list it in "
            "executor.models of the configuration",
            "model_not_found",
        )

    async def _answered(
        self, lease: AttemptLease, asked: _Asked, request: web.BaseRequest, client: StreamClient
    ) -> web.StreamResponse:
        model, forwarding = self._model, self._forwarding
        upstream = forwarding.upstream() if forwarding is not None else None
        if upstream is None or forwarding is None:
            return await self._generated(lease, asked, client)
        forwarded = ForwardedRequest(
            path=asked.dialect.path, headers=request.headers, body=asked.raw
        )
        call = PassedCall(model, upstream, asked.dialect, forwarded, client, asked.model)
        try:
            await _while_connected(lease.call(forwarding.standing_in(call), asked.request), client)
        except ModelError:
            if call.reply is None:
                raise
        if client.response is not None:
            return client.response
        assert call.reply is not None
        reply = call.reply
        return web.Response(
            status=reply.status, headers=passed_back(reply.headers), body=reply.body
        )

    async def _generated(
        self, lease: AttemptLease, asked: _Asked, client: StreamClient
    ) -> web.StreamResponse:
        """The answer of a model that has no protocol of its own."""
        dialect = asked.dialect
        if not dialect.generated:
            raise RequestRefused(404, f"'{self._model.ref}' does not answer {dialect.path}")
        completion = await _while_connected(lease.call(self._model, asked.request), client)
        created = self._clock.unix_ms() // 1000
        if asked.body.get("stream") is not True:
            return _json(200, dialect.rendered(completion, created))
        await client.begin(200, {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
        for event in dialect.streamed(completion, created, asked.body):
            await client.write(event)
        await client.end()
        assert client.response is not None
        return client.response


async def _while_connected(
    call: Coroutine[Any, Any, Completion], client: StreamClient
) -> Completion:
    """Await `call`; a client that leaves ends it, but not before what came has been counted."""
    task = asyncio.ensure_future(call)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        client.gone = True
        task.cancel()
        raise


async def _body(request: web.BaseRequest) -> bytes:
    pieces, size = [], 0
    async for piece in request.content.iter_any():
        pieces.append(piece)
        size += len(piece)
        if size > _LARGEST_REQUEST:
            raise RequestRefused(413, f"the request is larger than {_LARGEST_REQUEST >> 20} MB")
    return b"".join(pieces)


def _failed(dialect: Dialect, error: AttemptError) -> web.Response:
    """What no answer of upstream's says; retries are for the client to decide, and count."""
    status = error.status if error.status and error.status >= 400 else 502
    headers = {}
    if error.retry_after_s is not None:
        headers["Retry-After"] = f"{error.retry_after_s:g}"
    return _json(status, dialect.error(status, str(error), error.code), headers)


def _json(status: int, value: Body, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(
        status=status, body=orjson.dumps(value), headers=headers, content_type="application/json"
    )

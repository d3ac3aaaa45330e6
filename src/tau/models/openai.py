"""A client for everything that speaks the OpenAI chat-completions protocol."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar
from urllib.parse import urlsplit

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from tau.domain.chat import Completion, ModelRequest, ToolCall
from tau.domain.json import Json
from tau.domain.spend import NANO, Bill, Usage
from tau.errors import (
    ConnectionFailed,
    ContentFiltered,
    MalformedResponse,
    ModelError,
    ModelTimeout,
    NotConnected,
    Overloaded,
    RateLimited,
    RequestRejected,
)
from tau.models import endpoint, prices, stream, wire
from tau.models.advice import retry_after_s
from tau.models.complaints import ProviderFault, fault_in, page
from tau.models.faults import FIXES, kind_of
from tau.models.forwarding import HttpUpstream
from tau.models.posting import HttpPoster
from tau.models.providers import PROVIDERS
from tau.models.redaction import Redactor
from tau.models.usage import Metered, metered
from tau.ports.clock import Clock, SystemClock
from tau.ports.forwarding import MeteredBody
from tau.ports.model import Model, ModelContext

LARGEST_BODY = 32 * 1024 * 1024
_SHOWN_BYTES = 65_536
_SHOWN_START = 80
_CHARSET = re.compile(r"charset=\"?([\w-]+)", re.I)
_CHARSETS = ("iso-8859-1", "latin-1", "windows-1252", "us-ascii", "utf-16", "utf-16le", "utf-16be")
_BLOCKED = "something in front of the provider blocks the call: check base_url, network and region"


class OpenAICompatible:
    """One model at one provider. Opens connections when first called, keeps them, never retries.

    The key goes to the provider's own address only: redirects are not followed.
    """

    Settings: ClassVar[type[endpoint.Settings]] = endpoint.Settings
    cancellable: ClassVar[bool] = True

    @classmethod
    def check(cls, settings: endpoint.Settings, context: ModelContext) -> None:
        endpoint.resolve(settings, context)

    @classmethod
    def build(
        cls, settings: endpoint.Settings, context: ModelContext, clock: Clock | None = None
    ) -> "OpenAICompatible":
        return cls(settings, context, clock or SystemClock())

    def __init__(self, settings: endpoint.Settings, context: ModelContext, clock: Clock) -> None:
        """Connects to nothing yet; `clock` dates prices and reads dates in Retry-After."""
        target = endpoint.resolve(settings, context)
        self._ref = f"{context.provider}/{context.name}"
        self._name = context.name
        self._row = PROVIDERS[context.provider]
        self._target = target
        self._url = URL(target.url, encoded=True)
        self._where = target.shown
        self._headers = target.headers
        self._proxy = URL(target.proxy) if target.proxy else None
        self._redactor = Redactor(target.secrets)
        self._timeout_s = context.timeout_s
        self._max_connections = context.max_connections
        self._clock = clock
        self._poster: HttpPoster | None = None
        self._upstream: HttpUpstream | None = None
        self._closed = False
        self._price(Usage(), (self._name,))  # reads the price list now, not in the first call

    def __repr__(self) -> str:
        return f"OpenAICompatible({self._ref!r})"

    @property
    def ref(self) -> str:
        return self._ref

    @property
    def provider(self) -> str:
        return self._row.otel_name

    def price(self, usage: Usage) -> int | None:
        return self._price(usage, (self._name,))

    def upstream(self) -> HttpUpstream:
        """The provider's door for requests in a client's own words."""
        if self._upstream is None:
            self._upstream = HttpUpstream(
                self._target,
                who=self._ref,
                key_headers=(self._row.key_header, self._row.messages_key_header),
                poster=self._poster or self._open(),
                timeout_s=self._timeout_s,
                readings=self,
            )
        return self._upstream

    def standing_in(self, call: Model) -> Model:
        """`call`: nothing is done around it."""
        return call

    async def complete(self, request: ModelRequest) -> Completion:
        # Errors are values until here. Raised where they arise, they would take frames and contexts
        # along, and aiohttp's exceptions hold the request's headers, key included.
        outcome = await self._outcome(request)
        if isinstance(outcome, ModelError):
            raise outcome
        return outcome

    async def aclose(self) -> None:
        self._closed = True
        poster, self._poster = self._poster, None
        if poster is not None:
            await poster.aclose()

    async def _outcome(self, request: ModelRequest) -> Completion | ModelError:
        if self._closed:
            return ConnectionFailed(f"{self._ref} was called after it had been closed")
        try:
            payload = wire.encode(self._name, request)
        except ValueError as error:
            why = self._redactor.excerpt(str(error))
            return RequestRejected("the request cannot be sent", why=why)
        timeout_s = self._timeout_s if request.timeout_s is None else request.timeout_s
        poster = self._poster or self._open()
        try:
            status, headers, body = await poster.post(payload, timeout_s=timeout_s)
        except TimeoutError:
            return ModelTimeout(
                f"no complete answer from {self._ref} within {timeout_s:g} s", where=self._where
            )
        except (aiohttp.ClientError, HttpProcessingError, OSError, ValueError) as error:
            return self.broken(error)
        if len(body) > LARGEST_BODY:
            return MalformedResponse(
                f"the answer of {self._ref} is larger than {LARGEST_BODY >> 20} MB",
                where=self._where,
                status=status,
            )
        return self._completion(status, headers, body)

    def _open(self) -> HttpPoster:
        self._poster = HttpPoster(
            self._url,
            self._headers,
            proxy=self._proxy,
            connections=self._max_connections,
            largest_body=LARGEST_BODY,
        )
        return self._poster

    def broken(self, error: Exception) -> ModelError:
        """What the transport raised, as ours; only its text is taken over."""
        if isinstance(error, aiohttp.ClientHttpProxyError):
            return ConnectionFailed(
                "the proxy refused the connection", where=self._where, status=error.status
            )
        if isinstance(error, HttpProcessingError | aiohttp.ClientResponseError):
            why = self._redactor.excerpt(error.message)
            return MalformedResponse(
                f"{self._ref} does not answer in HTTP", where=self._where, why=why
            )
        why = self._redactor.excerpt(str(error)) or type(error).__name__
        if isinstance(error, aiohttp.ClientPayloadError):
            if "decode" in why:
                return MalformedResponse(
                    f"the answer of {self._ref} cannot be decoded", where=self._where, why=why
                )
            return ConnectionFailed(
                f"the connection to {self._ref} broke in the middle of the answer",
                where=self._where,
                why=why,
            )
        fix = "start the server, or check base_url" if self._row.local else None
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            fix = "check the address; for a private authority set SSL_CERT_FILE"
        unasked = isinstance(error, aiohttp.ClientConnectorError)
        kind = NotConnected if unasked else ConnectionFailed
        return kind(f"no connection to {self._ref}", where=self._where, why=why, fix=fix)

    def _completion(
        self, status: int, headers: Mapping[str, str], body: bytes
    ) -> Completion | ModelError:
        if 300 <= status < 400:
            return self._redirected(status, headers)
        try:
            value = _decoded(headers, body)
        except wire.Unexpected as error:
            return self._unreadable(status, headers, body, error)
        outcome = self._said(status, headers, body, value)
        if isinstance(outcome, ModelError):
            self._charge(outcome, value, refused=status >= 300)
        return outcome

    def _said(
        self, status: int, headers: Mapping[str, str], body: bytes, value: Json
    ) -> Completion | ModelError:
        """What JSON means."""
        if not 200 <= status < 300:
            return self._failed(fault_in(value) or page(_text(body)), status, headers)
        try:
            if fault := _fault_of_success(value):
                return self._failed(fault, status, headers)
            answer = wire.answer(value)
        except wire.Unexpected as error:
            return self._unreadable(status, headers, body, error)
        if answer.finish_reason == "content_filter":
            return ContentFiltered(
                f"the filter of {self._ref} withheld the answer", where=self._where, status=status
            )
        return self._without_key(
            Completion(
                text=answer.text,
                finish_reason=answer.finish_reason,
                model=answer.model or self._name,
                usage=answer.usage or Usage(),
                usage_whole=answer.whole,
                cost_nano_usd=self._cost(answer),
                response_id=answer.response_id,
                refusal=answer.refusal,
                tool_calls=answer.tool_calls,
            )
        )

    def _without_key(self, said: Completion) -> Completion:
        """As it was said, the key masked wherever the model or its server repeats it."""
        hide = self._redactor.masked
        clean = replace(
            said,
            text=hide(said.text),
            finish_reason=hide(said.finish_reason),
            model=hide(said.model),
            response_id=said.response_id and hide(said.response_id),
            refusal=said.refusal and hide(said.refusal),
            tool_calls=tuple(
                ToolCall(id=hide(c.id), name=hide(c.name), arguments=hide(c.arguments))
                for c in said.tool_calls
            ),
        )
        return said if clean == said else replace(clean, leaked_key=True)

    def _unreadable(
        self, status: int, headers: Mapping[str, str], body: bytes, error: wire.Unexpected
    ) -> ModelError:
        """A body that is no answer: with a status of failure its text says why, else malformed."""
        if not 200 <= status < 300:
            return self._failed(page(_text(body)), status, headers)
        why = self._redactor.excerpt(str(error))
        if isinstance(error, wire.NotJson):
            why += f"; it begins: {self._redactor.excerpt(_text(body), _SHOWN_START)}"
        return MalformedResponse(
            f"the answer of {self._ref} is not a chat completion",
            where=self._where,
            why=why,
            status=status,
        )

    def _charge(self, error: ModelError, body: Json, *, refused: bool) -> None:
        """Let `error` say what it costs: what the body tells, or beside an answer nobody knows."""
        answered = not refused and isinstance(body, dict) and bool(body.get("choices"))
        used = metered(body, produced=answered)
        told = used.usage.total_tokens or used.cost_usd is not None
        if not told and not answered:
            return
        cost = self._billed(used, (_word(body), self._name))
        part = self._price(used.usage, (self._name,)) or 0
        error.bill = Bill(
            tokens=used.usage.total_tokens,
            tokens_whole=used.whole,
            cost_nano_usd=part if cost is None else cost,
            cost_whole=cost is not None,
        )

    def _cost(self, answer: wire.ParsedAnswer) -> int | None:
        used = Metered(usage=answer.usage or Usage(), whole=answer.whole, cost_usd=answer.cost_usd)
        return self._billed(used, (answer.model, self._name))

    def _billed(self, used: Metered, names: Sequence[str | None]) -> int | None:
        """What it costs; None where that is not known in full."""
        if self._row.reports_cost and used.cost_usd is not None:
            return round(used.cost_usd * NANO)
        if not used.whole:
            return 0 if self._row.local else None
        return self._price(used.usage, names)

    def _price(self, usage: Usage, names: Sequence[str | None]) -> int | None:
        """The price by the first of `names` that is known."""
        if self._row.local:
            return 0
        if self._row.prices is None:
            return None
        return prices.cost_nano_usd(self._row.prices, names, usage, self._clock.unix_ms())

    def refusal(self, status: int, headers: Mapping[str, str], body: bytes) -> ModelError:
        """What an answer of failure means."""
        outcome = self._completion(status, headers, body)
        if isinstance(outcome, ModelError):
            return outcome
        return MalformedResponse(f"{self._ref} answered {status}", status=status)

    def reading(self, body: Json) -> MeteredBody:
        """What a body tells of usage and cost, in the words of any of the provider's doors."""
        used = metered(body, produced=True)
        cost = self._billed(used, (_word(body), self._name))
        return MeteredBody(usage=used.usage, whole=used.whole, cost_nano_usd=cost)

    def _redirected(self, status: int, headers: Mapping[str, str]) -> ModelError:
        return RequestRejected(
            f"{self._ref} redirects to {self._place(headers.get('Location', ''))}",
            where=self._where,
            why="redirects are not followed, as the key would go along",
            fix="set the base URL to the final address",
            status=status,
        )

    def _failed(self, fault: ProviderFault, status: int, headers: Mapping[str, str]) -> ModelError:
        """The provider's own error, as ours."""
        kind = kind_of(fault, status)
        return kind(
            f"{self._ref} answered {status}" + ("" if status >= 400 else " with an error inside"),
            where=self._where,
            why=self._redactor.excerpt(fault.message),
            fix=_BLOCKED if fault.page and status == 403 else FIXES.get(kind),
            retry_after_s=retry_after_s(
                headers,
                fault.error,
                fault.message,
                limited=kind in (RateLimited, Overloaded),
                now_unix_ms=self._clock.unix_ms(),
            ),
            status=status if status >= 400 else fault.status or status,
        )

    def _place(self, location: str) -> str:
        """Where a redirect points, without query and credentials."""
        try:
            parts = urlsplit(location)
            host = parts.netloc.rpartition("@")[2]
        except ValueError:
            return "an unreadable address"
        return self._redactor.excerpt(
            f"{parts.scheme}://{host}{parts.path}" if host else parts.path
        )


def _text(body: bytes) -> str:
    return body[:_SHOWN_BYTES].decode("utf-8", "replace")


def _word(body: Json) -> str | None:
    """The model that answered."""
    model = body.get("model") if isinstance(body, dict) else None
    return model if isinstance(model, str) else None


def _decoded(headers: Mapping[str, str], body: bytes) -> Json:
    """The body as JSON; a stream of events is put together."""
    if not body.strip():
        raise wire.Unexpected("the body is empty")
    kind = headers.get("Content-Type", "")
    if kind.startswith("text/event-stream") or body.startswith((b"data:", b"event:", b": ")):
        return stream.assemble(body)
    try:
        return wire.parse(body)
    except wire.NotJson:
        charset = _CHARSET.search(kind)
        if charset is None or charset[1].lower() not in _CHARSETS:
            raise
    return wire.parse(body.decode(charset[1], "replace").encode("utf-8"))


def _fault_of_success(body: Json) -> ProviderFault | None:
    """An error inside a 200: at the top, or in the first choice as OpenRouter does."""
    fault = fault_in(body)
    if fault is None and isinstance(body, dict):
        choices = body.get("choices")
        first = wire.first_choice(choices) if isinstance(choices, list) and choices else None
        if isinstance(first, dict):
            fault = fault_in({"error": first.get("error")})
    return fault

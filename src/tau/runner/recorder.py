"""The record of one attempt: its spans as a tree, what it spent, what it reported."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from tau.domain.chat import Completion, ModelRequest
from tau.domain.json import Json
from tau.domain.span import Span, SpanKind
from tau.domain.spend import Spend
from tau.errors import AttemptError, BudgetRefused, ModelError, boundary
from tau.ports.clock import Clock
from tau.ports.model import Model
from tau.ports.record import OpenSpan
from tau.runner.attributes import (
    ERROR_TYPE,
    bounded,
    model_name,
    of_completion,
    of_request,
    shortened,
)
from tau.runner.pacing import Pacing

_NS_PER_MS = 1_000_000
_MODEL_CALL = "chat"
_TOOL_CALL = "execute_tool"
_MAX_REPORTS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanLimits:
    """Bounds of one attempt's record; what goes beyond is dropped and the root span says so.

    `spans` bounds what executors open; the runner's own spans always fit.
    """

    spans: int = 256
    attribute_bytes: int = 64 * 1024
    total_bytes: int = 1024 * 1024


class SpanRecorder:
    """Implements `ports.record.Recorder`; locks make it safe for threads of the attempt."""

    def __init__(
        self,
        *,
        clock: Clock,
        pacing: Pacing,
        reserved: Spend,
        limits: SpanLimits | None = None,
    ) -> None:
        """`reserved.calls` is the most calls the attempt may make."""
        self._clock = clock
        self._pacing = pacing
        self._reserved = reserved
        self._limits = limits or SpanLimits()
        self._lock = threading.Lock()
        self._origin_unix_ms = clock.unix_ms()
        self._origin_ms = clock.monotonic_ms()
        self._spans: list[_OpenSpan] = []
        self._bytes = 0
        self._dropped = 0
        self._closed = False
        self._spent = Spend()
        self._reason_codes: dict[str, None] = {}
        self._blocked = 0
        self._held_ms = 0
        self._holds: dict[object, int] = {}

    @contextmanager
    def span(
        self, name: str, *, kind: SpanKind = SpanKind.STEP, **attributes: Json
    ) -> Iterator[OpenSpan]:
        """Open a span; a tool call is named and attributed by the conventions."""
        if kind is SpanKind.TOOL_CALL:
            name, attributes = _tool_call(name, attributes)
        opened = self._open(name, kind)
        for key, value in attributes.items():
            opened.set(key, value)
        if not opened.sequence:  # dropped: what it encloses hangs on the next one up
            yield opened
            return
        token = _CURRENT.set((self, opened.sequence))
        try:
            yield opened
        except BaseException as error:
            opened.error = _described(error)
            if isinstance(error, AttemptError):
                opened.set(ERROR_TYPE, error.code)
            raise
        finally:
            _CURRENT.reset(token)
            opened.end_unix_ns = self._now_ns()

    async def call(self, model: Model, request: ModelRequest) -> Completion:
        """Call `model`: counted when sent, metered when answered."""
        name = f"{_MODEL_CALL} {model_name(model)}"
        attributes = of_request(model, request)
        with self.span(name, kind=SpanKind.MODEL_CALL, **attributes) as span:
            self._reserve_call()
            sent = False
            hold = self._hold()
            try:
                async with self._pacing.slot(model.ref):
                    self._let_go(hold)
                    sent = True
                    with boundary(ModelError, f"model '{model.ref}'"):
                        completion = await model.complete(request)
            finally:
                self._let_go(hold)
                if not sent:
                    self._spend(Spend(calls=-1))
            self._spend(
                Spend(
                    tokens=completion.usage.total_tokens,
                    cost_nano_usd=completion.cost_nano_usd or 0,
                )
            )
            for key, value in of_completion(completion).items():
                span.set(key, value)
        return completion

    def reason(self, code: str) -> None:
        """Report a safety reason code; repeats count once."""
        with self._lock:
            if len(self._reason_codes) < _MAX_REPORTS:
                self._reason_codes.setdefault(shortened(code.strip(), 200))

    def blocked(self, event: str) -> None:
        """Count a blocked event and leave it in the tree."""
        with self._lock:
            self._blocked += 1
        with self.span("blocked") as span:
            span.set("tau.blocked.event", event)

    @property
    def spent(self) -> Spend:
        """Calls, tokens and money so far."""
        with self._lock:
            return self._spent

    @property
    def reason_codes(self) -> tuple[str, ...]:
        """The distinct codes reported, in order."""
        with self._lock:
            return tuple(self._reason_codes)

    @property
    def blocked_events(self) -> int:
        """How many blocked events were reported."""
        with self._lock:
            return self._blocked

    @property
    def held_s(self) -> float:
        """Seconds spent waiting for the provider's pace, which no time limit should count."""
        with self._lock:
            now = self._clock.monotonic_ms()
            return (self._held_ms + sum(now - since for since in self._holds.values())) / 1000

    def close(self) -> tuple[Span, ...]:
        """End the record: the spans in order of starting; what reports later is ignored.

        A thread that outlives its attempt can neither spend nor write any more.
        """
        with self._lock:
            self._closed = True
            now = self._now_ns()
            dropped = self._dropped
        spans = []
        for opened in self._spans:
            if opened.sequence == 1 and dropped:
                opened.attributes["tau.spans_dropped"] = dropped
            spans.append(opened.finished(now))
        return tuple(spans)

    def _open(self, name: str, kind: SpanKind) -> "_OpenSpan":
        current = _CURRENT.get()
        parent = current[1] if current is not None and current[0] is self else None
        own = kind in (SpanKind.ROLLOUT, SpanKind.GRADE, SpanKind.REWARD)
        limit = self._limits.spans * (2 if own else 1)
        with self._lock:
            full = self._closed or len(self._spans) >= limit
            opened = _OpenSpan(
                recorder=self,
                sequence=0 if full else len(self._spans) + 1,
                parent=parent,
                name=shortened(name, 200),
                kind=kind,
                start_unix_ns=self._now_ns(),
            )
            if full:
                self._dropped += 1
            else:
                self._spans.append(opened)
        return opened

    def set_attribute(self, opened: "_OpenSpan", name: str, value: Json) -> None:
        """Keep one attribute within the bounds."""
        kept, size = bounded(value, self._limits.attribute_bytes)
        with self._lock:
            if self._closed:
                return
            if self._bytes + size > self._limits.total_bytes:
                kept, size = f"[{size} bytes dropped: the attempt's record is full]", 0
            self._bytes += size
            opened.attributes[name] = kept

    def _reserve_call(self) -> None:
        with self._lock:
            if self._closed:
                raise BudgetRefused("a model call came after the attempt had ended")
            if self._spent.calls >= self._reserved.calls:
                raise BudgetRefused(
                    f"the attempt has used the {self._reserved.calls} model calls it reserved",
                    fix="raise the number of calls the executor or grader declares per attempt",
                )
            self._spent += Spend(calls=1)

    def _spend(self, amount: Spend) -> None:
        with self._lock:
            self._spent += amount

    def _hold(self) -> object:
        token = object()
        with self._lock:
            self._holds[token] = self._clock.monotonic_ms()
        return token

    def _let_go(self, token: object) -> None:
        with self._lock:
            since = self._holds.pop(token, None)
            if since is not None:
                self._held_ms += self._clock.monotonic_ms() - since

    def _now_ns(self) -> int:
        # Monotonic from the attempt's start: a jump of the wall clock bends no span.
        elapsed_ms = self._clock.monotonic_ms() - self._origin_ms
        return (self._origin_unix_ms + elapsed_ms) * _NS_PER_MS


@dataclass(slots=True, kw_only=True, eq=False)
class _OpenSpan:
    recorder: SpanRecorder
    sequence: int
    parent: int | None
    name: str
    kind: SpanKind
    start_unix_ns: int
    end_unix_ns: int | None = None
    attributes: dict[str, Json] = field(default_factory=dict)
    error: str | None = None

    def set(self, name: str, value: Json) -> None:
        if self.sequence:
            self.recorder.set_attribute(self, name, value)

    def finished(self, now_ns: int) -> Span:
        unfinished = self.end_unix_ns is None
        return Span(
            sequence=self.sequence,
            parent=self.parent,
            name=self.name,
            kind=self.kind,
            start_unix_ns=self.start_unix_ns,
            end_unix_ns=now_ns if self.end_unix_ns is None else self.end_unix_ns,
            attributes=self.attributes,
            error="still open when the attempt ended" if unfinished else self.error,
        )


_CURRENT: ContextVar[tuple[SpanRecorder, int] | None] = ContextVar("tau_span", default=None)


def _tool_call(name: str, attributes: dict[str, Json]) -> tuple[str, dict[str, Json]]:
    tool = name.removeprefix(f"{_TOOL_CALL} ")
    named: dict[str, Json] = {"gen_ai.operation.name": _TOOL_CALL, "gen_ai.tool.name": tool}
    return f"{_TOOL_CALL} {tool}", named | attributes


def _described(error: BaseException) -> str:
    first = next(iter(str(error).strip().splitlines()), "")
    kind = type(error).__name__
    return shortened(f"{kind}: {first}" if first else kind, 500)

"""The record of one attempt: its spans as a tree, what it spent, what it reported."""

import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar, Token
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import Self

from tau.domain.chat import LEAKED_KEY, Completion, ModelRequest
from tau.domain.json import Json
from tau.domain.prompts_at_work import PROMPTS, PromptTexts
from tau.domain.resources import Resources
from tau.domain.span import Span, SpanKind
from tau.domain.spend import Spend
from tau.errors import AttemptError, BudgetRefused, ModelError, NotConnected, TauError, boundary
from tau.ports.clock import Clock
from tau.ports.model import Model
from tau.ports.record import OpenSpan
from tau.runner.attributes import (
    ERROR_TYPE,
    STACKTRACE,
    all_bounded,
    model_name,
    of_completion,
    of_request,
    shortened,
    stacktrace,
)
from tau.runner.metering import Meter
from tau.runner.pacing import Pacing

_NS_PER_MS = 1_000_000
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


_LIMITS = SpanLimits()
_OWN = frozenset({SpanKind.ROLLOUT, SpanKind.GRADE, SpanKind.REWARD})
_TRACED = frozenset({SpanKind.ROLLOUT, SpanKind.GRADE})


class SpanRecorder:
    """Implements `ports.record.Recorder`; locks make it safe for threads of the attempt."""

    def __init__(
        self,
        *,
        clock: Clock,
        pacing: Pacing,
        reserved: Spend,
        limits: SpanLimits | None = None,
        replicate: int = 0,
    ) -> None:
        """`reserved.calls` is the most calls the attempt may make.

        Each spends its share of what was reserved until it is known what it really cost.
        """
        self.replicate = replicate
        self._clock = clock
        self._pacing = pacing
        self._reserved = reserved
        self._prompts: PromptTexts | None = None
        self._limits = limits or _LIMITS
        self._lock = threading.Lock()
        # Monotonic from the attempt's start: a jump of the wall clock bends no span.
        self.now_ms = clock.monotonic_ms
        self._ahead_ms = clock.unix_ms() - clock.monotonic_ms()
        self._spans: list[_OpenSpan] = []
        self._finished: tuple[Span, ...] = ()
        self._bytes = 0
        self._dropped = 0
        self._closed = False
        self._calls = 0
        self._meter = Meter(reserved)
        self._spent = Spend()
        self._reason_codes: dict[str, None] = {}
        self._blocked = 0
        self._held_ms = 0
        self._holds: dict[object, int] = {}

    def span(
        self, name: str, *, kind: SpanKind = SpanKind.STEP, **attributes: Json
    ) -> AbstractContextManager[OpenSpan]:
        """Open a span; a tool call is named and attributed by the conventions."""
        given: Mapping[str, Json] = attributes
        if kind is SpanKind.TOOL_CALL:
            name, given = _tool_call(name, attributes)
        return _OpenSpan(self, shortened(name, 200), kind, {}, given)

    def opening(
        self, name: str, kind: SpanKind, attributes: dict[str, Json] | None = None
    ) -> "_OpenSpan":
        """As `span`, with the runner's own attributes: taken over, and small by their nature."""
        return _OpenSpan(self, name, kind, {} if attributes is None else attributes)

    def happened(self, name: str, kind: SpanKind, attributes: dict[str, Json]) -> None:
        """Leave a span without duration; otherwise as `opening`."""
        opened = _OpenSpan(self, name, kind, attributes)
        self.begin(opened)
        opened.end_ms = opened.start_ms

    async def call(self, model: Model, request: ModelRequest) -> Completion:
        """Call `model`: counted when the provider is asked, metered when it answers."""
        ref = model.ref
        with self.opening(_call_name(request.operation, ref), SpanKind.MODEL_CALL) as span:
            span.update({**of_request(model, request), **self._at_work(request)})
            self._reserve_call()
            sent = False
            slot = self._pacing.slot(ref)
            hold = None if slot.free else self._hold()
            try:
                async with slot:
                    self._let_go(hold)
                    sent = True
                    self._book(self._meter.share)
                    with boundary(ModelError, f"model '{ref}'"):
                        completion = await model.complete(request)
            except ModelError as error:
                sent = sent and not isinstance(error, NotConnected)
                self._settle(span, self._meter.failed(error))
                raise
            finally:
                self._let_go(hold)
                if not sent:
                    self._take_back_call()
            self._settle(span, self._meter.answered(model, request, completion))
            span.update(of_completion(completion))
            if completion.leaked_key:  # whoever asked: a judge's answer is stored too
                self.reason(LEAKED_KEY)
        return completion

    def about(self, resources: Resources) -> None:
        """Say whose texts to look for in the attempt's calls."""
        self._prompts = PromptTexts(resources)

    def _at_work(self, request: ModelRequest) -> dict[str, Json]:
        names = self._prompts.governing(request) if self._prompts is not None else ()
        return {PROMPTS: list(names)} if names else {}

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
        return self.spent_on(0)

    def spent_on(self, rollouts: int) -> Spend:
        """As `spent`, for so many rollouts."""
        with self._lock:
            return Spend(rollouts=rollouts, calls=self._calls) + self._spent

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
            if self._closed:
                return self._finished
            self._closed = True
            if self._dropped and self._spans:
                self._spans[0].attributes["tau.spans_dropped"] = self._dropped
            now_ms, ahead_ms = self.now_ms(), self._ahead_ms
            self._finished = tuple([opened.finished(now_ms, ahead_ms) for opened in self._spans])
            # They refer back to this record: kept, all they hold would wait for the collector.
            self._spans = []
        return self._finished

    def begin(self, opened: "_OpenSpan") -> bool:
        """Give a span its place in the tree; False where the record is full or closed."""
        current = _CURRENT.get()
        most = self._limits.spans
        opened.start_ms = self.now_ms()
        with self._lock:
            spans = self._spans
            place = len(spans)
            if self._closed or (place >= most and (place >= 2 * most or opened.kind not in _OWN)):
                self._dropped += 1
                return False
            if current is not None and current[0] is self:
                opened.parent = current[1]
            spans.append(opened)
            opened.sequence = place + 1
        return True

    def set_attributes(self, opened: "_OpenSpan", values: Mapping[str, Json]) -> None:
        """Keep attributes within the bounds."""
        kept, size = all_bounded(values, self._limits.attribute_bytes)
        with self._lock:
            if self._closed:
                return
            if self._bytes + size <= self._limits.total_bytes:
                self._bytes += size
                opened.attributes.update(kept)
                return
        if len(values) > 1:
            for name, value in values.items():
                self.set_attributes(opened, {name: value})
            return
        with self._lock:
            for name in values:
                full = f"[{size} bytes dropped: the attempt's record is full]"
                opened.attributes[name] = full

    def _reserve_call(self) -> None:
        with self._lock:
            if self._closed:
                raise BudgetRefused("a model call came after the attempt had ended")
            if self._calls >= self._reserved.calls:
                raise BudgetRefused(
                    f"the attempt has used the {self._reserved.calls} model calls it reserved",
                    fix="raise the number of calls the executor or grader declares per attempt",
                )
            self._calls += 1

    def _take_back_call(self) -> None:
        with self._lock:
            self._calls -= 1

    def _book(self, spent: Spend) -> None:
        with self._lock:
            self._spent = self._spent + spent

    def _settle(self, span: "_OpenSpan", spent: Spend) -> None:
        """What the call has spent takes the place of its share."""
        self._book(spent - self._meter.share)
        if spent.assumed_tokens or spent.assumed_cost_nano_usd:
            span.update(
                {
                    "tau.assumed_tokens": spent.assumed_tokens,
                    "tau.assumed_cost_nano_usd": spent.assumed_cost_nano_usd,
                }
            )

    def _hold(self) -> object:
        token = object()
        with self._lock:
            self._holds[token] = self._clock.monotonic_ms()
        return token

    def _let_go(self, token: object | None) -> None:
        if token is None:
            return
        with self._lock:
            since = self._holds.pop(token, None)
            if since is not None:
                self._held_ms += self._clock.monotonic_ms() - since


class _OpenSpan:
    """A span and, being so frequent, its own context manager.

    `attributes` are kept as they are, `given` within the bounds.
    """

    __slots__ = (
        "_given", "_recorder", "_token", "attributes", "end_ms", "error", "kind", "name",
        "parent", "sequence", "start_ms",
    )  # fmt: skip

    def __init__(
        self,
        recorder: SpanRecorder,
        name: str,
        kind: SpanKind,
        attributes: dict[str, Json],
        given: Mapping[str, Json] | None = None,
    ) -> None:
        self._recorder = recorder
        self._given = given
        self._token: Token[tuple[SpanRecorder, int] | None] | None = None
        self.name = name
        self.kind = kind
        self.sequence = 0
        self.parent: int | None = None
        self.start_ms = 0
        self.end_ms: int | None = None
        self.attributes = attributes
        self.error: str | None = None

    def __enter__(self) -> Self:
        if self._recorder.begin(self):  # else dropped: what it encloses hangs on the next one up
            self._token = _CURRENT.set((self._recorder, self.sequence))
            if self._given:
                self.update(self._given)
        return self

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        if self._token is None:
            return
        if error is not None:
            self.error = _described(error)
            if isinstance(error, AttemptError):
                self.update({ERROR_TYPE: error.code, **_raised_by_code_under_test(self, error)})
        _CURRENT.reset(self._token)
        self.end_ms = self._recorder.now_ms()

    def set(self, name: str, value: Json) -> None:
        self.update({name: value})

    def update(self, values: Mapping[str, Json]) -> None:
        """Set several attributes."""
        if self.sequence and values:
            self._recorder.set_attributes(self, values)

    def finished(self, now_ms: int, ahead_ms: int) -> Span:
        """As it is kept; its clock is `ahead_ms` behind Unix time."""
        unfinished = self.end_ms is None
        end_ms = now_ms if self.end_ms is None else self.end_ms
        return Span(
            sequence=self.sequence,
            parent=self.parent,
            name=self.name,
            kind=self.kind,
            start_unix_ns=(self.start_ms + ahead_ms) * _NS_PER_MS,
            end_unix_ns=(end_ms + ahead_ms) * _NS_PER_MS,
            attributes=self.attributes,
            error="still open when the attempt ended" if unfinished else self.error,
        )


@lru_cache(maxsize=64)
def _call_name(operation: str, ref: str) -> str:
    return shortened(f"{operation} {model_name(ref)}", 200)


_CURRENT: ContextVar[tuple[SpanRecorder, int] | None] = ContextVar("tau_span", default=None)


def _tool_call(name: str, attributes: Mapping[str, Json]) -> tuple[str, Mapping[str, Json]]:
    tool = name.removeprefix(f"{_TOOL_CALL} ")
    named: dict[str, Json] = {"gen_ai.operation.name": _TOOL_CALL, "gen_ai.tool.name": tool}
    return f"{_TOOL_CALL} {tool}", {**named, **attributes}


def _raised_by_code_under_test(span: _OpenSpan, error: AttemptError) -> Mapping[str, Json]:
    """Where in code of the user's it was raised: once, on the rollout's or the grader's span."""
    cause = error.__cause__
    if span.kind not in _TRACED or cause is None or isinstance(cause, TauError):
        return {}
    return {"exception.type": type(cause).__name__, STACKTRACE: stacktrace(cause)}


def _described(error: BaseException) -> str:
    first = next(iter(str(error).strip().splitlines()), "")
    kind = type(error).__name__
    return shortened(f"{kind}: {first}" if first else kind, 500)

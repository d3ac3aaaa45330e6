"""One call through the attribution proxy: its line in the log and its span."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import orjson

from tau.domain.json import Json
from tau.domain.span import Span, SpanKind
from tau.models.usage import metered
from tau.models.wire import Unexpected
from tau.proxy.dialects import Answered, Body
from tau.proxy.serving import DIALECTS

_TEXT_CHARS: Final = 32_768
_NS_PER_MS = 1_000_000
_READ_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributedCall:
    """A call with whose it is; what is not known yet is None."""

    rollout: str
    attempt: str
    sequence: int | None
    trace: str | None
    path: str
    url: str
    started_unix_ms: int
    body: bytes = field(default=b"", repr=False)
    status: int | None = None
    reply: bytes = field(default=b"", repr=False)
    reply_bytes: int = 0
    duration_ms: int = 0
    error_code: str | None = None
    error_message: str | None = None

    def log_line(self, method: str) -> Mapping[str, Json]:
        """As the attribution log has it."""
        known: dict[str, Json] = {
            "status_code": self.status,
            "error_code": self.error_code,
            "error_message": self.error_message,
        }
        return {
            "schema_version": 1,
            "timestamp_unix_ms": self.started_unix_ms,
            "method": method,
            "path": f"/v1{self.path}",
            "upstream_url": self.url,
            "rollout_id": self.rollout,
            "attempt_id": self.attempt,
            "sequence_id": self.sequence,
            "trace_id": self.trace,
            "request_bytes": len(self.body),
            "response_bytes": self.reply_bytes,
            "duration_ms": self.duration_ms,
            **{name: value for name, value in known.items() if value is not None},
        }


def span_of(call: AttributedCall) -> Span:
    """The span; what cannot be read is left out of it."""
    asked, answered = _object(call.body), _answer(call)
    used = metered(dict(answered), produced=True).usage
    said = _said(call.path, answered)
    model = asked.get("model")
    attributes: dict[str, Json] = {
        "gen_ai.operation.name": "embeddings" if call.path == "/embeddings" else "chat",
        "gen_ai.request.model": model if isinstance(model, str) else "unknown",
        "http.response.status_code": call.status,
        "tau.attribution.sequence": call.sequence,
        "tau.attribution.trace": call.trace,
        "error.type": call.error_code,
        "gen_ai.response.model": said.model,
        "gen_ai.input.messages": _messages(call.path, asked),
    }
    if said.text or said.tool_calls:
        attributes["gen_ai.output.messages"] = [
            {"role": "assistant", "parts": [{"type": "text", "content": said.text[:_TEXT_CHARS]}]}
        ]
    if used.total_tokens:
        attributes["gen_ai.usage.input_tokens"] = used.input_tokens
        attributes["gen_ai.usage.output_tokens"] = used.output_tokens
    start = call.started_unix_ms * _NS_PER_MS
    return Span(
        sequence=1,
        parent=None,
        name=f"{attributes['gen_ai.operation.name']} {attributes['gen_ai.request.model']}"[:200],
        kind=SpanKind.MODEL_CALL,
        start_unix_ns=start,
        end_unix_ns=start + call.duration_ms * _NS_PER_MS,
        attributes={name: value for name, value in attributes.items() if value is not None},
        error=call.error_message,
    )


def _object(body: bytes) -> Body:
    if len(body) > _READ_BYTES:
        return {}
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _answer(call: AttributedCall) -> Body:
    if not call.reply.startswith((b"data:", b"event:", b":")):
        return _object(call.reply)
    try:
        return DIALECTS[call.path].assembled(call.reply)
    except (Unexpected, ValueError, AttributeError, TypeError):
        return {}


def _said(path: str, answer: Body) -> Answered:
    try:
        return DIALECTS[path].answered(answer)
    except (Unexpected, ValueError, AttributeError, TypeError):
        return Answered()


def _messages(path: str, asked: Body) -> Json:
    try:
        messages = DIALECTS[path].request(asked).messages
    except ValueError:
        return None
    chars = _TEXT_CHARS // max(1, len(messages))
    return [
        {"role": m.role, "parts": [{"type": "text", "content": m.content[:chars]}]}
        for m in messages[:64]
    ]

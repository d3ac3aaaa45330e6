"""Spans: what happened inside an attempt. Names follow the OpenTelemetry GenAI conventions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tau.domain.json import Json
from tau.domain.quick import quickly_made


class SpanKind(StrEnum):
    """What a span stands for in the tree run > attempt > model call, tool call, grade."""

    ROLLOUT = "rollout"
    MODEL_CALL = "model_call"
    TOOL_CALL = "tool_call"
    GRADE = "grade"
    REWARD = "reward"
    STEP = "step"


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One finished piece of work.

    `sequence` counts from 1 per attempt in the order of starting; `parent` is the sequence of the
    enclosing span, None for the attempt's root. Times are Unix nanoseconds.
    """

    sequence: int
    parent: int | None
    name: str
    kind: SpanKind
    start_unix_ns: int
    end_unix_ns: int
    attributes: Mapping[str, Json] = field(default_factory=dict)
    error: str | None = None

"""Failures as data: a class that decides about retries, and a message for people."""

from dataclasses import dataclass
from enum import StrEnum


class FailureClass(StrEnum):
    """Why an attempt failed. `INFRASTRUCTURE` holds those that say nothing about the prompt."""

    RATE_LIMIT = "rate_limit"
    QUOTA = "quota"
    OVERLOADED = "overloaded"
    SERVER = "server"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    AUTH = "auth"
    MODEL_NOT_FOUND = "model_not_found"
    REQUEST = "request"
    CONTEXT_LENGTH = "context_length"
    CONTENT_FILTER = "content_filter"
    ANSWER = "answer"
    MALFORMED = "malformed"
    EXAMPLE = "example"
    EXECUTOR = "executor"
    TIME_LIMIT = "time_limit"
    BUDGET = "budget"
    SAFETY = "safety"
    GRADER = "grader"
    WORKER_LOST = "worker_lost"
    CANCELLED = "cancelled"
    INTERNAL = "internal"


TRANSIENT = frozenset(
    {
        FailureClass.RATE_LIMIT,
        FailureClass.OVERLOADED,
        FailureClass.SERVER,
        FailureClass.TIMEOUT,
        FailureClass.CONNECTION,
        FailureClass.MALFORMED,
        FailureClass.WORKER_LOST,
    }
)
"""Classes that another attempt may cure."""

PROMPT_LED = frozenset(
    {
        FailureClass.CONTEXT_LENGTH,
        FailureClass.CONTENT_FILTER,
        FailureClass.ANSWER,
        FailureClass.SAFETY,
    }
)
"""Classes that the prompt led to: beside another prompt such a row counts as 0, not as missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One failure. `retry_after_s` is what the other side asked for; `status` as in the error."""

    kind: FailureClass
    message: str
    status: int | None = None
    retry_after_s: float | None = None

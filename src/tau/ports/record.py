"""What running code may report about itself while an attempt is under way."""

from contextlib import AbstractContextManager
from typing import Protocol

from tau.domain.chat import Completion, ModelRequest
from tau.domain.json import Json
from tau.domain.span import SpanKind
from tau.ports.model import Model


class OpenSpan(Protocol):
    """A span that has not ended yet."""

    def set(self, name: str, value: Json) -> None:
        """Set one attribute; the last value counts."""
        ...


class Recorder(Protocol):
    """The attempt's record. Safe to use from several tasks and threads of the attempt.

    Spans nest by context (contextvars): a span opened inside another one is its child.
    """

    @property
    def replicate(self) -> int:
        """Which independent try of its rollout the attempt belongs to, from 0."""
        ...

    def span(
        self, name: str, *, kind: SpanKind = SpanKind.STEP, **attributes: Json
    ) -> AbstractContextManager[OpenSpan]:
        """Open a span; an exception passing through is recorded on it and passes on."""
        ...

    async def call(self, model: Model, request: ModelRequest) -> Completion:
        """Call `model` as part of this attempt: metered, budgeted and recorded as a span.

        Raises:
            ModelError: as the model does.
            BudgetRefused: the attempt has no reserved call left; nothing was sent.
        """
        ...

    def reason(self, code: str) -> None:
        """Report a safety reason code such as `prompt_injection.ignore_instructions`."""
        ...

    def blocked(self, event: str) -> None:
        """Report that something was blocked (a tool call, an output)."""
        ...

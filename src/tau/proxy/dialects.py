"""The protocols that clients speak, each as what it asks, what it answers and how it refuses."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from tau.domain.chat import Completion, ModelRequest, ToolCall
from tau.domain.json import Json

Body = Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a body says, in the words of chat completions."""

    text: str = ""
    finish_reason: str = "unknown"
    tool_calls: tuple[ToolCall, ...] = ()
    model: str | None = None
    response_id: str | None = None
    refusal: str | None = None


class Dialect(Protocol):
    """One protocol. Reading never fails a call that the provider has answered."""

    path: str
    output_limit: str | None
    """The parameter that bounds what is generated."""
    generated: bool
    """Whether a model without a provider's door can answer it."""

    def request(self, body: Body) -> ModelRequest:
        """What is asked. Raises ValueError for what is no request."""
        ...

    def answered(self, body: Body) -> Answered:
        """What was answered."""
        ...

    def assembled(self, stream: bytes) -> Body:
        """The events of a stream as the body of an answer that was not streamed."""
        ...

    def rendered(self, completion: Completion, created: int) -> Body:
        """An answer."""
        ...

    def streamed(self, completion: Completion, created: int, body: Body) -> Iterator[bytes]:
        """An answer as events, `body` being the request."""
        ...

    def error(self, status: int, message: str, code: str | None) -> Body:
        """A refusal that client libraries understand."""
        ...


def texts(value: Json) -> str | None:
    """`value` where it is a text."""
    return value if isinstance(value, str) else None


def objects(value: Json) -> list[Mapping[str, Json]]:
    """The objects in a list; none where it is no list."""
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def openai_error(status: int, message: str, code: str | None) -> Body:
    """As OpenAI refuses."""
    kinds = {401: "authentication_error", 429: "insufficient_quota", 502: "server_error"}
    kind = kinds.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def pieces_of(text: str, size: int = 24) -> Iterator[str]:
    """A text in the parts that a stream brings it in."""
    return (text[at : at + size] for at in range(0, len(text), size))

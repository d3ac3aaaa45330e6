"""Model calls as values: messages in, a completion out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tau.domain.json import Json
from tau.domain.quick import quickly_made
from tau.domain.spend import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A call the model asked for; `arguments` is its JSON text, unparsed."""

    id: str
    name: str
    arguments: str


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One chat message. `role` is system, developer, user, assistant or tool."""

    role: str
    content: str
    name: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """One call. `params` go to the provider as they are (temperature, max_tokens, ...).

    `timeout_s` bounds the whole call, connecting included.
    """

    messages: Sequence[Message]
    params: Mapping[str, Json] = field(default_factory=dict)
    timeout_s: float | None = None


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A model's answer. `cost_nano_usd` is None where no price is known."""

    text: str
    finish_reason: str
    model: str
    usage: Usage = field(default_factory=Usage)
    cost_nano_usd: int | None = None
    response_id: str | None = None
    refusal: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()

"""Model calls as values: messages in, a completion out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tau.domain.answers import CUT, EMPTY, FILTERED, REFUSED
from tau.domain.json import Json
from tau.domain.quick import quickly_made
from tau.domain.spend import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A call the model asked for; `arguments` is its JSON text, unparsed."""

    id: str
    name: str
    arguments: str

    @property
    def wire(self) -> dict[str, Json]:
        """As chat completions write it."""
        function: dict[str, Json] = {"name": self.name, "arguments": self.arguments}
        return {"id": self.id, "type": "function", "function": function}


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One chat message. `role` is system, developer, user, assistant or tool.

    Of content in parts (images, files) `parts` has them as the wire does, and `content` their text.
    `extra` is what a provider's own messages hold besides.
    """

    role: str
    content: str
    name: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    parts: tuple[Json, ...] = field(default=(), hash=False)
    extra: Mapping[str, Json] = field(default_factory=dict, hash=False)


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """One call. `params` go to the provider as they are (temperature, max_tokens, ...).

    `timeout_s` bounds the whole call, connecting included. `operation` is a value of
    `gen_ai.operation.name`.
    """

    messages: Sequence[Message]
    params: Mapping[str, Json] = field(default_factory=dict)
    timeout_s: float | None = None
    operation: str = "chat"


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A model's answer. `cost_nano_usd` is None where no price or not all of it is known.

    `usage_whole`: the usage is all there was; False where the provider tells a part or nothing.
    `leaked_key`: it repeated the key it was asked with, which is masked here.
    """

    text: str
    finish_reason: str
    model: str
    usage: Usage = field(default_factory=Usage)
    cost_nano_usd: int | None = None
    response_id: str | None = None
    refusal: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    usage_whole: bool = True
    leaked_key: bool = False

    @property
    def message(self) -> dict[str, Json]:
        """The answer as the next request's message of the assistant."""
        said: dict[str, Json] = {"role": "assistant", "content": self.text or None}
        if self.tool_calls:
            said["tool_calls"] = [call.wire for call in self.tool_calls]
        elif not self.text:
            said["content"] = ""
        return said


LEAKED_KEY = "secret_leak.provider_key"
"""The reason code of an answer that repeats the key of the run."""

_CUT = frozenset({"length", "max_tokens", "max_output_tokens", "model_length", "incomplete"})
_FILTERED = frozenset({"content_filter", "safety", "recitation", "blocklist", "prohibited_content"})


def reason_codes(completion: Completion) -> tuple[str, ...]:
    """What keeps an answer from being a whole one; an empty answer may also be a cut one."""
    codes = [LEAKED_KEY] if completion.leaked_key else []
    if completion.refusal is not None:
        codes.append(REFUSED)
    elif not completion.text.strip() and not completion.tool_calls:
        codes.append(EMPTY)
    reason = completion.finish_reason.lower()
    if reason in _CUT:
        codes.append(CUT)
    if reason in _FILTERED:
        codes.append(FILTERED)
    elif reason == "refusal" and REFUSED not in codes:
        codes.append(REFUSED)
    return tuple(codes)

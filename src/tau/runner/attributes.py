"""Span attributes of model calls under the OpenTelemetry GenAI names, and their bounds."""

import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tau.domain.chat import Completion, Message, ModelRequest, ToolCall
from tau.domain.json import Json, canonical
from tau.ports.model import Model

ERROR_TYPE: Final = "error.type"
STACKTRACE: Final = "exception.stacktrace"
COST_NANO_USD: Final = "tau.cost_nano_usd"

_PARAMS: Final = {
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "top_k": "gen_ai.request.top_k",
    "seed": "gen_ai.request.seed",
    "max_tokens": "gen_ai.request.max_tokens",
    "max_completion_tokens": "gen_ai.request.max_tokens",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "n": "gen_ai.request.choice.count",
    "stop": "gen_ai.request.stop_sequences",
}

_TEXT_CHARS: Final = 32_768
_TRACE_CHARS: Final = 8_000
_PACKAGE: Final = str(Path(__file__).parents[1])
_MESSAGES: Final = 64


def model_name(ref: str) -> str:
    """The part of `provider/model` that the provider knows."""
    return ref.partition("/")[2] or ref


def of_request(model: Model, request: ModelRequest) -> dict[str, Json]:
    """What is known before the call."""
    attributes: dict[str, Json] = {
        "gen_ai.operation.name": request.operation,
        "gen_ai.provider.name": model.provider,
        "gen_ai.request.model": model_name(model.ref),
    }
    for param, value in request.params.items():
        name = _PARAMS.get(param)
        if name is not None and value is not None:
            attributes[name] = [value] if param == "stop" and isinstance(value, str) else value
    kept = list(request.messages)
    if len(kept) > _MESSAGES:  # the instructions and the latest turns say most
        attributes["tau.messages_dropped"] = len(kept) - _MESSAGES
        kept = [*kept[:8], *kept[8 - _MESSAGES :]]
    attributes["gen_ai.input.messages"] = [_input(m, _TEXT_CHARS // len(kept)) for m in kept]
    return attributes


def of_completion(completion: Completion) -> dict[str, Json]:
    """What the answer adds."""
    usage = completion.usage
    attributes: dict[str, Json] = {
        "gen_ai.response.model": completion.model,
        "gen_ai.response.finish_reasons": [completion.finish_reason],
        "gen_ai.usage.input_tokens": usage.input_tokens,
        "gen_ai.usage.output_tokens": usage.output_tokens,
        "gen_ai.output.messages": [
            {
                "role": "assistant",
                "parts": _parts(completion.text, completion.tool_calls, _TEXT_CHARS),
                "finish_reason": completion.finish_reason,
            }
        ],
    }
    if usage.cached_tokens:
        attributes["gen_ai.usage.cache_read.input_tokens"] = usage.cached_tokens
    if usage.reasoning_tokens:
        attributes["gen_ai.usage.reasoning.output_tokens"] = usage.reasoning_tokens
    if completion.response_id is not None:
        attributes["gen_ai.response.id"] = completion.response_id
    if completion.cost_nano_usd is not None:
        attributes[COST_NANO_USD] = completion.cost_nano_usd
    if completion.refusal is not None:
        attributes["tau.refusal"] = shortened(completion.refusal, 1_000)
    return attributes


def shortened(text: str, chars: int) -> str:
    """`text` of at most about `chars` characters that JSON can hold; a cut says so."""
    if len(text) > chars:
        text = f"{text[:chars]}… [{len(text) - chars} more characters]"
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def stacktrace(error: BaseException) -> str:
    """The traceback from the first line outside this package on; of a long one its end."""
    outside = error.__traceback__
    while outside is not None and outside.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        outside = outside.tb_next
    lines = traceback.format_exception(type(error), error, outside or error.__traceback__)
    text = "".join(lines).encode("utf-8", "replace").decode("utf-8")
    return text if len(text) <= _TRACE_CHARS else f"… {text[-_TRACE_CHARS:]}"


def bounded(value: Json, limit: int) -> tuple[Json, int]:
    """`value`, or a shortened text of it beyond `limit` bytes of JSON; with the size kept."""
    try:
        size = len(canonical(value))
    except ValueError:
        text = str(value) if isinstance(value, str | int) else f"<{type(value).__name__}>"
        value = shortened(text, limit // 4)
        return value, len(canonical(value))
    if size <= limit:
        return value, size
    text = value if isinstance(value, str) else canonical(value).decode()
    value = shortened(text, limit // 4)  # a character takes up to four bytes
    return value, len(canonical(value))


def all_bounded(values: Mapping[str, Json], limit: int) -> tuple[Mapping[str, Json], int]:
    """As `bounded`, for each of `values`; with the size of all together."""
    try:
        size = len(canonical(values))
    except ValueError:
        size = limit + 1
    if size <= limit:
        return values, size
    kept = {name: bounded(value, limit) for name, value in values.items()}
    return {name: value for name, (value, _) in kept.items()}, sum(n for _, n in kept.values())


def _input(message: Message, chars: int) -> Mapping[str, Json]:
    if message.role == "tool":
        part: dict[str, Json] = {
            "type": "tool_call_response",
            "id": message.tool_call_id,
            "response": shortened(message.content, chars),
        }
        return {"role": "tool", "parts": [part]}
    made: dict[str, Json] = {
        "role": message.role,
        "parts": _parts(message.content, message.tool_calls, chars),
    }
    if message.name is not None:
        made["name"] = message.name
    return made


def _parts(text: str, tool_calls: Sequence[ToolCall], chars: int) -> list[Json]:
    parts: list[Json] = []
    if text:
        parts.append({"type": "text", "content": shortened(text, chars)})
    parts.extend(
        {
            "type": "tool_call",
            "id": call.id,
            "name": call.name,
            "arguments": shortened(call.arguments, chars),
        }
        for call in tool_calls[:_MESSAGES]
    )
    return parts

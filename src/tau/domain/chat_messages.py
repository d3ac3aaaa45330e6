"""Chat messages from the JSON that clients write: every role, tool calls, content in parts."""

from collections.abc import Mapping, Sequence
from typing import Final

import orjson

from tau.domain.chat import Message, ToolCall
from tau.domain.json import Json

ROLES: Final = ("system", "developer", "user", "assistant", "tool", "function")
_FIELDS = frozenset({"role", "content", "name", "tool_calls", "tool_call_id"})
_TEXTS = ("text", "input_text", "output_text")


def message_of(value: Json, where: str = "the message") -> Message:
    """One message as chat completions write it; fields without a value are left out.

    Raises:
        ValueError: what is wrong with it, beginning with `where`.
    """
    if not isinstance(value, Mapping):
        raise ValueError(f"{where} must be an object with 'role' and 'content'")
    role = value.get("role")
    if role not in ROLES:
        raise ValueError(f"{where} needs a role that is one of {', '.join(ROLES)}, not {role!r}")
    content = value.get("content")
    parts = _parts(content, where)
    return Message(
        role=str(role),
        content=content if isinstance(content, str) else text_of(parts),
        name=_word(value, "name", where),
        tool_calls=tuple(_calls(value.get("tool_calls"), where)),
        tool_call_id=_word(value, "tool_call_id", where),
        parts=parts,
        extra={k: v for k, v in value.items() if k not in _FIELDS and v is not None},
    )


def text_of(parts: Sequence[Json]) -> str:
    """The text of content in parts; what is none is left out."""
    texts = [
        part.get("text") if isinstance(part, Mapping) and part.get("type") in _TEXTS else part
        for part in parts
    ]
    return "\n".join(text for text in texts if isinstance(text, str))


def _parts(content: Json, where: str) -> tuple[Json, ...]:
    if content is None or isinstance(content, str):
        return ()
    if isinstance(content, Mapping) or not isinstance(content, Sequence):
        raise ValueError(f"{where} has a content that is neither a text nor a list of parts")
    for part in content:
        if not isinstance(part, Mapping) or not isinstance(part.get("type"), str):
            raise ValueError(f"{where} has a part of its content without a 'type'")
    return tuple(content)


def _calls(calls: Json, where: str) -> list[ToolCall]:
    if calls is None:
        return []
    if isinstance(calls, str | Mapping) or not isinstance(calls, Sequence):
        raise ValueError(f"{where} has 'tool_calls' that are no list")
    return [_call(call, where) for call in calls]


def _call(call: Json | ToolCall, where: str) -> ToolCall:
    if isinstance(call, ToolCall):
        return call
    function = call.get("function", call.get("custom")) if isinstance(call, Mapping) else None
    if not isinstance(call, Mapping) or not isinstance(function, Mapping):
        raise ValueError(f"{where} has a tool call without a 'function'")
    given = function.get("arguments", function.get("input"))
    return ToolCall(
        id=str(call.get("id") or ""),
        name=str(function.get("name") or ""),
        arguments=given if isinstance(given, str) else orjson.dumps(given).decode(),
    )


def _word(value: Mapping[str, Json], name: str, where: str) -> str | None:
    word = value.get(name)
    if word is not None and not isinstance(word, str):
        raise ValueError(f"{where} has a '{name}' that is no text")
    return word

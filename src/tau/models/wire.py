"""The chat-completions protocol: a request as bytes, a body as a completion."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import orjson

from tau.domain.chat import Message, ModelRequest, ToolCall
from tau.domain.json import Json
from tau.domain.quick import quickly_made
from tau.domain.spend import Usage
from tau.models.usage import metered

_RESERVED = ("messages", "model")


class Unexpected(Exception):
    """A body that is not what the protocol promises; the text says what is wrong."""


class NotJson(Unexpected):
    """A body that is not even JSON."""


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedAnswer:
    """What a body says. `usage` is None and `cost_usd` is None where it says nothing.

    `whole`: the usage is all there was, not a part of it.
    """

    text: str
    finish_reason: str
    model: str | None
    usage: Usage | None
    whole: bool
    cost_usd: float | None
    response_id: str | None
    refusal: str | None
    tool_calls: tuple[ToolCall, ...]


def encode(model: str, request: ModelRequest) -> bytes:
    """The JSON to send; parameters go as they are.

    Raises:
        ValueError: for what JSON cannot hold, or a parameter that is not one.
    """
    for name in _RESERVED:
        if name in request.params:
            raise ValueError(f"'{name}' is not a parameter: it is set by the call itself")
    messages = [message_json(message) for message in request.messages]
    try:
        return orjson.dumps({"model": model, "messages": messages, **request.params})
    except TypeError as error:  # orjson.JSONEncodeError
        raise ValueError(str(error)) from None


def message_json(message: Message) -> dict[str, Json]:
    """One message as the protocol writes it."""
    content: Json = list(message.parts) if message.parts else message.content
    value: dict[str, Json] = {"role": message.role, "content": content}
    if message.name is not None:
        value["name"] = message.name
    if message.tool_call_id is not None:
        value["tool_call_id"] = message.tool_call_id
    if message.tool_calls:
        value["tool_calls"] = [call.wire for call in message.tool_calls]
        if not message.content and not message.parts:
            value["content"] = None
    return {**value, **message.extra} if message.extra else value


def parse(body: bytes) -> Json:
    """The body as JSON; half an emoji (an escaped lone surrogate) becomes U+FFFD.

    Raises:
        NotJson: it is not JSON.
    """
    try:
        value: Json = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        why = f"not JSON ({error.msg} at byte {error.pos} of {len(body)})"
    else:
        return value
    if b"\\ud" not in body.lower() and not body.startswith(b"\xef\xbb\xbf"):
        raise NotJson(why)
    try:
        text = json.dumps(json.loads(body.decode("utf-8-sig")), ensure_ascii=False)
        mended: Json = orjson.loads(
            text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        )
    except (ValueError, RecursionError):
        raise NotJson(why) from None
    return mended


def answer(body: Json) -> ParsedAnswer:
    """What a successful body says, from its first choice.

    Raises:
        Unexpected: it is not a chat completion.
    """
    if not isinstance(body, dict):
        raise Unexpected(f"expected a JSON object, got {_kind(body)}")
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices:
        found = "an empty list" if choices == [] else _kind(choices)
        raise Unexpected(f"expected 'choices' with at least one choice, got {found}")
    choice = first_choice(choices)
    if not isinstance(choice, dict):
        raise Unexpected(f"expected a choice to be an object, got {_kind(choice)}")
    reason = choice.get("finish_reason")
    message = choice.get("message")
    if message is None and reason == "content_filter":  # Azure leaves it out
        message = {}
    if not isinstance(message, dict):
        raise Unexpected(f"expected a choice's 'message' to be an object, got {_kind(message)}")
    text, tool_calls = _text(message.get("content")), tuple(_tool_calls(message))
    used = metered(body, produced=bool(text or tool_calls))
    return ParsedAnswer(
        text=text,
        finish_reason=reason if isinstance(reason, str) and reason else "unknown",
        model=_word(body.get("model")),
        usage=used.usage if used.usage.total_tokens else None,
        whole=used.whole,
        cost_usd=used.cost_usd,
        response_id=_word(body.get("id")),
        refusal=_refusal(message),
        tool_calls=tool_calls,
    )


def first_choice(choices: list[Json]) -> Json:
    """The choice that is numbered 0, wherever it stands; else the first."""
    for choice in choices:
        if isinstance(choice, dict) and choice.get("index") == 0:
            return choice
    return choices[0]


def _text(content: Json) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(_part_texts(content))
    raise Unexpected(f"expected 'content' to be text, got {_kind(content)}")


def _part_texts(parts: list[Json]) -> Iterator[str]:
    """The text parts; others (Mistral's `thinking`) are not the answer."""
    for part in parts:
        if isinstance(part, str):
            yield part
        elif isinstance(part, dict) and part.get("type") in ("text", "output_text", None):
            text = part.get("text")
            if text is None:
                continue
            if not isinstance(text, str):
                raise Unexpected(f"expected a part's 'text' to be text, got {_kind(text)}")
            yield text


def _refusal(message: Mapping[str, Json]) -> str | None:
    refusal = message.get("refusal")
    if isinstance(refusal, str) and refusal:
        return refusal
    content = message.get("content")
    for part in content if isinstance(content, list) else ():
        if isinstance(part, dict) and part.get("type") == "refusal":
            return _word(part.get("refusal"))
    return None


def _tool_calls(message: Mapping[str, Json]) -> Iterator[ToolCall]:
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list):
        raise Unexpected(f"expected 'tool_calls' to be a list, got {_kind(calls)}")
    for call in calls:
        if not isinstance(call, dict):
            raise Unexpected(f"expected a tool call to be an object, got {_kind(call)}")
        kind = call.get("type")
        if kind not in ("function", "custom", None) and "function" not in call:
            continue  # the provider's own tool (a search of the web), which it has run itself
        yield _tool_call(call.get("function") or call.get("custom"), _word(call.get("id")) or "")
    if message.get("function_call") and not calls:  # before there were tools
        yield _tool_call(message["function_call"], "")


def _tool_call(function: Json, call_id: str) -> ToolCall:
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise Unexpected("a tool call names no function")
    given = function.get("arguments", function.get("input"))
    if given is None:
        arguments = ""
    elif isinstance(given, str):
        arguments = given
    else:  # some servers send the arguments as JSON instead of as its text
        arguments = orjson.dumps(given).decode()
    return ToolCall(id=call_id, name=str(function["name"]), arguments=arguments)


def _word(value: Json) -> str | None:
    return value if isinstance(value, str) and value else None


def _kind(value: Json) -> str:
    return "nothing" if value is None else type(value).__name__

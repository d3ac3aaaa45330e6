"""Anthropic's messages."""

from collections.abc import Iterator, Mapping

import orjson

from tau.domain.chat import Completion, Message, ModelRequest, ToolCall
from tau.domain.json import Json
from tau.models import stream
from tau.proxy.dialects import Answered, Body, objects, pieces_of, texts

_RENAMED = {"stop_sequences": "stop"}
_NOT_PARAMS = frozenset({"messages", "model", "stream", "system", "tools", "tool_choice"})
_REASONS = {
    "end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "tool_use": "tool_calls",
}  # fmt: skip
_STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}
_ERRORS = {
    400: "invalid_request_error", 401: "authentication_error", 403: "permission_error",
    404: "not_found_error", 413: "request_too_large", 429: "rate_limit_error",
}  # fmt: skip


class AnthropicMessages:
    """`POST /v1/messages`."""

    path = "/messages"
    output_limit: str | None = "max_tokens"
    generated = True

    def request(self, body: Body) -> ModelRequest:
        """The same in the words of chat completions."""
        given = body.get("messages")
        if not isinstance(given, list) or not given:
            raise ValueError("'messages' must be a list with at least one message")
        messages: list[Message] = []
        if body.get("system"):
            messages.append(Message(role="system", content=_text(body.get("system"))))
        for number, one in enumerate(given):
            role = one.get("role") if isinstance(one, Mapping) else None
            if not isinstance(one, Mapping) or role not in ("user", "assistant", "system"):
                raise ValueError(f"messages[{number}] needs a role of user or assistant")
            messages += _messages(str(role), one.get("content"))
        params: dict[str, Json] = {
            _RENAMED.get(k, k): v for k, v in body.items() if k not in _NOT_PARAMS and v is not None
        }
        if tools := objects(body.get("tools")):
            params["tools"] = [_tool(tool) for tool in tools]
        return ModelRequest(messages=messages, params=params)

    def answered(self, body: Body) -> Answered:
        """Texts and tool calls; thinking is not the answer."""
        blocks = objects(body.get("content"))
        reason = texts(body.get("stop_reason")) or "unknown"
        return Answered(
            text=_text(body.get("content")),
            finish_reason=_REASONS.get(reason, reason),
            tool_calls=tuple(_call(b) for b in blocks if b.get("type") == "tool_use"),
            model=texts(body.get("model")),
            response_id=texts(body.get("id")),
        )

    def assembled(self, stream_body: bytes) -> Body:
        """The events put together."""
        whole: dict[str, Json] = {}
        usage: dict[str, Json] = {}
        blocks: dict[Json, dict[str, Json]] = {}
        for data in stream.events(stream_body):
            event = orjson.loads(data)
            kind, delta = event.get("type"), event.get("delta") or {}
            if kind == "error":
                return {**whole, "error": event.get("error")}
            if kind == "message_start":
                whole = dict(event.get("message") or {})
                usage |= (event.get("message") or {}).get("usage") or {}
            elif kind == "content_block_start":
                blocks[event.get("index")] = dict(event.get("content_block") or {})
            elif kind == "content_block_delta":
                _grow(blocks.setdefault(event.get("index"), {"type": "text"}), delta)
            elif kind == "message_delta":
                whole |= {k: v for k, v in delta.items() if v is not None}
                usage |= {k: v for k, v in (event.get("usage") or {}).items() if v is not None}
        return {**whole, "content": list(blocks.values()), "usage": usage}

    def rendered(self, completion: Completion, created: int) -> Body:
        """A whole message."""
        content: list[Json] = []
        if completion.text:
            content.append({"type": "text", "text": completion.text})
        content += [
            {"type": "tool_use", "id": c.id, "name": c.name, "input": _arguments(c.arguments)}
            for c in completion.tool_calls
        ]
        reason = completion.finish_reason
        return {
            "id": completion.response_id or "msg_0",
            "type": "message",
            "role": "assistant",
            "model": completion.model,
            "content": content,
            "stop_reason": _STOP_REASONS.get(reason, reason),
            "stop_sequence": None,
            "usage": {
                "input_tokens": completion.usage.input_tokens,
                "output_tokens": completion.usage.output_tokens,
            },
        }

    def streamed(self, completion: Completion, created: int, body: Body) -> Iterator[bytes]:
        """Events."""
        whole = dict(self.rendered(completion, created))
        blocks, reason = objects(whole["content"]), whole["stop_reason"]
        start: dict[str, Json] = {
            **whole,
            "content": [],
            "stop_reason": None,
            "usage": {"input_tokens": completion.usage.input_tokens, "output_tokens": 1},
        }
        yield _event("message_start", {"message": start})
        for index, block in enumerate(blocks):
            at: dict[str, Json] = {"index": index}
            empty: dict[str, Json] = {"text": ""} if block["type"] == "text" else {"input": {}}
            yield _event("content_block_start", {**at, "content_block": {**block, **empty}})
            for delta in _deltas(block):
                yield _event("content_block_delta", {**at, "delta": delta})
            yield _event("content_block_stop", at)
        end: dict[str, Json] = {"stop_reason": reason, "stop_sequence": None}
        usage: dict[str, Json] = {"output_tokens": completion.usage.output_tokens}
        yield _event("message_delta", {"delta": end, "usage": usage})
        yield _event("message_stop", {})

    def error(self, status: int, message: str, code: str | None) -> Body:
        """As Anthropic refuses."""
        kind = _ERRORS.get(status, "api_error")
        return {"type": "error", "error": {"type": kind, "message": message}}


def _messages(role: str, content: Json) -> list[Message]:
    """One message as one or, with results of tools, several."""
    if isinstance(content, str):
        return [Message(role=role, content=content)]
    blocks = objects(content)
    found = [
        Message(
            role="tool",
            content=_text(block.get("content")),
            tool_call_id=texts(block.get("tool_use_id")),
        )
        for block in blocks
        if block.get("type") == "tool_result"
    ]
    calls = tuple(_call(block) for block in blocks if block.get("type") == "tool_use")
    images = [block for block in blocks if block.get("type") == "image"]
    text = _text(content)
    if text or calls or images:
        parts: list[Json] = [{"type": "text", "text": text}, *map(_image, images)]
        found.append(
            Message(role=role, content=text, tool_calls=calls, parts=tuple(parts) if images else ())
        )
    return found


def _text(content: Json) -> str:
    if isinstance(content, str):
        return content
    found = (block.get("text") for block in objects(content) if block.get("type") == "text")
    return "\n".join(text for text in found if isinstance(text, str))


def _image(block: Mapping[str, Json]) -> Json:
    source = block.get("source")
    source = source if isinstance(source, Mapping) else {}
    url = source.get("url") or f"data:{source.get('media_type')};base64,{source.get('data')}"
    return {"type": "image_url", "image_url": {"url": url}}


def _call(block: Mapping[str, Json]) -> ToolCall:
    return ToolCall(
        id=str(block.get("id") or ""),
        name=str(block.get("name") or ""),
        arguments=orjson.dumps(block.get("input")).decode(),
    )


def _tool(tool: Mapping[str, Json]) -> Json:
    function = {
        "name": tool.get("name"),
        "description": tool.get("description"),
        "parameters": tool.get("input_schema"),
    }
    return {"type": "function", "function": {k: v for k, v in function.items() if v is not None}}


def _grow(block: dict[str, Json], delta: Mapping[str, Json]) -> None:
    """Add one delta; JSON of a tool's input is kept as a text until it is whole."""
    if isinstance(piece := delta.get("text"), str):
        block["text"] = f"{block.get('text') or ''}{piece}"
    elif isinstance(piece := delta.get("partial_json"), str):
        begun = block.get("input")
        block["input"] = f"{begun if isinstance(begun, str) else ''}{piece}"


def _arguments(text: str) -> Json:
    try:
        value: Json = orjson.loads(text or "{}")
    except orjson.JSONDecodeError:
        return {"arguments": text}
    return value


def _deltas(block: Mapping[str, Json]) -> Iterator[Mapping[str, Json]]:
    if block["type"] == "text":
        for piece in pieces_of(str(block["text"])):
            yield {"type": "text_delta", "text": piece}
    else:
        given = orjson.dumps(block["input"]).decode()
        yield {"type": "input_json_delta", "partial_json": given}


def _event(kind: str, data: Mapping[str, Json]) -> bytes:
    body = orjson.dumps({"type": kind, **data})
    return b"event: " + kind.encode() + b"\ndata: " + body + b"\n\n"

"""OpenAI's responses."""

from collections.abc import Iterator, Mapping

import orjson

from tau.domain.chat import Completion, Message, ModelRequest, ToolCall
from tau.domain.chat_messages import ROLES, text_of
from tau.domain.json import Json
from tau.models import stream
from tau.proxy.dialects import Answered, Body, objects, openai_error, pieces_of, texts

_RENAMED = {"max_output_tokens": "max_tokens"}
_NOT_PARAMS = frozenset({"input", "instructions", "model", "stream", "stream_options", "tools"})
_ENDS = ("response.completed", "response.incomplete", "response.failed")


class Responses:
    """`POST /v1/responses`."""

    path = "/responses"
    output_limit: str | None = "max_output_tokens"
    generated = True
    error = staticmethod(openai_error)

    def request(self, body: Body) -> ModelRequest:
        """The same in the words of chat completions."""
        messages: list[Message] = []
        instructions = texts(body.get("instructions"))
        if instructions:
            messages.append(Message(role="system", content=instructions))
        given = body.get("input")
        if isinstance(given, str):
            messages.append(Message(role="user", content=given))
        for item in objects(given):
            messages += _messages(item)
        if not messages and not body.get("prompt") and not body.get("previous_response_id"):
            raise ValueError("'input' must be a text or a list of items")
        params: dict[str, Json] = {
            _RENAMED.get(k, k): v for k, v in body.items() if k not in _NOT_PARAMS and v is not None
        }
        if tools := objects(body.get("tools")):
            params["tools"] = [_tool(tool) for tool in tools]
        return ModelRequest(messages=messages, params=params)

    def answered(self, body: Body) -> Answered:
        """Texts and calls of functions; reasoning is not the answer."""
        items = objects(body.get("output"))
        said = [i for i in items if i.get("type") == "message"]
        calls = tuple(_call(i) for i in items if i.get("type") == "function_call")
        reason = "tool_calls" if calls else "stop"
        details = body.get("incomplete_details")
        if isinstance(details, Mapping):
            reason = texts(details.get("reason")) or "incomplete"
        elif body.get("status") not in ("completed", None):
            reason = str(body.get("status"))
        return Answered(
            text="\n".join(text_of(objects(i.get("content"))) for i in said),
            finish_reason={"max_output_tokens": "length"}.get(reason, reason),
            tool_calls=calls,
            model=texts(body.get("model")),
            response_id=texts(body.get("id")),
        )

    def assembled(self, stream_body: bytes) -> Body:
        """The response that the last event holds."""
        found: Body = {}
        for data in stream.events(stream_body):
            if not data.startswith(b"{"):
                continue
            event = orjson.loads(data)
            if event.get("type") == "error":
                return {**found, "error": event.get("error") or event}
            held = event.get("response")
            if isinstance(held, dict):
                found = held
                if event.get("type") in _ENDS:
                    break
        return found

    def rendered(self, completion: Completion, created: int) -> Body:
        """A whole response."""
        output: list[Json] = []
        if completion.text or not completion.tool_calls:
            output.append(_item(completion))
        output += [
            {
                "type": "function_call",
                "id": f"fc_{number}",
                "call_id": call.id,
                "name": call.name,
                "arguments": call.arguments,
                "status": "completed",
            }
            for number, call in enumerate(completion.tool_calls)
        ]
        cut = completion.finish_reason == "length"
        usage = completion.usage
        return {
            "id": completion.response_id or "resp_0",
            "object": "response",
            "created_at": created,
            "model": completion.model,
            "status": "incomplete" if cut else "completed",
            "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
            "error": None,
            "instructions": None,
            "metadata": {},
            "output": output,
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "temperature": None,
            "top_p": None,
            "usage": {
                "input_tokens": usage.input_tokens,
                "input_tokens_details": {"cached_tokens": usage.cached_tokens},
                "output_tokens": usage.output_tokens,
                "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
                "total_tokens": usage.total_tokens,
            },
        }

    def streamed(self, completion: Completion, created: int, body: Body) -> Iterator[bytes]:
        """Events."""
        whole = dict(self.rendered(completion, created))
        begun: dict[str, Json] = {**whole, "status": "in_progress", "output": [], "usage": None}
        number = iter(range(1_000_000))
        yield _event("response.created", next(number), {"response": begun})
        for index, item in enumerate(objects(whole["output"])):
            at: dict[str, Json] = {"output_index": index}
            body_of: dict[str, Json] = {"content": []}
            if item["type"] != "message":
                body_of = {"arguments": ""}
            empty: dict[str, Json] = {**item, "status": "in_progress", **body_of}
            yield _event("response.output_item.added", next(number), {**at, "item": empty})
            for kind, data in _parts(item):
                at_item: dict[str, Json] = {**at, "item_id": item["id"], **data}
                yield _event(kind, next(number), at_item)
            yield _event("response.output_item.done", next(number), {**at, "item": dict(item)})
        yield _event(f"response.{whole['status']}", next(number), {"response": whole})


def _messages(item: Mapping[str, Json]) -> list[Message]:
    kind = item.get("type")
    if kind == "function_call":
        return [Message(role="assistant", content="", tool_calls=(_call(item),))]
    if kind == "function_call_output":
        output = item.get("output")
        text = output if isinstance(output, str) else text_of(objects(output))
        return [Message(role="tool", content=text, tool_call_id=texts(item.get("call_id")))]
    role, content = item.get("role"), item.get("content")
    if role not in ROLES:
        return []
    if isinstance(content, str):
        return [Message(role=str(role), content=content)]
    parts = objects(content)
    images = [part for part in parts if part.get("type") == "input_image"]
    shown: list[Json] = [
        {"type": "text", "text": text_of(parts)},
        *map(_image, images),
    ]
    return [Message(role=str(role), content=text_of(parts), parts=tuple(shown) if images else ())]


def _image(part: Mapping[str, Json]) -> Json:
    return {"type": "image_url", "image_url": {"url": part.get("image_url")}}


def _call(item: Mapping[str, Json]) -> ToolCall:
    return ToolCall(
        id=str(item.get("call_id") or item.get("id") or ""),
        name=str(item.get("name") or ""),
        arguments=str(item.get("arguments") or ""),
    )


def _tool(tool: Mapping[str, Json]) -> Json:
    if tool.get("type") != "function":
        return dict(tool)
    return {"type": "function", "function": {k: v for k, v in tool.items() if k != "type"}}


def _item(completion: Completion) -> Json:
    part = {"type": "output_text", "text": completion.text, "annotations": [], "logprobs": []}
    return {
        "type": "message",
        "id": f"msg_{completion.response_id or 0}",
        "role": "assistant",
        "status": "completed",
        "content": [part],
    }


def _parts(item: Mapping[str, Json]) -> Iterator[tuple[str, dict[str, Json]]]:
    if item["type"] == "function_call":
        yield "response.function_call_arguments.delta", {"delta": item["arguments"]}
        yield "response.function_call_arguments.done", {"arguments": item["arguments"]}
        return
    part = dict(objects(item["content"])[0])
    at: dict[str, Json] = {"content_index": 0}
    yield "response.content_part.added", {**at, "part": {**part, "text": ""}}
    for piece in pieces_of(str(part["text"])):
        yield "response.output_text.delta", {**at, "delta": piece, "logprobs": []}
    yield "response.output_text.done", {**at, "text": part["text"], "logprobs": []}
    yield "response.content_part.done", {**at, "part": part}


def _event(kind: str, number: int, data: Mapping[str, Json]) -> bytes:
    body = orjson.dumps({"type": kind, "sequence_number": number, **data})
    return b"event: " + kind.encode() + b"\ndata: " + body + b"\n\n"

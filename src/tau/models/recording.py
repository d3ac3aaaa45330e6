"""Recorded model calls: the lines of a file, and a model that writes them.

One JSON object a line: `request`, and either `response` or `error`.

- `request` is `{"messages": [...], "params": {...}}` in the wire's own form, or its hash. The hash
  is `content_hash` of exactly that object, so it depends neither on the model nor on time limits.
- `response` is a text, a completion's fields (`text`, `finish_reason`, `model`, `usage`,
  `tool_calls`, `refusal`, `response_id`), or a provider's raw body with `choices`.
- `error` is `{"class": "rate_limit", "message": ..., "retry_after_s": ..., "status": ...}`, its
  class a code of `tau.errors`.
"""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import orjson

from tau.domain.chat import Completion, ModelRequest, ToolCall
from tau.domain.json import Json, content_hash
from tau.domain.spend import Usage
from tau.errors import ModelError, ServerFailed
from tau.files.atomic import append_line
from tau.models import wire
from tau.ports.forwarding import ForwardingModel, Upstream
from tau.ports.model import Model

_HASH = re.compile(r"[0-9a-f]{64}")


class RecordingModel:
    """Passes calls on to `model` and appends each with what came of it to `path`.

    Equal requests stand in the order in which they were answered. Each line is durable before its
    answer is handed on; a cancelled call leaves none. `complete` also raises FileError.
    """

    def __init__(self, model: Model, path: Path) -> None:
        """`model` stays the caller's idea of a model; closing this one closes it."""
        self._model = model
        self._path = path
        self._turn = asyncio.Lock()

    @property
    def ref(self) -> str:
        """That of the model behind."""
        return self._model.ref

    @property
    def provider(self) -> str:
        """That of the model behind."""
        return self._model.provider

    def price(self, usage: Usage) -> int | None:
        """That of the model behind."""
        return self._model.price(usage)

    async def complete(self, request: ModelRequest) -> Completion:
        """Call, record, and return or raise what came."""
        value = request_json(request)
        try:
            completion = await self._model.complete(request)
        except ModelError as error:
            await self._append({"request": value, "error": _error_json(error)})
            raise
        await self._append({"request": value, "response": _completion_json(completion)})
        return completion

    def upstream(self) -> Upstream | None:
        """That of the model behind."""
        return self._model.upstream() if isinstance(self._model, ForwardingModel) else None

    def standing_in(self, call: Model) -> Model:
        """`call`, recorded among this one's."""
        recorded = RecordingModel(call, self._path)
        recorded._turn = self._turn
        return recorded

    async def aclose(self) -> None:
        """Close the model behind."""
        await self._model.aclose()

    async def _append(self, line: Json) -> None:
        async with self._turn:
            await asyncio.to_thread(append_line, self._path, orjson.dumps(line))


def request_json(request: ModelRequest) -> dict[str, Json]:
    """What is hashed of a request: messages and params as they go over the wire."""
    return {
        "messages": [wire.message_json(message) for message in request.messages],
        "params": dict(request.params),
    }


def request_hash(request: ModelRequest) -> str:
    """The name of a request, whichever model it goes to.

    Raises:
        ValueError: a request that JSON cannot hold.
    """
    return content_hash(request_json(request))


def read_line(line: bytes) -> tuple[str, Completion | ModelError]:
    """The request's hash and what came of it.

    Raises:
        ValueError: what is wrong with the line.
    """
    value = orjson.loads(line)
    if not isinstance(value, Mapping):
        raise ValueError(f"expected an object, got {type(value).__name__}")
    if ("response" in value) == ("error" in value):
        raise ValueError("expected either 'response' or 'error'")
    name = _request_name(value.get("request"))
    if "error" in value:
        return name, _error(value["error"])
    return name, _completion(value["response"])


def _request_name(request: Json) -> str:
    if isinstance(request, str) and _HASH.fullmatch(request):
        return request
    if not isinstance(request, Mapping) or not isinstance(request.get("messages"), list):
        raise ValueError("expected 'request' to be an object with 'messages', or its hash")
    if strange := set(request) - {"messages", "params"}:
        raise ValueError(f"unknown field in 'request': {', '.join(sorted(strange))}")
    return content_hash({"messages": request["messages"], "params": request.get("params") or {}})


def _completion(response: Json) -> Completion:
    if isinstance(response, str):
        return Completion(text=response, finish_reason="stop", model="recorded", cost_nano_usd=0)
    if not isinstance(response, Mapping):
        raise ValueError("expected 'response' to be a text or an object")
    if "choices" in response:
        try:
            answer = wire.answer(response)
        except wire.Unexpected as error:
            raise ValueError(f"'response': {error}") from None
        return Completion(
            text=answer.text,
            finish_reason=answer.finish_reason,
            model=answer.model or "recorded",
            usage=answer.usage or Usage(),
            usage_whole=answer.whole,
            cost_nano_usd=0,
            response_id=answer.response_id,
            refusal=answer.refusal,
            tool_calls=answer.tool_calls,
        )
    text = _text(response, "text")
    if text is None:
        raise ValueError("expected 'response' to have a 'text'")
    calls = response.get("tool_calls", [])
    if not isinstance(calls, list):
        raise ValueError("expected 'tool_calls' to be a list")
    return Completion(
        text=text,
        finish_reason=_text(response, "finish_reason") or "stop",
        model=_text(response, "model") or "recorded",
        usage=_usage(response.get("usage")),
        cost_nano_usd=0,
        response_id=_text(response, "response_id"),
        refusal=_text(response, "refusal"),
        tool_calls=tuple(_tool_call(call) for call in calls),
    )


def _text(value: Mapping[str, Any], name: str) -> str | None:
    text = value.get(name)
    if text is not None and not isinstance(text, str):
        raise ValueError(f"expected '{name}' to be a text")
    return text


def _usage(usage: Json) -> Usage:
    if usage is None:
        return Usage()
    names = {field.name for field in fields(Usage)}
    if not isinstance(usage, Mapping) or set(usage) - names:
        raise ValueError(f"expected 'usage' to have {', '.join(sorted(names))}")
    for name, count in usage.items():
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise ValueError(f"expected 'usage.{name}' to be a count")
    return Usage(**usage)  # type: ignore[arg-type]


def _tool_call(call: Json) -> ToolCall:
    if not isinstance(call, Mapping) or set(call) != {"id", "name", "arguments"}:
        raise ValueError("expected a tool call to have id, name and arguments")
    return ToolCall(**{name: str(value) for name, value in call.items()})


def _error(error: Json) -> ModelError:
    kinds = {kind.code: kind for kind in _kinds(ModelError)} | {"server": ServerFailed}
    if not isinstance(error, Mapping) or error.get("class") not in kinds:
        raise ValueError(f"expected 'error.class' to be one of {', '.join(sorted(kinds))}")
    wait, status = error.get("retry_after_s"), error.get("status")
    return kinds[str(error["class"])](
        str(error.get("message") or "recorded error"),
        retry_after_s=float(wait) if isinstance(wait, int | float) else None,
        status=status if isinstance(status, int) else None,
    )


def _kinds(kind: type[ModelError]) -> list[type[ModelError]]:
    children = [child for direct in kind.__subclasses__() for child in _kinds(direct)]
    return [kind, *children]


def _completion_json(completion: Completion) -> dict[str, Json]:
    usage = completion.usage
    value: dict[str, Json] = {
        "text": completion.text,
        "finish_reason": completion.finish_reason,
        "model": completion.model,
        "usage": {field.name: getattr(usage, field.name) for field in fields(usage)},
    }
    for name in ("response_id", "refusal"):
        if getattr(completion, name) is not None:
            value[name] = getattr(completion, name)
    if completion.tool_calls:
        value["tool_calls"] = [
            {"id": call.id, "name": call.name, "arguments": call.arguments}
            for call in completion.tool_calls
        ]
    return value


def _error_json(error: ModelError) -> dict[str, Json]:
    value: dict[str, Json] = {"class": error.code, "message": str(error)}
    if error.retry_after_s is not None:
        value["retry_after_s"] = error.retry_after_s
    if error.status is not None:
        value["status"] = error.status
    return value

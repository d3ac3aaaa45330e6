"""OpenAI's chat completions, and embeddings beside them."""

from collections.abc import Iterator, Mapping

import orjson

from tau.domain.chat import Completion, Message, ModelRequest
from tau.domain.chat_messages import message_of
from tau.domain.json import Json
from tau.domain.spend import Usage
from tau.models import stream, wire
from tau.proxy.dialects import Answered, Body, openai_error, pieces_of

_NOT_PARAMS = frozenset({"messages", "model", "stream", "stream_options"})
_NO_PARAMS = frozenset({"input", "model"})


class ChatCompletions:
    """`POST /v1/chat/completions`."""

    path = "/chat/completions"
    output_limit: str | None = "max_tokens"
    generated = True
    error = staticmethod(openai_error)

    def request(self, body: Body) -> ModelRequest:
        """Messages and parameters."""
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            raise ValueError("'messages' must be a list with at least one message")
        return ModelRequest(
            messages=[message_of(m, f"messages[{i}]") for i, m in enumerate(messages)],
            params={k: v for k, v in body.items() if k not in _NOT_PARAMS and v is not None},
        )

    def answered(self, body: Body) -> Answered:
        """The first choice."""
        said = wire.answer(dict(body))
        return Answered(
            text=said.text,
            finish_reason=said.finish_reason,
            tool_calls=said.tool_calls,
            model=said.model,
            response_id=said.response_id,
            refusal=said.refusal,
        )

    def assembled(self, stream_body: bytes) -> Body:
        """The chunks put together."""
        whole = stream.assemble(stream_body)
        assert isinstance(whole, dict)
        return whole

    def rendered(self, completion: Completion, created: int) -> Body:
        """A whole completion."""
        message: dict[str, Json] = {**completion.message, "refusal": completion.refusal}
        return {
            **_head(completion, created, "chat.completion"),
            "choices": [
                {
                    "index": 0,
                    "message": message,
                    "logprobs": None,
                    "finish_reason": completion.finish_reason,
                }
            ],
            "usage": _usage(completion.usage),
        }

    def streamed(self, completion: Completion, created: int, body: Body) -> Iterator[bytes]:
        """Chunks, with the usage at the end where it is asked for."""
        head = _head(completion, created, "chat.completion.chunk")
        deltas: list[dict[str, Json]] = [{"role": "assistant", "content": "", "refusal": None}]
        deltas += [{"content": piece} for piece in pieces_of(completion.text)]
        if completion.tool_calls:
            calls: list[Json] = [
                {"index": i, **call.wire} for i, call in enumerate(completion.tool_calls)
            ]
            deltas.append({"tool_calls": calls})
        ends: list[tuple[dict[str, Json], Json]] = [(delta, None) for delta in deltas]
        ends.append(({}, completion.finish_reason))
        for delta, reason in ends:
            choice: Json = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
            yield _event({**head, "choices": [choice]})
        options = body.get("stream_options")
        if isinstance(options, Mapping) and options.get("include_usage") is True:
            yield _event({**head, "choices": [], "usage": _usage(completion.usage)})
        yield b"data: [DONE]\n\n"


class Embeddings:
    """`POST /v1/embeddings`."""

    path = "/embeddings"
    output_limit: str | None = None
    generated = False
    error = staticmethod(openai_error)

    def request(self, body: Body) -> ModelRequest:
        """The texts, one message each; tokens are not shown."""
        given = body.get("input")
        if given is None or given == []:
            raise ValueError("'input' must be a text or a list of texts")
        inputs = given if isinstance(given, list) else [given]
        return ModelRequest(
            messages=[Message(role="user", content=t) for t in inputs if isinstance(t, str)],
            params={k: v for k, v in body.items() if k not in _NO_PARAMS and v is not None},
            operation="embeddings",
        )

    def answered(self, body: Body) -> Answered:
        """No text: vectors are not kept."""
        model = body.get("model")
        return Answered(finish_reason="stop", model=model if isinstance(model, str) else None)

    def assembled(self, stream_body: bytes) -> Body:
        """Nothing streams here."""
        raise ValueError("embeddings are not streamed")

    def rendered(self, completion: Completion, created: int) -> Body:
        """Nothing generates them here."""
        raise ValueError("a chat model has no embeddings")

    def streamed(self, completion: Completion, created: int, body: Body) -> Iterator[bytes]:
        """Nothing generates them here."""
        raise ValueError("a chat model has no embeddings")


def _head(completion: Completion, created: int, kind: str) -> dict[str, Json]:
    return {
        "id": completion.response_id or "chatcmpl-0",
        "object": kind,
        "created": created,
        "model": completion.model,
    }


def _usage(usage: Usage) -> Json:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": 0,
        },
    }


def _event(data: Mapping[str, Json]) -> bytes:
    return b"data: " + orjson.dumps(data) + b"\n\n"

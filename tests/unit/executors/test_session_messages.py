"""A session takes whole messages and gives back what came: tools, images, formats."""

from collections.abc import Mapping

import pytest

from tau.domain.chat import Completion, ModelRequest, ToolCall
from tau.domain.chat_messages import message_of
from tau.domain.json import Json
from tau.domain.spend import Usage
from tau.errors import ExecutorFailed
from tau.executors.python import Session
from tau.models import wire
from tau.models.recording import request_json
from tau.ports.executor import ExecutorContext
from unit.proxy.upstreams import recording

CALL: Json = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
IMAGE: Json = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
MESSAGES: list[Mapping[str, Json]] = [
    {"role": "system", "content": "Be kind."},
    {"role": "developer", "content": "Use tools."},
    {"role": "user", "content": [{"type": "text", "text": "What is this?"}, IMAGE]},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "content": "3", "tool_call_id": "c1"},
    {"role": "assistant", "content": "Three.", "reasoning_content": "1+2", "audio": None},
]


class Seen:
    """A model that keeps what it was asked."""

    ref, provider = "test/m", "test"
    asked: ModelRequest

    async def complete(self, request: ModelRequest) -> Completion:
        self.asked = request
        return Completion(
            text="",
            finish_reason="tool_calls",
            model="m",
            usage=Usage(input_tokens=5, output_tokens=2),
            tool_calls=(ToolCall(id="c2", name="g", arguments="{}"),),
        )

    def price(self, usage: Usage) -> int | None:
        return 0

    async def aclose(self) -> None:
        return None


async def test_all_of_a_message_reaches_the_model_and_comes_back() -> None:
    model = Seen()
    session = Session(recording(), ExecutorContext(model=model, params={"seed": 1}))
    tools: list[Json] = [{"type": "function", "function": {"name": "g"}}]
    said = await session.chat(MESSAGES, tools=tools, response_format={"type": "json_object"})
    sent = request_json(model.asked)
    asked = [{k: v for k, v in m.items() if v is not None or k == "content"} for m in MESSAGES]
    assert sent["messages"] == asked
    assert sent["params"] == {
        "seed": 1, "tools": tools, "response_format": {"type": "json_object"},
    }  # fmt: skip
    assert (said.text, said.usage.total_tokens) == ("", 7)
    assert said.tool_calls[0].name == "g"
    again = await session.chat([*MESSAGES, said.message, {"role": "tool", "content": "ok"}])
    assert again.finish_reason == "tool_calls"
    assert wire.message_json(model.asked.messages[-2])["tool_calls"] == [
        {"id": "c2", "type": "function", "function": {"name": "g", "arguments": "{}"}}
    ]


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ({"content": "a"}, "needs a role"),
        ({"role": "pope", "content": "a"}, "needs a role"),
        ({"role": "user", "content": 3}, "neither a text nor a list"),
        ({"role": "user", "content": ["a"]}, "without a 'type'"),
        ({"role": "assistant", "tool_calls": [{}]}, "without a 'function'"),
        ("Hi", "must be an object"),
    ],
)
async def test_what_is_no_message_is_refused_before_a_call(message: Json, said: str) -> None:
    model = Seen()
    session = Session(recording(), ExecutorContext(model=model))
    with pytest.raises(ExecutorFailed, match=said):
        await session.chat([message])  # type: ignore[list-item]
    assert not hasattr(model, "asked")


def test_texts_of_parts_are_the_content() -> None:
    assert message_of(MESSAGES[2]).content == "What is this?"

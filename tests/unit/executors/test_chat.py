"""The messages a chat model is sent, and what becomes of its answer."""

from collections.abc import Mapping, Sequence

import pytest

from tau.domain.answers import REFUSED
from tau.domain.chat import Completion, ModelRequest, ToolCall
from tau.domain.dataset import Example, Split, examples
from tau.domain.json import Json
from tau.domain.resources import Resources
from tau.domain.rollout import Output
from tau.domain.spend import Usage
from tau.errors import ExampleInvalid, InputError
from tau.executors.chat import ChatExecutor, ChatSettings
from tau.ports.executor import ExecutorContext
from tau.testing.executor import recorder


class Scripted:
    ref = "test/scripted"
    provider = "test"

    def __init__(self, completion: Completion | None = None) -> None:
        self.completion = completion or Completion(text="ok", finish_reason="stop", model="m-1")
        self.requests: list[ModelRequest] = []

    async def complete(self, request: ModelRequest) -> Completion:
        self.requests.append(request)
        return self.completion

    def price(self, usage: Usage) -> int | None:
        return None

    async def aclose(self) -> None:
        pass


def row(value: Json) -> Example:
    return examples(Split.OPTIMIZE, [value])[0]


async def run(
    model: Scripted,
    example: Json,
    resources: Mapping[str, Json],
    *,
    settings: ChatSettings | None = None,
    params: Mapping[str, Json] | None = None,
) -> Output:
    context = ExecutorContext(model=model, params=params or {})
    executor = ChatExecutor.build(settings or ChatSettings(), context)
    return await executor.execute(row(example), Resources(values=resources), recorder(executor))


def sent(model: Scripted) -> Sequence[tuple[str, str]]:
    return [(m.role, m.content) for m in model.requests[0].messages]


@pytest.mark.parametrize(
    ("resources", "example", "messages"),
    [
        ({}, "Hi {x}", [("user", "Hi {x}")]),
        ({"system_prompt": "Be kind."}, "Hi", [("system", "Be kind."), ("user", "Hi")]),
        (
            {"system_prompt": "Speak {language}."},
            {"prompt": "Hi", "language": "French"},
            [("system", "Speak French."), ("user", "Hi")],
        ),
        ({"system_prompt": "Q: {prompt}\nA:"}, "Hi", [("user", "Q: Hi\nA:")]),
        ({"system_prompt": 5}, "Hi", [("user", "Hi")]),
        (
            {
                "system_prompt": [
                    {"role": "system", "content": "Answer like this."},
                    {"role": "user", "content": "1+1"},
                    {"role": "assistant", "content": "2"},
                ]
            },
            "2+2",
            [
                ("system", "Answer like this."),
                ("user", "1+1"),
                ("assistant", "2"),
                ("user", "2+2"),
            ],
        ),
        (
            {"system_prompt": [{"role": "user", "content": "Now: {prompt}"}]},
            "2+2",
            [("user", "Now: 2+2")],
        ),
        (
            {"system_prompt": "Be kind."},
            {"messages": [{"role": "user", "content": "{raw}"}]},
            [("system", "Be kind."), ("user", "{raw}")],
        ),
        (
            {},
            {"messages": [{"role": "assistant", "content": "Yes?"}], "prompt": "Hi"},
            [("assistant", "Yes?"), ("user", "Hi")],
        ),
    ],
)
async def test_messages(
    resources: Mapping[str, Json], example: Json, messages: list[tuple[str, str]]
) -> None:
    model = Scripted()

    await run(model, example, resources)

    assert sent(model) == messages


async def test_resource_role_params_and_limit_reach_the_call() -> None:
    model = Scripted()
    settings = ChatSettings(resource="instructions", role="developer", timeout_s=7.0)

    await run(
        model, "Hi", {"instructions": "Be kind."}, settings=settings, params={"temperature": 0}
    )

    assert sent(model) == [("developer", "Be kind."), ("user", "Hi")]
    assert model.requests[0].params == {"temperature": 0}
    assert model.requests[0].timeout_s == 7.0


@pytest.mark.parametrize(
    "example",
    [
        {"question": "no prompt"},
        {"prompt": 5},
        17,
        {"messages": "Hi"},
        {"messages": [{"role": "king", "content": "Hi"}]},
        {"messages": [{"role": "user", "content": ["parts"]}]},
    ],
)
async def test_a_row_that_cannot_be_asked_fails_before_any_call(example: Json) -> None:
    model = Scripted()

    with pytest.raises(ExampleInvalid):
        await run(model, example, {})

    assert model.requests == []


async def test_a_row_without_a_field_fails_as_an_invalid_example() -> None:
    with pytest.raises(ExampleInvalid, match="'language'"):
        await run(Scripted(), "Hi", {"system_prompt": "Speak {language}."})


async def test_an_answer_becomes_an_output() -> None:
    call = ToolCall(id="c1", name="search", arguments='{"q":"ice"}')
    model = Scripted(
        Completion(
            text="", finish_reason="tool_calls", model="m-1", response_id="r1", tool_calls=(call,)
        )
    )

    output = await run(model, "Hi", {})

    assert output.text == ""
    assert output.finish_reason == "tool_calls"
    assert output.value == {
        "tool_calls": [{"id": "c1", "name": "search", "arguments": '{"q":"ice"}'}]
    }
    assert output.metadata == {"model": "m-1", "response_id": "r1", "output_tokens": 0}
    assert output.reason_codes == ()


async def test_a_refusal_is_reported() -> None:
    refused = Completion(text="", finish_reason="stop", model="m-1", refusal="I can't help.")

    output = await run(Scripted(refused), "Hi", {})

    assert output.reason_codes == (REFUSED,)
    assert output.metadata["refusal"] == "I can't help."


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        ({"system_prompt": "Use {contxt}."}, r"unknown placeholder '\{contxt\}'"),
        ({"system_prompt": [{"role": "system"}]}, "not a chat message"),
        ({"system_prompt": ["text"]}, "not a chat message"),
    ],
)
def test_check_finds_what_no_row_can_fill(resources: Mapping[str, Json], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ChatExecutor.check(
            ChatSettings(),
            ExecutorContext(model=Scripted()),
            Resources(values=resources),
            row({"prompt": "Hi", "context": "x"}),
        )


def test_check_asks_for_a_model() -> None:
    with pytest.raises(InputError, match="needs a model") as refused:
        ChatExecutor.check(ChatSettings(), ExecutorContext(model=None), Resources(values={}), None)

    assert refused.value.fix is not None
    assert "--model" in refused.value.fix

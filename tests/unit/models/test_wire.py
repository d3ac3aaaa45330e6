"""The protocol's bytes, in every provider's dialect."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau.domain.chat import Message, ModelRequest, ToolCall
from tau.domain.spend import Usage
from tau.models.stream import assemble
from tau.models.wire import NotJson, ParsedAnswer, Unexpected, answer, encode, parse

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def body(message: Any = None, usage: Any = None, **choice: Any) -> dict[str, Any]:  # noqa: ANN401
    message = {"role": "assistant", "content": "hi"} if message is None else message
    first = {"index": 0, "message": message, "finish_reason": "stop", **choice}
    return {"id": "c-1", "model": "m-1", "choices": [first], "usage": usage}


def counts(**usage: Any) -> Usage | None:  # noqa: ANN401
    return answer(body(usage=usage)).usage


def test_parameters_go_as_they_are() -> None:
    request = ModelRequest(
        messages=[Message(role="system", content="s"), Message(role="user", content="ü")],
        params={"max_tokens": 5, "reasoning_effort": "low", "stop": ["a"], "top_p": None},
    )

    assert orjson.loads(encode("m", request)) == {
        "model": "m",
        "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "ü"}],
        "max_tokens": 5,
        "reasoning_effort": "low",
        "stop": ["a"],
        "top_p": None,
    }


def test_a_conversation_with_tools_is_sent_back_as_it_came() -> None:
    call = ToolCall(id="t1", name="look", arguments='{"a": 1}')
    request = ModelRequest(
        messages=[
            Message(role="assistant", content="", tool_calls=(call,)),
            Message(role="tool", content="42", tool_call_id="t1", name="look"),
        ]
    )
    first, second = orjson.loads(encode("m", request))["messages"]

    assert first["content"] is None
    assert answer(body(first)).tool_calls == (call,)
    assert second == {"role": "tool", "content": "42", "tool_call_id": "t1", "name": "look"}


@pytest.mark.parametrize(
    "params", [{"messages": []}, {"model": "x"}, {"n": 2**70}, {"a": "\ud800"}]
)
def test_what_cannot_be_sent_is_refused(params: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        encode("m", ModelRequest(messages=[], params=params))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, ""), ("", ""), ("a", "a"), ([], ""),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "ab"),
        ([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
          {"type": "text", "text": "4"}], "4"),
        (["a", {"text": "b"}], "ab"),
    ],
)  # fmt: skip
def test_content_in_parts_is_joined(content: Any, text: str) -> None:  # noqa: ANN401
    assert answer(body({"content": content})).text == text


def test_refusals_are_data() -> None:
    assert answer(body({"content": None, "refusal": "no"})).refusal == "no"
    assert answer(body({"content": [{"type": "refusal", "refusal": "no"}]})).refusal == "no"
    assert answer(body({"content": "yes", "refusal": None})).refusal is None


def test_tool_calls_are_kept_unparsed() -> None:
    calls = [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{broken"}},
        {"id": "b", "type": "function", "function": {"name": "g", "arguments": {"x": 1}}},
        {"id": "c", "type": "custom", "custom": {"name": "h", "input": "free text"}},
        {"function": {"name": "i"}},
    ]
    found = answer(body({"content": None, "tool_calls": calls})).tool_calls

    assert found == (
        ToolCall(id="a", name="f", arguments="{broken"),
        ToolCall(id="b", name="g", arguments='{"x":1}'),
        ToolCall(id="c", name="h", arguments="free text"),
        ToolCall(id="", name="i", arguments=""),
    )
    old = answer(body({"content": None, "function_call": {"name": "f", "arguments": "{}"}}))
    assert old.tool_calls == (ToolCall(id="", name="f", arguments="{}"),)


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14,
          "prompt_tokens_details": {"cached_tokens": 3},
          "completion_tokens_details": {"reasoning_tokens": 2}}, (10, 4, 3, 2)),
        ({"prompt_tokens": 10, "completion_tokens": 4, "prompt_tokens_details": None},
         (10, 4, 0, 0)),
        ({"prompt_tokens": 10, "completion_tokens": 4, "prompt_cache_hit_tokens": 8,
          "prompt_cache_miss_tokens": 2}, (10, 4, 8, 0)),
        ({"prompt_tokens": 10, "completion_tokens": 4, "num_cached_tokens": 6}, (10, 4, 6, 0)),
        ({"prompt_tokens": 10, "completion_tokens": 4, "cached_tokens": 5}, (10, 4, 5, 0)),
        ({"input_tokens": 10, "output_tokens": 4, "cache_read_input_tokens": 30,
          "cache_creation_input_tokens": 5}, (45, 4, 30, 0)),
        ({"input_tokens": 10, "output_tokens": 4, "input_tokens_details": {"cached_tokens": 3}},
         (10, 4, 3, 0)),
        ({"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 20,
          "completion_tokens_details": {"reasoning_tokens": 6}}, (10, 10, 0, 6)),
        ({"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 25}, (10, 15, 0, 11)),
        ({"prompt_tokens": 10.0, "completion_tokens": 4.0, "total_tokens": 14}, (10, 4, 0, 0)),
        ({"prompt_tokens": 10, "completion_tokens": -4, "total_tokens": 3}, (10, 0, 0, 0)),
        ({"prompt_tokens": "10", "completion_tokens": True}, (10, 0, 0, 0)),
        ({"prompt_tokens": "10", "completion_tokens": "4", "total_tokens": "14"}, (10, 4, 0, 0)),
        ({"prompt_tokens": "1,010", "completion_tokens": " 4 "}, (1010, 4, 0, 0)),
        ({"prompt_tokens": 9.2, "completion_tokens": 3.5}, (10, 4, 0, 0)),
        ({"total_tokens": 14}, (0, 14, 0, 0)),
        ({"prompt_tokens": -1, "completion_tokens": None, "total_tokens": 14}, (0, 14, 0, 0)),
        ({"prompt_tokens": 10, "total_tokens": 14}, (10, 4, 0, 0)),
        ({"completion_tokens": 4, "total_tokens": 14}, (10, 4, 0, 0)),
        ({"tokens": {"input_tokens": 10, "output_tokens": 4}}, (10, 4, 0, 0)),
        ({"promptTokenCount": 10, "candidatesTokenCount": 4, "totalTokenCount": 16},
         (10, 6, 0, 2)),
        ({"inputTokens": 10, "outputTokens": 4, "totalTokens": 14}, (10, 4, 0, 0)),
        ({"prompt_tokens": 10, "completion_tokens": 4,
          "prompt_tokens_details": {"cached_tokens": 99},
          "completion_tokens_details": {"reasoning_tokens": 99}}, (10, 99, 0, 99)),
    ],
)  # fmt: skip
def test_usage_in_every_dialect(usage: dict[str, Any], expected: tuple[int, ...]) -> None:
    given, produced, cached, reasoning = expected

    assert counts(**usage) == Usage(
        input_tokens=given,
        output_tokens=produced,
        cached_tokens=cached,
        reasoning_tokens=reasoning,
    )


def test_missing_usage_is_unknown_not_zero() -> None:
    assert answer(body()).usage is None
    assert counts(prompt_tokens=1e300, completion_tokens=10**15) is None
    assert counts(queue_time=0.1) is None


@pytest.mark.parametrize(
    ("usage", "cost"),
    [({"cost": 0.5}, 0.5), ({"cost": 0}, 0.0), ({"cost": -1}, None), ({"cost": "1"}, 1.0),
     ({"cost": True}, None), ({"cost": 1e9}, None), ({}, None),
     ({"cost": 0.1, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.4}}, 0.5),
     ({"cost": 0.1, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.1}}, 0.1)],
)  # fmt: skip
def test_the_providers_own_bill(usage: dict[str, Any], cost: float | None) -> None:
    assert answer(body(usage=usage)).cost_usd == cost


@pytest.mark.parametrize(
    "value",
    [None, [], "text", 5, {}, {"choices": None}, {"choices": {}}, {"choices": []},
     {"choices": [None]}, {"choices": [{}]}, {"choices": [{"message": "hi"}]},
     body({"content": 5}), body({"content": {"text": "a"}}), body({"content": [{"text": 5}]}),
     body({"content": "a", "tool_calls": {"a": 1}}), body({"content": "a", "tool_calls": [5]}),
     body({"content": "a", "tool_calls": [{"function": {}}]})],
)  # fmt: skip
def test_what_is_no_completion_says_why(value: Any) -> None:  # noqa: ANN401
    with pytest.raises(Unexpected, match=r"\w+"):
        answer(value)


@given(JSON)
def test_any_json_is_an_answer_or_unexpected(value: Any) -> None:  # noqa: ANN401
    for candidate in (value, body(value), {"choices": [value]}, body(usage=value)):
        try:
            found: ParsedAnswer | str = answer(candidate)
        except Unexpected as error:
            found = str(error)
        assert found


@given(st.binary())
def test_any_bytes_are_json_or_not(data: bytes) -> None:
    for read in (parse, assemble):
        try:
            read(data)
            said = "fine"
        except Unexpected as error:
            said = str(error)
        assert said


def test_half_an_emoji_does_not_spoil_an_answer() -> None:
    assert parse(rb'{"a": "x\ud83d", "b": "\ud83d\ude00"}') == {"a": "x\ufffd", "b": "😀"}
    assert parse(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}
    with pytest.raises(NotJson):
        parse(rb'{"a": "\ud83d"')


def sse(*chunks: Any, done: bool = True) -> bytes:  # noqa: ANN401
    lines = [b": comment\n\n"] + [b"data: " + orjson.dumps(chunk) + b"\n\n" for chunk in chunks]
    return b"".join(lines) + (b"data: [DONE]\n\n" if done else b"")


def delta(finish: str | None = None, **values: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"id": "s", "choices": [{"index": 0, "delta": values, "finish_reason": finish}]}


def test_a_stream_is_put_together() -> None:
    other = {"choices": [{"index": 1, "delta": {"content": "other choice"}}]}
    tool = {"index": 0, "id": "t", "function": {"name": "f", "arguments": '{"a"'}}
    more = {"index": 0, "function": {"arguments": ":1}"}}
    stream = sse(
        delta(role="assistant", content="He"),
        other,
        delta(content="llo"),
        delta(tool_calls=[tool]),
        delta(tool_calls=[more]),
        delta("stop"),
        {"choices": [], "model": "m", "usage": {"prompt_tokens": 3, "completion_tokens": 2}},
    )
    found = answer(assemble(stream.replace(b"\n", b"\r\n")))

    assert (found.text, found.finish_reason, found.model) == ("Hello", "stop", "m")
    assert found.tool_calls == (ToolCall(id="t", name="f", arguments='{"a":1}'),)
    assert found.usage == Usage(input_tokens=3, output_tokens=2)


def test_a_stream_that_ends_too_early_is_no_answer() -> None:
    with pytest.raises(Unexpected, match="ended before"):
        assemble(sse(delta(content="He"), done=False))
    with pytest.raises(Unexpected, match="ended before"):
        assemble(sse())
    assert answer(assemble(sse(delta("length", content="He"), done=False))).text == "He"


def test_an_error_in_a_stream_is_handed_on() -> None:
    error = {"error": {"message": "overloaded", "code": 503}, "choices": []}

    found = assemble(sse(delta(content="He"), error))
    assert isinstance(found, dict)
    assert error.items() <= found.items()

"""Recorded answers, and recording them."""

import asyncio
from pathlib import Path

import orjson
import pytest

from tau.domain.chat import Completion, Message, ModelRequest, ToolCall
from tau.domain.failure import TRANSIENT, FailureClass
from tau.domain.json import Json, content_hash
from tau.domain.spend import Usage
from tau.errors import FileError, InputError, ModelError, QuotaExhausted, RateLimited
from tau.models.openai import OpenAICompatible
from tau.models.recording import RecordingModel, request_hash
from tau.models.replay import ReplayModel, ReplaySettings
from tau.ports.model import ModelContext
from tau.testing.faults import Fault
from tau.testing.provider import LoopbackProvider, ReceivedCall


def ask(text: str, **params: float) -> ModelRequest:
    return ModelRequest(messages=[Message(role="user", content=text)], params=params)


def replay(path: Path) -> ReplayModel:
    return ReplayModel.build(ReplaySettings(), ModelContext(provider="replay", name=str(path)))


def write(path: Path, *lines: object) -> Path:
    path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    return path


def wire(text: str) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": text}]}


async def test_what_was_recorded_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "calls.jsonl"
    call = {"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}

    def answer(call_in: ReceivedCall) -> dict[str, object]:
        message = {"content": f"{call_in.prompt} {call_in.nth}", "tool_calls": [call]}
        usage = {"prompt_tokens": 9, "completion_tokens": 3}
        return {
            "id": "c",
            "choices": [{"message": message, "finish_reason": "stop"}],
            "usage": usage,
        }

    async with LoopbackProvider(
        answer=answer, faults=["3=status:status=429;retry-after=7"]
    ) as server:
        context = ModelContext(provider="ollama", name="m", base_url=server.base_url)
        live = RecordingModel(OpenAICompatible.build(OpenAICompatible.Settings(), context), path)
        one = await live.complete(ask("a"))
        two = await live.complete(ask("a"))
        with pytest.raises(RateLimited):
            await live.complete(ask("b"))
        await live.aclose()
    recorded = replay(path)

    assert (live.ref, live.provider, live.price(Usage())) == ("ollama/m", "ollama", 0)
    with pytest.raises(RateLimited) as caught:
        await recorded.complete(ask("b"))
    assert (caught.value.retry_after_s, caught.value.status) == (7, 429)
    assert [await recorded.complete(ask("a")), await recorded.complete(ask("a"))] == [one, two]
    assert one.tool_calls == (ToolCall(id="t", name="f", arguments="{}"),)
    assert one.usage == Usage(input_tokens=9, output_tokens=3)


async def test_equal_requests_get_their_answers_in_order_whatever_comes_between(
    tmp_path: Path,
) -> None:
    path = write(
        tmp_path / "r.jsonl",
        {"request": wire("a"), "response": "a1"}, {"request": wire("b"), "response": "b1"},
        {"request": wire("a"), "response": "a2"}, {"request": wire("b"), "response": "b2"},
    )  # fmt: skip
    orders = ["abab", "aabb", "bbaa", "baab"]
    for order in orders:
        model = replay(path)
        answers = await asyncio.gather(*(model.complete(ask(name)) for name in order))
        by_name = [(name, answer.text) for name, answer in zip(order, answers, strict=True)]

        assert sorted(by_name) == [("a", "a1"), ("a", "a2"), ("b", "b1"), ("b", "b2")]
        assert [text for name, text in by_name if name == "a"] == ["a1", "a2"]


async def test_the_hash_is_that_of_messages_and_params_alone(tmp_path: Path) -> None:
    value: Json = {
        "messages": [{"role": "user", "content": "a"}],
        "params": {"temperature": 0.5, "n": 1},
    }
    name = content_hash(value)
    path = write(tmp_path / "r.jsonl", {"request": name, "response": "by hash"})
    request = ModelRequest(
        messages=[Message(role="user", content="a")],
        params={"n": 1, "temperature": 0.5},
        timeout_s=3,
    )

    assert request_hash(request) == name
    assert (await replay(path).complete(request)).text == "by hash"
    assert request_hash(ask("a")) != name


@pytest.mark.parametrize("asked", ["other", "a"])
async def test_an_unknown_request_says_which_file_and_how_to_record(
    tmp_path: Path, asked: str
) -> None:
    path = write(tmp_path / "r.jsonl", {"request": wire("a"), "response": "a1"})
    model = replay(path)
    await model.complete(ask("a"))
    with pytest.raises(ModelError) as caught:
        await model.complete(ask(asked))

    assert FailureClass(caught.value.code) not in TRANSIENT
    assert str(path) in str(caught.value)
    assert "'record'" in (caught.value.fix or "")
    assert request_hash(ask(asked))[:12] in str(caught.value)


async def test_forms_of_a_response(tmp_path: Path) -> None:
    raw = {"choices": [{"message": {"content": "raw"}, "finish_reason": "length"}],
           "usage": {"prompt_tokens": 4, "completion_tokens": 1}}  # fmt: skip
    path = write(
        tmp_path / "r.jsonl",
        {"request": wire("text"), "response": "plain"},
        {"request": wire("raw"), "response": raw},
        {"request": wire("fields"), "response": {"text": "t", "refusal": "no", "model": "m"}},
        {"request": wire("error"), "error": {"class": "quota", "message": "all gone"}},
    )
    model = replay(path)

    assert await model.complete(ask("text")) == Completion(
        text="plain", finish_reason="stop", model="recorded", cost_nano_usd=0
    )
    assert (await model.complete(ask("raw"))).usage == Usage(input_tokens=4, output_tokens=1)
    assert (await model.complete(ask("fields"))).refusal == "no"
    with pytest.raises(QuotaExhausted, match="all gone"):
        await model.complete(ask("error"))


@pytest.mark.parametrize(
    "line",
    [
        b"{", b"[]", b"null", b'"x"', b"{}", b'{"request": "abc", "response": "x"}',
        b'{"request": {"messages": "x"}, "response": "x"}',
        b'{"request": {"messages": [], "prams": {}}, "response": "x"}',
        b'{"request": {"messages": []}}',
        b'{"request": {"messages": []}, "response": "x", "error": {"class": "quota"}}',
        b'{"request": {"messages": []}, "response": 5}',
        b'{"request": {"messages": []}, "response": {"txt": "x"}}',
        b'{"request": {"messages": []}, "response": {"text": "x", "usage": {"tokens": 1}}}',
        b'{"request": {"messages": []}, "response": {"text": "x", "usage": {"input_tokens": -1}}}',
        b'{"request": {"messages": []}, "response": {"text": "x", "tool_calls": {}}}',
        b'{"request": {"messages": []}, "response": {"text": "x", "tool_calls": [{"id": "a"}]}}',
        b'{"request": {"messages": []}, "response": {"choices": []}}',
        b'{"request": {"messages": []}, "error": {"class": "nonsense"}}',
        b'{"request": {"messages": []}, "error": "x"}', b"\xff\xfe",
    ],
)  # fmt: skip
def test_a_bad_line_is_named(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "r.jsonl"
    good = orjson.dumps({"request": wire("a"), "response": "a1"})
    path.write_bytes(good + b"\n\n" + line + b"\n")
    with pytest.raises(InputError) as caught:
        ReplayModel.check(ReplaySettings(), ModelContext(provider="replay", name=str(path)))

    assert "line 3" in str(caught.value)
    assert str(path) in str(caught.value)
    assert caught.value.why


def test_a_file_that_is_none(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    for name in ("", " ", str(tmp_path), str(tmp_path / "missing"), str(empty), "bad\0name"):
        with pytest.raises(InputError):
            ReplayModel.check(ReplaySettings(), ModelContext(provider="replay", name=name))


async def test_concurrent_recording_keeps_lines_whole(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    async with LoopbackProvider() as server:
        context = ModelContext(provider="ollama", name="m", base_url=server.base_url)
        live = RecordingModel(OpenAICompatible.build(OpenAICompatible.Settings(), context), path)
        await asyncio.gather(*(live.complete(ask(f"q{n} " + "x" * 10_000)) for n in range(30)))
        await live.aclose()
    model = replay(path)

    for n in range(30):
        assert (await model.complete(ask(f"q{n} " + "x" * 10_000))).text.startswith(f"q{n} ")


async def test_a_cancelled_call_leaves_no_line_and_a_full_disk_is_told(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    async with LoopbackProvider(faults={1: Fault(kind="hang")}) as server:
        context = ModelContext(provider="ollama", name="m", base_url=server.base_url)
        live = RecordingModel(OpenAICompatible.build(OpenAICompatible.Settings(), context), path)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(live.complete(ask("a")), 0.1)
        assert not path.exists()
        path.mkdir()
        with pytest.raises(FileError):
            await live.complete(ask("a"))
        await live.aclose()

"""Recorded traffic of real providers, and what the client sends against OpenAI's schema."""

import gzip
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema_rs
import orjson
import pytest
import yaml

from tau.domain.chat import Completion, Message, ModelRequest, ToolCall
from tau.errors import ModelError
from tau.models.endpoint import Settings
from tau.models.openai import OpenAICompatible
from tau.models.providers import PROVIDERS
from tau.ports.model import ModelContext
from tau.testing.model import CANARY, check_completion
from tau.testing.provider import LoopbackProvider, ProviderReply, ReceivedCall

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]

OUTCOMES = {
    "completion": 718,
    "ModelNotFound": 6,
    "RequestRejected": 9,
    "ContentFiltered": 2,
    "RateLimited": 1,
}

HOSTS = {
    "api.openai.com": "openai", "api.groq.com": "groq", "api.mistral.ai": "mistral",
    "openrouter.ai": "openrouter", "api.deepseek.com": "deepseek", "api.together.xyz": "together",
}  # fmt: skip

HOP_BY_HOP = {"transfer-encoding", "content-length", "content-encoding", "connection"}


@pytest.fixture(scope="session")
def interactions(acceptance_data: Path) -> list[dict[str, Any]]:
    with gzip.open(acceptance_data / "provider_traffic" / "traffic.jsonl.gz") as lines:
        found = [json.loads(line) for line in lines]
    return [one for one in found if "chat/completions" in one["uri"]]


@pytest.fixture(scope="session")
def request_schema(acceptance_data: Path) -> jsonschema_rs.Validator:
    with gzip.open(acceptance_data / "conformance" / "openai-openapi.yaml.gz") as text:
        api = yaml.load(text, Loader=yaml.CSafeLoader)
    api = json.loads(json.dumps(api, default=str))  # YAML has dates, JSON has not
    root = "#/components/schemas/CreateChatCompletionRequest"
    return jsonschema_rs.Draft202012Validator({"$ref": root, "components": api["components"]})


async def test_a_second_set_of_answers_is_parsed_or_a_typed_error(acceptance_data: Path) -> None:
    with gzip.open(acceptance_data / "provider_traffic_2" / "traffic.jsonl.gz") as lines:
        found = [json.loads(line) for line in lines]
    outcomes: Counter[str] = Counter()
    async for _, outcome in replayed([one for one in found if "chat/completions" in one["uri"]]):
        if isinstance(outcome, Completion):
            check_completion(outcome)
            outcomes["whole" if outcome.usage_whole else "part"] += 1
        else:
            assert "canary" not in f"{outcome!r} {outcome} {outcome.fix}"
            outcomes[type(outcome).__name__] += 1

    assert outcomes["whole"] >= 290
    assert sum(outcomes.values()) - outcomes["whole"] - outcomes["part"] <= 15


async def test_every_recorded_answer_is_parsed_or_a_typed_error(
    interactions: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes: Counter[str] = Counter()
    priced = counted = 0
    async for one, outcome in replayed(interactions):
        if isinstance(outcome, Completion):
            outcomes["completion"] += 1
            check_completion(outcome)
            assert (outcome.text, outcome.tool_calls) == reading(one), one["uri"]
            counted += outcome.usage.total_tokens > 0
            priced += outcome.cost_nano_usd is not None
            assert outcome.text or outcome.tool_calls or outcome.refusal
        else:
            outcomes[type(outcome).__name__] += 1
            assert "canary" not in f"{outcome!r} {outcome} {outcome.fix}"
    with capsys.disabled():
        print(f"\n{dict(outcomes)}, {counted} with usage, {priced} with a price")

    assert outcomes == OUTCOMES
    assert counted >= 650
    assert priced >= 550


async def test_what_the_client_sends_fits_the_published_schema(
    interactions: list[dict[str, Any]], request_schema: jsonschema_rs.Validator
) -> None:
    """The recorded requests that our values can hold, sent again: equal, and valid."""
    ours = [one for one in interactions if "api.openai.com" in one["uri"] and holds(one)]
    sent: list[ReceivedCall] = []
    async for _ in replayed(ours, sent):
        pass

    assert len(sent) == len(ours) >= 250
    for one, call in zip(ours, sent, strict=True):
        assert [str(e) for e in request_schema.iter_errors(call.body)] == []
        assert dict(call.body) | {"messages": None} == one["request_body"] | {"messages": None}
        recorded = [normal(message) for message in one["request_body"]["messages"]]
        assert [normal(message) for message in call.body["messages"]] == recorded


def test_the_schema_does_refuse(request_schema: jsonschema_rs.Validator) -> None:
    assert not request_schema.is_valid({"model": "m"})
    assert not request_schema.is_valid({"model": "m", "messages": [{"role": "user"}]})


async def replayed(
    interactions: list[dict[str, Any]], sent: list[ReceivedCall] | None = None
) -> AsyncIterator[tuple[dict[str, Any], Completion | ModelError]]:
    """Each interaction with what the client made of it."""
    current: dict[str, Any] = {}

    def answer(call: ReceivedCall) -> ProviderReply:
        if sent is not None:
            sent.append(call)
        body = current["response_body"]
        headers = {
            k: v for k, v in current["response_headers"].items() if k.lower() not in HOP_BY_HOP
        }
        data = body.encode() if isinstance(body, str) else orjson.dumps(body)
        return ProviderReply(status=current["status"], headers=headers, body=data)

    async with LoopbackProvider(answer=answer) as server:
        for one in interactions:
            current = one
            model = client(one, server.base_url)
            outcome: Completion | ModelError
            try:
                outcome = await model.complete(request(one))
            except ModelError as error:
                outcome = error
            await model.aclose()
            yield one, outcome
        assert server.calls == len(interactions)


def client(one: Mapping[str, Any], base_url: str) -> OpenAICompatible:
    host = urlsplit(one["uri"]).hostname or ""
    provider = "azure" if host.endswith(".azure.com") else HOSTS.get(host, "openai-compatible")
    context = ModelContext(
        provider=provider,
        name=one["request_body"]["model"],
        environ={PROVIDERS[provider].key_variables[0]: CANARY},
        base_url=base_url,
    )
    return OpenAICompatible.build(Settings(), context)


def holds(one: Mapping[str, Any]) -> bool:
    """Whether our values can hold the recorded request: text only, function tools only."""
    return all(
        isinstance(message.get("content") or "", str)
        and message["role"] != "function"
        and set(message) <= {"role", "content", "name", "tool_calls", "tool_call_id"}
        and all(call.get("type") == "function" for call in message.get("tool_calls") or ())
        for message in one["request_body"]["messages"]
    )


def request(one: Mapping[str, Any]) -> ModelRequest:
    """The recorded request where our values can hold it, else a plain one."""
    if not holds(one):
        return ModelRequest(messages=[Message(role="user", content="x")])
    body = one["request_body"]
    return ModelRequest(
        messages=[
            Message(
                role=message["role"],
                content=message.get("content") or "",
                name=message.get("name"),
                tool_call_id=message.get("tool_call_id"),
                tool_calls=tuple(tool_calls(message.get("tool_calls"))),
            )
            for message in body["messages"]
        ],
        params={name: value for name, value in body.items() if name not in ("model", "messages")},
    )


def normal(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message without the ways of saying nothing."""
    return {name: value for name, value in message.items() if value not in (None, "", [])}


def tool_calls(calls: list[dict[str, Any]] | None) -> Iterator[ToolCall]:
    for call in calls or ():
        function = call["function"]
        yield ToolCall(
            id=call["id"], name=function["name"], arguments=function.get("arguments", "")
        )


def reading(one: Mapping[str, Any]) -> tuple[str, tuple[ToolCall, ...]]:
    """Text and tool calls, read in the simplest way from the recording."""
    body = one["response_body"]
    if isinstance(body, str):
        return streamed(body)
    message = body["choices"][0]["message"]
    content = message.get("content") or ""
    if isinstance(content, list):
        content = "".join(part["text"] for part in content if part["type"] == "text")
    calls = list(tool_calls(message.get("tool_calls")))
    if old := message.get("function_call"):
        calls.append(ToolCall(id="", name=old["name"], arguments=old.get("arguments", "")))
    return content, tuple(calls)


def streamed(body: str) -> tuple[str, tuple[ToolCall, ...]]:
    text = ""
    calls: dict[int, list[str]] = {}
    for line in body.splitlines():
        if not line.startswith("data: {"):
            continue
        for choice in json.loads(line[6:])["choices"] or ():
            if choice["index"] != 0:
                continue
            delta = choice.get("delta") or {}
            content = delta.get("content") or ""
            if isinstance(content, list):
                content = "".join(part.get("text", "") for part in content)
            text += content
            for call in delta.get("tool_calls") or ():
                known = calls.setdefault(call["index"], ["", "", ""])
                function = call["function"]
                known[0] = call.get("id") or known[0]
                known[1] += function.get("name") or ""
                known[2] += function.get("arguments") or ""
    return text, tuple(ToolCall(id=i, name=n, arguments=a) for i, n, a in calls.values())

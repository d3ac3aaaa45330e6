"""The endpoint, through a plain HTTP client."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import pytest

from tau.domain.chat import Message, ModelRequest
from tau.domain.dataset import Split
from tau.errors import InputError
from tau.models.sim import SimulatedModel, SimulatorSettings
from tau.models.sim_server import SimServer, serve_sim
from tau.ports.model import ModelContext
from tau.sim.world import World

HOME = World(4)
HELLO = {"model": "rules", "messages": [{"role": "user", "content": "What is 2 + 2?"}]}


class Client:
    """Calls the endpoint and decodes what it says."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        self.session = session
        self.base_url = base_url

    async def chat(self, body: Any, **changes: Any) -> tuple[int, Any]:  # noqa: ANN401
        data = body if isinstance(body, bytes) else orjson.dumps({**body, **changes})
        async with self.session.post(f"{self.base_url}/chat/completions", data=data) as response:
            return response.status, await response.json()

    async def get(self, path: str) -> tuple[int, Any]:
        async with self.session.get(self.base_url.removesuffix("/v1") + path) as response:
            return response.status, await response.json()


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with serve_sim() as base_url, aiohttp.ClientSession() as session:
        yield Client(session, base_url)


def task(number: int = 0) -> dict[str, Any]:
    case = HOME.cases(Split.TEST, number + 1)[number]
    return {
        "model": "rules?seed=3",
        "messages": [
            {"role": "system", "content": HOME.full_prompt()},
            {"role": "user", "content": [{"type": "text", "text": case.text}]},
        ],
    }


async def test_an_answer(client: Client) -> None:
    status, answer = await client.chat(HELLO)

    assert status == 200
    assert answer["choices"][0]["message"] == {
        "role": "assistant", "content": "4", "refusal": None
    }  # fmt: skip
    assert answer["usage"]["total_tokens"] == 11


async def test_over_the_wire_as_in_process(client: Client) -> None:
    model = SimulatedModel.build(
        SimulatorSettings(seed=3), ModelContext(provider="sim", name="rules")
    )
    for number in range(30):
        body = task(number)
        _, answer = await client.chat(body)
        system, user = (m["content"] for m in body["messages"])
        messages = [
            Message(role="system", content=system), Message(role="user", content=user[0]["text"])
        ]  # fmt: skip
        completion = await model.complete(ModelRequest(messages=messages))

        assert answer["choices"][0]["message"]["content"] == completion.text
        assert answer["usage"]["prompt_tokens"] == completion.usage.input_tokens


async def test_several_answers_are_several_draws(client: Client) -> None:
    _, answer = await client.chat(task(2), n=40)
    texts = [choice["message"]["content"] for choice in answer["choices"]]
    _, seeded = await client.chat(task(2), n=40, seed=1)
    _, again = await client.chat(task(2), n=40, seed=1)

    assert [choice["index"] for choice in answer["choices"]] == list(range(40))
    assert len(set(texts)) > 1
    assert seeded["choices"] == again["choices"]
    assert len({c["message"]["content"] for c in seeded["choices"]}) > 1


@pytest.mark.parametrize("include_usage", [False, True])
async def test_a_stream_says_the_same(client: Client, include_usage: bool) -> None:
    _, whole = await client.chat(task(), seed=1, n=2)
    body = {**task(), "seed": 1, "n": 2, "stream": True}
    if include_usage:
        body["stream_options"] = {"include_usage": True}
    url = f"{client.base_url}/chat/completions"
    async with client.session.post(url, json=body) as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        events = (await response.text()).split("\n\n")

    assert events[-2:] == ["data: [DONE]", ""]
    chunks = [orjson.loads(event.removeprefix("data: ")) for event in events[:-2]]
    texts = ["", ""]
    for chunk in chunks:
        for choice in chunk["choices"]:
            texts[choice["index"]] += choice["delta"].get("content", "")
    assert texts == [choice["message"]["content"] for choice in whole["choices"]]
    assert len({chunk["id"] for chunk in chunks}) == 1
    usages = [chunk["usage"] for chunk in chunks if chunk.get("usage")]
    assert usages == ([whole["usage"]] if include_usage else [])


async def test_calls_are_counted_by_what_they_ask(client: Client) -> None:
    await client.chat(task(), n=2)
    await client.chat(HELLO)
    ask = "Write a new instruction.\n```\nBook it.\n```"
    await client.chat(HELLO, messages=[{"role": "user", "content": ask}])
    await client.chat(HELLO, model="rules?error_rate=1")
    _, stats = await client.get("/sim/stats")

    assert [
        stats[name] for name in ("task_calls", "reflection_calls", "other_calls", "refused")
    ] == [2, 1, 1, 1]
    assert stats["models"]["sim/rules?seed=3"]["task_calls"] == 2
    assert stats["models"]["sim/rules"]["task_calls"] == 0
    assert stats["output_tokens"] > 0 < stats["input_tokens"]


async def test_models_and_health(client: Client) -> None:
    _, models = await client.get("/v1/models")

    assert [model["id"] for model in models["data"]] == ["rules", "judge"]
    assert await client.get("/healthz") == (200, {"status": "ok", "simulated": True})


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        (b"{", 400, None),
        (b"[]", 400, None),
        (b'"\xff"', 400, None),
        ({**HELLO, "model": None}, 400, "model"),
        ({**HELLO, "model": "gpt-4o"}, 404, "model"),
        ({**HELLO, "model": "rules?x=1"}, 404, "model"),
        ({**HELLO, "messages": []}, 400, "messages"),
        ({**HELLO, "messages": [{"role": "boss", "content": ""}]}, 400, "messages[0]"),
        ({**HELLO, "messages": [{"role": "user", "content": 3}]}, 400, "messages[0]"),
        ({**HELLO, "n": 0}, 400, "n"),
        ({**HELLO, "stop": 3}, 400, "stop"),
        ({**HELLO, "max_tokens": "many"}, 400, "max_tokens"),
        ({**HELLO, "model": "rules?error_rate=1"}, 503, None),
        ({**HELLO, "model": "rules?rate_limit_rate=1"}, 429, None),
    ],
)
async def test_errors_look_as_openai_clients_expect(
    client: Client, body: bytes | dict[str, Any], status: int, param: str | None
) -> None:
    got, answer = await client.chat(body)

    assert got == status
    assert set(answer["error"]) == {"message", "type", "param", "code"}
    assert answer["error"]["param"] == param


async def test_unknown_routes_and_methods(client: Client) -> None:
    assert (await client.get("/v2"))[0] == 404
    assert (await client.get("/v1/chat/completions"))[0] == 405


async def test_a_rate_limit_says_when_to_come_back(client: Client) -> None:
    url = f"{client.base_url}/chat/completions"
    body = {**HELLO, "model": "rules?rate_limit_rate=1"}
    async with client.session.post(url, json=body) as response:
        assert float(response.headers["Retry-After"]) > 0


async def test_many_clients_at_once() -> None:
    server = SimServer(SimulatorSettings(latency_ms=100))
    async with serve_sim(server=server) as url, aiohttp.ClientSession() as session:
        client = Client(session, url)
        loop = asyncio.get_running_loop()
        began = loop.time()
        answers = await asyncio.gather(*(client.chat(HELLO) for _ in range(60)))

    assert {status for status, _ in answers} == {200}
    assert loop.time() - began < 3, "sixty calls of 0.1 s, side by side"
    assert server.stats()["other_calls"] == 60


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.org", "::"])
async def test_it_stands_on_loopback_only(host: str) -> None:
    with pytest.raises(InputError, match="does not listen on"):
        async with serve_sim(host=host):
            pass


async def test_a_taken_port_is_said() -> None:
    async with serve_sim() as url:
        port = int(url.rsplit(":")[-1].removesuffix("/v1"))
        with pytest.raises(InputError, match=f"cannot listen on 127.0.0.1:{port}"):
            async with serve_sim(port=port):
                pass

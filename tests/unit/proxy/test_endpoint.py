"""The endpoint that agents call: unaltered answers, one key an attempt, and everything counted."""

import asyncio
from collections.abc import Mapping
from io import BytesIO

import orjson
import pytest

from tau.domain.json import Json
from tau.domain.spend import Spend
from tau.models.sim import SimulatedModel, SimulatorSettings
from tau.ports.endpoint import LeaseTerms
from tau.ports.model import Model, ModelContext
from unit.proxy.upstreams import KEY, Scripted, model_at, placed, recording, standing
from unit.runner.working import until

CHAT = "/chat/completions"
ASK: Mapping[str, Json] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
STREAM: Mapping[str, Json] = {**ASK, "stream": True}
ANSWER = orjson.dumps(
    {
        "id": "c1",
        "model": "m-1",
        "choices": [{"message": {"content": "Ho"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
    }
)
CHUNKS = (
    b'data: {"choices":[{"index":0,"delta":{"content":"H"}}]}\n\n',
    b'data: {"choices":[{"index":0,"delta":{"content":"o"},"finish_reason":"stop"}]}\n\n',
    b'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3}}\n\n',
    b"data: [DONE]\n\n",
)
EVENTS = "text/event-stream"
MESSAGE: Mapping[str, Json] = {
    "id": "msg",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "Ho"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 7, "output_tokens": 3},
}
RESPONSE: Mapping[str, Json] = {
    "id": "resp",
    "object": "response",
    "status": "completed",
    "model": "m",
    "output": [{"type": "message", "content": [{"type": "output_text", "text": "Ho"}]}],
    "usage": {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10},
}


def sim() -> Model:
    context = ModelContext(provider="sim", name="rules")
    return SimulatedModel.build(SimulatorSettings(), context)


@pytest.mark.parametrize(
    ("path", "ask", "answer"),
    [
        (CHAT, ASK, orjson.loads(ANSWER)),
        ("/responses", {"model": "m", "input": "Hi"}, RESPONSE),
        ("/messages", {**ASK, "max_tokens": 9}, MESSAGE),
    ],
)
async def test_an_answer_comes_unaltered_and_is_counted(
    path: str, ask: Mapping[str, Json], answer: Mapping[str, Json]
) -> None:
    body = b" " + orjson.dumps(answer) + b"\n"
    provider = Scripted(pieces=[body], headers={"x-request-id": "r1"})
    async with standing(provider) as place, place.post(path, ask) as reply:
        assert (reply.status, await reply.read()) == (200, body)
        assert reply.headers["x-request-id"] == "r1"
        assert place.record.spent == Spend(calls=1, tokens=10)
    sent, headers, raw = provider.seen[0]
    assert sent == f"/v1{path}"
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert orjson.loads(raw) == ask
    (span,) = place.record.close()
    assert span.name == "chat m"
    assert span.attributes["gen_ai.usage.output_tokens"] == 3
    assert "Ho" in str(span.attributes["gen_ai.output.messages"])
    assert "Hi" in str(span.attributes["gen_ai.input.messages"])


async def test_embeddings_pass() -> None:
    body = orjson.dumps({"data": [{"embedding": [0.5]}], "usage": {"prompt_tokens": 4}})
    ask = {"model": "m", "input": ["a", "b"]}
    async with (
        standing(Scripted(pieces=[body])) as place,
        place.post("/embeddings", ask) as reply,
    ):
        assert await reply.read() == body
    assert place.record.spent == Spend(calls=1, tokens=4)
    (span,) = place.record.close()
    assert span.attributes["gen_ai.operation.name"] == "embeddings"


async def test_a_stream_comes_event_by_event() -> None:
    gates = [asyncio.Event() for _ in CHUNKS]
    provider = Scripted(pieces=CHUNKS, kind=EVENTS, pause=gates.__getitem__)
    async with standing(provider) as place, place.post(CHAT, STREAM) as reply:
        for gate, chunk in zip(gates, CHUNKS, strict=True):
            gate.set()  # the next event is not even written before this one has come
            assert await reply.content.readexactly(len(chunk)) == chunk
        assert await reply.read() == b""
    assert place.record.spent == Spend(calls=1, tokens=10)


async def test_a_client_that_leaves_ends_the_call_and_what_came_is_counted() -> None:
    never = asyncio.Event()
    provider = Scripted(pieces=CHUNKS, kind=EVENTS, pause=[None, None, never, never].__getitem__)
    async with standing(provider, record=recording(calls=2, tokens=1000)) as place:
        async with place.post(CHAT, STREAM) as reply:
            await reply.content.readexactly(len(CHUNKS[0]))
            reply.close()
        await until(lambda: provider.broken > 0)
    (span,) = place.record.close()
    assert place.record.spent.tokens == 500  # what was reserved for the call
    assert span.attributes["gen_ai.response.finish_reasons"] == ["cancelled"]


async def test_a_stream_that_breaks_off_breaks_off() -> None:
    provider = Scripted(pieces=CHUNKS[:1], kind=EVENTS, breaks=True)
    async with standing(provider) as place, place.post(CHAT, STREAM) as reply:
        with pytest.raises(Exception, match=r"payload|closed|reset"):
            await reply.read()
        assert place.lease.trouble is not None


async def test_calls_beyond_the_reservation_are_refused_for_good() -> None:
    provider = Scripted(pieces=[ANSWER])
    async with standing(provider, LeaseTerms(calls=2)) as place:
        for status in (200, 200, 429):
            async with place.post(CHAT, ASK) as reply:
                assert reply.status == status
        async with place.post(CHAT, ASK) as reply:
            assert reply.status == 429
            told = await reply.json()
        assert told["error"]["code"] == "insufficient_quota"
        assert "executor.calls" in told["error"]["message"]
        assert reply.headers["x-should-retry"] == "false"
    assert len(provider.seen) == 2


async def test_a_key_is_dead_with_its_attempt_and_at_another_ones_address() -> None:
    provider = Scripted(pieces=[ANSWER])
    async with standing(provider) as place:
        with place.endpoint.lease(recording(), LeaseTerms(calls=9)) as other:
            old = other.access
            url = place.lease.access.base_url + CHAT
            stolen = {"Authorization": f"Bearer {old.api_key}"}
            async with place.http.post(url, json=ASK, headers=stolen) as reply:
                assert reply.status == 401
        headers = {"x-api-key": old.api_key}
        async with place.http.post(old.base_url + CHAT, json=ASK, headers=headers) as reply:
            assert reply.status == 401
            assert "ends with the attempt" in (await reply.json())["error"]["message"]
    assert provider.seen == []


async def test_an_attempt_that_ends_stops_its_calls() -> None:
    never = asyncio.Event()
    provider = Scripted(pieces=[ANSWER], pause=lambda _: never)
    async with standing(provider) as place:
        with place.endpoint.lease(recording(), LeaseTerms(calls=9)) as lease:
            url = f"{lease.access.base_url}{CHAT}"
            headers = {"Authorization": f"Bearer {lease.access.api_key}"}
            call = asyncio.ensure_future(place.http.post(url, json=ASK, headers=headers))
            await until(lambda: bool(provider.seen))
        async with await call as reply:
            assert reply.status == 429
        await until(lambda: provider.broken > 0)


@pytest.mark.parametrize(
    ("given", "status"), [("m", 200), ("openai-compatible/m", 200), ("extra", 200), ("gpt", 404)]
)
async def test_only_the_runs_models_answer(given: str, status: int) -> None:
    provider = Scripted(pieces=[ANSWER])
    async with (
        standing(provider, LeaseTerms(calls=9, models=("extra",))) as place,
        place.post(CHAT, {**ASK, "model": given}) as reply,
    ):
        assert reply.status == status
        told = await reply.json()
    if status == 404:
        assert told["error"]["code"] == "model_not_found"
        assert "ask for 'm', 'extra'" in told["error"]["message"]
    else:
        assert orjson.loads(provider.seen[0][2])["model"] == given.rpartition("/")[2]


async def test_what_a_call_may_generate_is_bound() -> None:
    provider = Scripted(pieces=[ANSWER])
    async with standing(provider, LeaseTerms(calls=9, max_tokens=50)) as place:
        async with place.post(CHAT, ASK) as reply:
            assert reply.status == 200
        async with place.post(CHAT, {**ASK, "max_tokens": 51}) as reply:
            assert reply.status == 400
            assert "50 are reserved" in await reply.text()
    assert [orjson.loads(raw)["max_tokens"] for _, _, raw in provider.seen] == [50]


@pytest.mark.parametrize("status", [400, 429, 500, 529])
async def test_a_providers_refusal_comes_as_it_is(status: int) -> None:
    body = b'{"error": {"message": "not now", "type": "x"}}'
    provider = Scripted(status=status, pieces=[body], headers={"Retry-After": "0"})
    async with standing(provider) as place, place.post(CHAT, ASK) as reply:
        assert (reply.status, await reply.read()) == (status, body)
        assert reply.headers["Retry-After"] == "0"
        assert place.lease.trouble is not None
        assert place.lease.trouble.status == status


async def test_a_dead_provider_is_a_502_and_costs_no_call() -> None:
    model = model_at("http://127.0.0.1:9/v1")
    async with placed(model) as place, place.post(CHAT, ASK) as reply:
        assert reply.status == 502
        assert place.record.spent == Spend()


async def test_an_answer_that_repeats_the_real_key_does_not_give_it_away() -> None:
    provider = Scripted(status=401, pieces=[orjson.dumps({"error": {"message": KEY}})])
    async with standing(provider) as place, place.post(CHAT, ASK) as reply:
        assert KEY not in await reply.text()


async def test_anthropics_own_door_gets_its_own_key_header() -> None:
    provider = Scripted(pieces=[orjson.dumps(MESSAGE)])
    version = {"anthropic-version": "2023-06-01"}
    async with (
        standing(provider, provider="anthropic") as place,
        place.post("/messages", {**ASK, "max_tokens": 5}, **version) as reply,
    ):
        assert reply.status == 200
    headers = provider.seen[0][1]
    assert headers["x-api-key"] == KEY
    assert headers["anthropic-version"] == "2023-06-01"
    assert "Authorization" not in headers


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "not JSON"),
        (b"[]", "must be a JSON object"),
        (b'{"model": "m"}', "'messages' must be a list"),
        (b'{"messages": [{"role": "user", "content": "a"}]}', "must provide a model"),
        (b'{"model": "m", "messages": [{"role": "pope", "content": "a"}]}', "needs a role"),
    ],
)
async def test_what_is_no_request_is_refused_in_words(body: bytes, said: str) -> None:
    provider = Scripted(pieces=[ANSWER])
    async with standing(provider) as place, place.raw(CHAT, body) as reply:
        assert reply.status == 400
        assert said in (await reply.json())["error"]["message"]
    assert provider.seen == []
    assert place.record.spent == Spend()


async def test_large_requests_pass() -> None:
    ask = {"model": "m", "messages": [{"role": "user", "content": "word " * 4_000_000}]}
    provider = Scripted(pieces=[ANSWER])
    async with (
        standing(provider) as place,
        place.raw(CHAT, BytesIO(orjson.dumps(ask))) as reply,
    ):
        assert reply.status == 200
    assert len(provider.seen[0][2]) > 20_000_000


async def test_silence_is_told_of() -> None:
    async with standing(Scripted(pieces=[ANSWER])) as place:
        with place.endpoint.lease(recording(), LeaseTerms(calls=1, expected=True)):
            pass
        assert "no call was seen from any attempt" in str(place.endpoint.complaint)


async def test_a_simulated_model_has_no_embeddings_and_says_so() -> None:
    async with (
        placed(sim()) as place,
        place.post("/embeddings", {"model": "rules", "input": "a"}) as reply,
    ):
        assert reply.status == 404
        assert "does not answer" in await reply.text()


async def test_five_hundred_streams_at_once() -> None:
    gate = asyncio.Event()
    provider = Scripted(pieces=CHUNKS, kind=EVENTS)
    provider.pause = lambda number: gate if number == 1 else None
    async with standing(provider, LeaseTerms(calls=500), recording(500)) as place:

        async def one() -> bytes:
            async with place.post(CHAT, STREAM) as reply:
                body: bytes = await reply.read()
                return body

        calls = [asyncio.ensure_future(one()) for _ in range(500)]
        await until(lambda: len(provider.seen) == 500, within_s=30)
        gate.set()
        assert set(await asyncio.gather(*calls)) == {b"".join(CHUNKS)}
        assert place.record.spent == Spend(calls=500, tokens=5_000)

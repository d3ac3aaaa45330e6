"""The packages that people use, unmodified, at the endpoint."""

from typing import Any

import anthropic
import openai
import orjson
import pytest

from tau.domain.spend import Spend
from tau.ports.endpoint import LeaseTerms
from unit.proxy.test_endpoint import ANSWER, ASK, sim
from unit.proxy.upstreams import Place, Scripted, placed, standing

USER: Any = [{"role": "user", "content": "What is 2+2?"}]


def openai_at(place: Place, **options: Any) -> openai.AsyncOpenAI:  # noqa: ANN401
    access = place.lease.access
    return openai.AsyncOpenAI(base_url=access.base_url, api_key=access.api_key, **options)


def anthropic_at(place: Place) -> anthropic.AsyncAnthropic:
    variables = place.lease.access.variables
    return anthropic.AsyncAnthropic(
        base_url=variables["ANTHROPIC_BASE_URL"], api_key=variables["ANTHROPIC_API_KEY"]
    )


async def test_openai_chat_and_responses_whole_and_streamed() -> None:
    async with placed(sim()) as place, openai_at(place) as client:
        whole = await client.chat.completions.create(model="rules", messages=USER)
        assert whole.choices[0].message.content
        stream = await client.chat.completions.create(
            model="rules", messages=USER, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
        assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        assert chunks[-1].usage is not None
        response = await client.responses.create(model="rules", input="What is 2+2?")
        assert response.output_text
        async with client.responses.stream(model="rules", input="What is 2+2?") as events:
            async for _ in events:
                pass
            assert (await events.get_final_response()).output_text
        assert [m.id async for m in client.models.list()] == ["rules"]
        assert place.record.spent.calls == 4
    assert len(place.record.close()) == 4


async def test_anthropic_messages_whole_and_streamed() -> None:
    async with placed(sim()) as place, anthropic_at(place) as client:
        whole: Any = await client.messages.create(model="rules", max_tokens=99, messages=USER)
        assert whole.content[0].text
        async with client.messages.stream(model="rules", max_tokens=99, messages=USER) as stream:
            assert "".join([piece async for piece in stream.text_stream])
            assert (await stream.get_final_message()).usage.output_tokens > 0
        assert place.record.spent.calls == 2


async def test_a_clients_own_retries_count() -> None:
    error = b'{"error": {"message": "busy", "type": "server_error"}}'
    provider = Scripted(status=503, pieces=[error], headers={"retry-after-ms": "1"})
    async with (
        standing(provider, LeaseTerms(calls=3)) as place,
        openai_at(place, max_retries=5) as client,
    ):
        with pytest.raises(openai.RateLimitError, match="model calls it reserved"):
            await client.chat.completions.create(model="m", messages=USER)
        assert place.record.spent == Spend(calls=3)
    assert len(provider.seen) == 3


async def test_a_refusal_is_each_packages_own_error() -> None:
    async with (
        placed(sim(), LeaseTerms(calls=0)) as place,
        openai_at(place) as one,
        anthropic_at(place) as other,
    ):
        with pytest.raises(openai.RateLimitError):
            await one.responses.create(model="rules", input="a")
        with pytest.raises(anthropic.RateLimitError):
            await other.messages.create(model="rules", max_tokens=9, messages=USER)
        with pytest.raises(openai.NotFoundError, match="ask for 'rules'"):
            await one.responses.create(model="gpt-4o", input="a")


async def test_tools_go_through() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    answer = orjson.loads(ANSWER)
    answer["choices"][0] = {"message": {"tool_calls": [call]}, "finish_reason": "tool_calls"}
    tools: Any = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    provider = Scripted(pieces=[orjson.dumps(answer)])
    async with standing(provider) as place, openai_at(place) as client:
        asked: Any = ASK["messages"]
        done = await client.chat.completions.create(model="m", messages=asked, tools=tools)
        made: Any = done.choices[0].message.tool_calls
        assert made[0].function.name == "f"
    assert orjson.loads(provider.seen[0][2])["tools"] == tools
    (span,) = place.record.close()
    assert "tool_call" in str(span.attributes["gen_ai.output.messages"])

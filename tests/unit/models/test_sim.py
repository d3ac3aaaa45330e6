"""The embedded model: settings, options in the name, limits, mishaps, usage."""

import asyncio
from collections.abc import Mapping

import pytest

from tau import plugins
from tau.domain.chat import Completion, Message, ModelRequest
from tau.domain.dataset import Split
from tau.domain.json import Json
from tau.errors import (
    InputError,
    ModelError,
    ModelTimeout,
    Overloaded,
    RateLimited,
    RequestRejected,
)
from tau.models.sim import SimulatedModel, SimulatorSettings, options
from tau.ports.model import ModelContext
from tau.sim.world import World

HOME = World(4)


def build(name: str = "rules", **settings: float) -> SimulatedModel:
    chosen = SimulatorSettings(**settings)  # type: ignore[arg-type]
    return SimulatedModel.build(chosen, ModelContext(provider="sim", name=name))


def request(
    text: str, prompt: str = "", *, params: Mapping[str, Json] | None = None
) -> ModelRequest:
    messages = [Message(role="system", content=prompt)] if prompt else []
    return ModelRequest(
        messages=[*messages, Message(role="user", content=text)], params=params or {}
    )


async def test_it_is_found_by_its_name() -> None:
    plugin = plugins.load(plugins.MODELS, "sim")
    model = plugin.build(plugin.Settings(), ModelContext(provider="sim", name="rules?seed=3"))

    assert (model.ref, model.provider) == ("sim/rules?seed=3", "sim")


async def test_sums_of_the_guide() -> None:
    model = build()
    said = [
        (await model.complete(request(text, "You are a concise assistant."))).text
        for text in ("What is 2 + 2?", "What is 3 + 3?")
    ]

    assert said == ["4", "6"]


async def test_usage_is_counted_and_free() -> None:
    completion = await build().complete(request("What is 2 + 2?", "Be brief."))

    assert completion.usage.input_tokens == 4 + 3 + 4 + 6
    assert completion.usage.output_tokens == 1
    assert completion.cost_nano_usd == 0
    assert (completion.finish_reason, completion.model) == ("stop", "rules")


def test_options_in_the_name_go_over_the_settings() -> None:
    settings = SimulatorSettings(seed=1, noise=0.5)

    assert options("rules", settings) == settings
    assert options("rules?seed=9&latency_ms=2.5", settings) == SimulatorSettings(
        seed=9, noise=0.5, latency_ms=2.5
    )


@pytest.mark.parametrize(
    ("name", "essence"),
    [
        ("chess", "no simulated world 'chess'"),
        ("", "no simulated world ''"),
        ("rules?sed=1", "no option 'sed'"),
        ("rules?seed=one", "'one' cannot be the seed"),
        ("rules?seed=-1", "seed .* is at least 0"),
        ("rules?error_rate=1.5", "error_rate .* is at most 1"),
        ("rules?noise=nan", "noise .* is at least 0"),
    ],
)
def test_names_that_stand_for_nothing_are_refused_before_the_start(name: str, essence: str) -> None:
    with pytest.raises(InputError, match=essence):
        SimulatedModel.check(SimulatorSettings(), ModelContext(provider="sim", name=name))


@pytest.mark.parametrize(
    ("params", "text", "reason"),
    [
        ({"max_tokens": 3}, "I am Tau", "length"),
        ({"max_completion_tokens": 2, "max_tokens": 9}, "I am", "length"),
        ({"stop": "Tau"}, "I am ", "stop"),
        ({"stop": ["simulated", "am"]}, "I ", "stop"),
        ({"max_tokens": 500}, None, "stop"),
    ],
)
async def test_limits_on_the_answer(params: dict[str, Json], text: str | None, reason: str) -> None:
    whole = (await build().complete(request("hello"))).text
    completion = await build().complete(request("hello", params=params))

    assert completion.text == (whole if text is None else text)
    assert completion.finish_reason == reason


async def test_a_request_that_cannot_be_answered_is_rejected() -> None:
    with pytest.raises(RequestRejected, match="at least one message"):
        await build().complete(ModelRequest(messages=[]))
    with pytest.raises(RequestRejected, match="one answer"):
        await build().complete(request("hello", params={"n": 2}))


async def outcomes(model: SimulatedModel, count: int, **params: Json) -> list[type]:
    async def outcome() -> type:
        try:
            return type(await model.complete(request("hello", params=params)))
        except ModelError as error:
            return type(error)

    return [await outcome() for _ in range(count)]


async def test_mishaps_come_as_often_as_asked_and_always_the_same() -> None:
    model = build(error_rate=0.3, rate_limit_rate=0.2)
    first = await outcomes(model, 400)

    assert 90 <= first.count(Overloaded) <= 150
    assert 30 <= first.count(RateLimited) <= 85
    assert first == await outcomes(build(error_rate=0.3, rate_limit_rate=0.2), 400)
    assert set(await outcomes(build(), 50)) == {Completion}


async def test_a_retry_of_a_seeded_request_may_be_spared() -> None:
    assert Completion in await outcomes(build(error_rate=0.7), 30, seed=5)


async def test_latency_and_the_time_limit_of_a_call() -> None:
    slow = ModelRequest(messages=[Message(role="user", content="2 + 2")], timeout_s=0.01)
    with pytest.raises(ModelTimeout):
        await build(latency_ms=60_000).complete(slow)

    loop = asyncio.get_running_loop()
    began = loop.time()
    await asyncio.gather(*(build(latency_ms=500).complete(request("2 + 2")) for _ in range(20)))
    assert 0.5 <= loop.time() - began < 9, "all at the same time"


async def test_hostile_texts_are_answered_soon() -> None:
    model = build()
    case = HOME.cases(Split.TEST, 1)[0]
    texts = [
        "", "\x00", "a\ud800b", "(" * 300_000, "prompt " * 100_000, "9" * 300_000, "```" * 50_000,
        "Write a new instruction. " + "not " * 100_000, "R4-000001 " * 50_000 + case.text,
        "Write a new prompt: " + " ".join(f"R4-{n:06d}" for n in range(30_000)) + " wrong",
        "[[ ## a ## ]]\n" * 30_000,
    ]  # fmt: skip
    async with asyncio.timeout(60):
        for text in texts:
            assert (await model.complete(request(text))).finish_reason == "stop"

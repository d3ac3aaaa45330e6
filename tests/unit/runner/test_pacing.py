"""The pace finds what a provider bears, keeps to it, and comes back."""

import asyncio
from dataclasses import dataclass

import pytest

from tau.errors import AttemptError, Overloaded, RateLimited, ServerFailed
from tau.runner.pacing import Pacing, PacingSettings
from unit.runner import virtual

LATENCY_S = 1.0


@dataclass
class Provider:
    """Serves `capacity` calls at once, each in a second, and refuses the others."""

    capacity: int
    retry_after_s: float | None = None
    in_flight: int = 0
    served: int = 0
    refused: int = 0

    async def call(self) -> None:
        if self.in_flight >= self.capacity:
            self.refused += 1
            await asyncio.sleep(0.05)
            raise RateLimited("too many", retry_after_s=self.retry_after_s)
        self.in_flight += 1
        try:
            await asyncio.sleep(LATENCY_S)
        finally:
            self.in_flight -= 1
        self.served += 1


async def keep_calling(pacing: Pacing, provider: Provider, until_s: float) -> None:
    loop = asyncio.get_running_loop()
    while loop.time() < until_s:
        try:
            async with pacing.slot("m"):
                await provider.call()
        except AttemptError:
            continue


async def load(
    provider: Provider, *, callers: int, seconds: float, settings: PacingSettings | None = None
) -> Pacing:
    pacing = Pacing(settings or PacingSettings(), ceiling=callers)
    await asyncio.gather(*(keep_calling(pacing, provider, seconds) for _ in range(callers)))
    return pacing


@pytest.mark.parametrize("capacity", [1, 3, 10, 40])
def test_throughput_stays_near_what_the_provider_bears(capacity: int) -> None:
    async def scenario() -> tuple[int, int]:
        provider = Provider(capacity)
        working = asyncio.ensure_future(load(provider, callers=64, seconds=400))
        await asyncio.sleep(100)  # the way down from 64 is over
        served, refused = provider.served, provider.refused
        await asyncio.sleep(200)
        served, refused = provider.served - served, provider.refused - refused
        await working
        return served, refused

    served, refused = virtual.run(scenario())

    assert served >= 0.8 * capacity * 200 / LATENCY_S
    assert refused <= 0.15 * served


def test_without_a_pace_most_calls_would_be_refused() -> None:
    provider = Provider(10)
    deaf = PacingSettings(decrease=1.0, hold_s=0.0)

    virtual.run(load(provider, callers=64, seconds=30, settings=deaf))

    assert provider.refused > 10 * provider.served, "the simulation shows no difference"


def test_an_unlimited_provider_is_never_slowed_down() -> None:
    provider = Provider(1_000)

    virtual.run(load(provider, callers=64, seconds=60))

    assert provider.served == 64 * 60


def test_it_comes_back_when_the_provider_does() -> None:
    async def scenario() -> tuple[int, int]:
        provider = Provider(2)
        pacing = Pacing(PacingSettings(), ceiling=32)
        callers = [keep_calling(pacing, provider, 400) for _ in range(32)]
        working = asyncio.gather(*callers)
        await asyncio.sleep(100)
        narrow = pacing.paces()["m"].limit
        provider.capacity = 1_000
        await asyncio.sleep(200)
        wide = pacing.paces()["m"].limit
        await working
        return narrow, wide

    narrow, wide = virtual.run(scenario())

    assert narrow <= 4
    assert wide == 32


def test_a_retry_after_is_kept_by_everyone_and_bounded() -> None:
    async def scenario() -> list[float]:
        loop = asyncio.get_running_loop()
        pacing = Pacing(PacingSettings(max_hold_s=30.0), ceiling=4)
        with pytest.raises(Overloaded):
            async with pacing.slot("m"):
                raise Overloaded("busy", retry_after_s=1e9)
        begun = []

        async def call() -> None:
            async with pacing.slot("m"):
                begun.append(loop.time())
                await asyncio.sleep(0.1)

        await asyncio.gather(*(call() for _ in range(6)))
        return begun

    begun = virtual.run(scenario())

    assert min(begun) == pytest.approx(30.0)
    assert len(begun) == 6


def test_models_are_paced_apart_and_other_errors_do_not_count() -> None:
    async def scenario() -> dict[str, int]:
        pacing = Pacing(PacingSettings(), ceiling=10)
        for model, error in (("a", RateLimited("x")), ("b", ServerFailed("x"))):
            with pytest.raises(type(error)):
                async with pacing.slot(model):
                    raise error
        return {model: pace.limit for model, pace in pacing.paces().items()}

    assert virtual.run(scenario()) == {"a": 7, "b": 10}


def test_calls_refused_together_count_as_one_refusal() -> None:
    async def scenario() -> int:
        pacing = Pacing(PacingSettings(), ceiling=10)

        async def call() -> None:
            async with pacing.slot("m"):
                await asyncio.sleep(0.1)
                raise RateLimited("all at once")

        await asyncio.gather(*(call() for _ in range(10)), return_exceptions=True)
        return pacing.paces()["m"].limit

    assert virtual.run(scenario()) == 7


def test_one_call_is_always_possible() -> None:
    async def scenario() -> int:
        pacing = Pacing(PacingSettings(hold_s=0.0), ceiling=10)
        for _ in range(100):
            with pytest.raises(RateLimited):
                async with pacing.slot("m"):
                    raise RateLimited("never")
        return pacing.paces()["m"].limit

    assert virtual.run(scenario()) == 1


def test_cancelled_waiters_give_their_place_away() -> None:
    async def scenario() -> tuple[int, int]:
        pacing = Pacing(PacingSettings(), ceiling=1)
        release = asyncio.Event()

        async def call() -> None:
            async with pacing.slot("m"):
                await release.wait()

        calls = [asyncio.ensure_future(call()) for _ in range(4)]
        await asyncio.sleep(0)
        calls[1].cancel()  # still waiting
        await asyncio.sleep(0)
        release.set()
        await asyncio.sleep(0)  # the next one has been let in but has not run yet
        calls[2].cancel()
        await asyncio.wait(calls)
        pace = pacing.paces()["m"]
        return pace.in_flight, pace.waiting

    assert virtual.run(scenario()) == (0, 0)

"""What a call has spent where its provider tells all, a part or nothing."""

import asyncio

import pytest

from tau.domain.chat import Completion, Message, ModelRequest
from tau.domain.spend import Bill, Spend, Usage
from tau.errors import (
    ConnectionFailed,
    ContentFiltered,
    MalformedResponse,
    ModelError,
    ModelTimeout,
    NotConnected,
    RateLimited,
    RequestRejected,
    ServerFailed,
)
from tau.ports.clock import SystemClock
from tau.runner.pacing import Pacing, PacingSettings
from tau.runner.recorder import SpanRecorder

RESERVED = Spend(rollouts=1, calls=2, tokens=200, cost_nano_usd=2000)
ASK = ModelRequest(messages=[Message(role="user", content="q")])


class Answers:
    ref, provider = "p/m", "p"

    def __init__(self, outcome: Completion | BaseException | None) -> None:
        self.outcome = outcome

    async def complete(self, request: ModelRequest) -> Completion:
        if self.outcome is None:
            await asyncio.Event().wait()
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        assert self.outcome is not None
        return self.outcome

    def price(self, usage: Usage) -> int | None:
        return 10 * usage.total_tokens

    async def aclose(self) -> None:
        pass


def recorder(reserved: Spend = RESERVED) -> SpanRecorder:
    pacing = Pacing(PacingSettings(), ceiling=4)
    return SpanRecorder(clock=SystemClock(), pacing=pacing, reserved=reserved)


def said(usage: Usage | None = None, *, text: str = "a", **more: object) -> Completion:
    return Completion(text=text, finish_reason="stop", model="m", usage=usage or Usage(), **more)  # type: ignore[arg-type]


def amounts(record: SpanRecorder) -> tuple[int, int, int, int, int]:
    spent = record.spent
    return (
        spent.calls, spent.tokens, spent.cost_nano_usd,
        spent.assumed_tokens, spent.assumed_cost_nano_usd,
    )  # fmt: skip


FULL = Usage(input_tokens=5, output_tokens=1)
PART = Usage(input_tokens=5)


@pytest.mark.parametrize(
    ("completion", "expected"),
    [
        (said(FULL, cost_nano_usd=60), (1, 6, 60, 0, 0)),
        (said(FULL), (1, 6, 0, 0, 0)),
        (said(), (1, 100, 1000, 100, 1000)),
        (said(cost_nano_usd=7), (1, 100, 7, 100, 0)),
        (said(PART, usage_whole=False), (1, 100, 1000, 95, 950)),
        (said(Usage(input_tokens=400), usage_whole=False), (1, 400, 4000, 0, 0)),
        (said(text="x" * 4000), (1, 1000, 10000, 1000, 10000)),
    ],
)
async def test_an_answer_spends_what_is_told_else_its_share(
    completion: Completion, expected: tuple[int, ...]
) -> None:
    record = recorder()
    await record.call(Answers(completion), ASK)
    assert amounts(record) == expected


@pytest.mark.parametrize(
    "error", [ServerFailed, ModelTimeout, ConnectionFailed, MalformedResponse, ContentFiltered]
)
async def test_a_call_that_failed_on_the_way_spends_its_share(error: type[ModelError]) -> None:
    record = recorder()
    with pytest.raises(error):
        await record.call(Answers(error("x")), ASK)
    assert amounts(record) == (1, 100, 1000, 100, 1000)


@pytest.mark.parametrize(
    ("error", "calls"), [(RateLimited, 1), (RequestRejected, 1), (NotConnected, 0)]
)
async def test_a_refused_call_spends_nothing(error: type[ModelError], calls: int) -> None:
    record = recorder()
    with pytest.raises(error):
        await record.call(Answers(error("x")), ASK)
    assert amounts(record) == (calls, 0, 0, 0, 0)


async def test_an_error_spends_what_it_says() -> None:
    record = recorder()
    error = MalformedResponse("x")
    error.bill = Bill(tokens=6, cost_nano_usd=60, tokens_whole=True, cost_whole=True)
    with pytest.raises(MalformedResponse):
        await record.call(Answers(error), ASK)
    assert amounts(record) == (1, 6, 60, 0, 0)


async def test_what_raises_no_error_of_ours_spends_its_share() -> None:
    record = recorder()
    with pytest.raises(ModelError):
        await record.call(Answers(KeyError("x")), ASK)
    assert amounts(record) == (1, 100, 1000, 100, 1000)


async def test_a_call_under_way_or_cancelled_spends_its_share() -> None:
    record = recorder()
    task = asyncio.ensure_future(record.call(Answers(None), ASK))
    await asyncio.sleep(0)
    assert amounts(record) == (1, 100, 1000, 100, 1000)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert amounts(record) == (1, 100, 1000, 100, 1000)


async def test_each_call_of_several_spends_its_own() -> None:
    record = recorder()
    await record.call(Answers(said(FULL, cost_nano_usd=60)), ASK)
    await record.call(Answers(said()), ASK)
    assert amounts(record) == (2, 106, 1060, 100, 1000)


async def test_without_a_limit_nothing_is_assumed() -> None:
    record = recorder(Spend(rollouts=1, calls=1))
    await record.call(Answers(said()), ASK)
    assert amounts(record) == (1, 0, 0, 0, 0)

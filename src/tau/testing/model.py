"""What every model must do. Subclass `ModelContract` (or `HttpModelContract`) in a test module.

::

    class TestMine(ModelContract):
        def build(self) -> Model:
            return Mine.build(Mine.Settings(), ModelContext(provider="mine", name="one"))
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable

import pytest

from tau.domain.chat import Completion, Message, ModelRequest
from tau.domain.spend import Usage
from tau.errors import ModelError, ModelTimeout, RateLimited
from tau.ports.model import Model
from tau.testing.faults import Fault, FaultKind
from tau.testing.provider import LoopbackProvider

CANARY = "sk-canary-0123456789abcdef-DO-NOT-SHOW"


class ModelContract(ABC):
    """Behaviour of `ports.model.Model`, whatever is behind it."""

    CONCURRENT = 100

    @abstractmethod
    def build(self) -> Model:
        """Make a model; called inside the event loop."""

    def request(self, n: int) -> ModelRequest:
        """A request the model answers; requests of different `n` may be the same."""
        return ModelRequest(messages=[Message(role="user", content=f"question {n}")])

    def refused(self) -> ModelRequest | None:
        """A request that fails, None where there is no such thing."""
        return None

    @pytest.fixture
    async def model(self) -> AsyncIterator[Model]:
        """A model that is closed afterwards."""
        model = self.build()
        yield model
        await model.aclose()

    async def test_names_itself_steadily(self, model: Model) -> None:
        """The reference is `provider/model`, the same for each object of the same settings."""
        other = self.build()
        provider, slash, name = model.ref.partition("/")

        assert provider
        assert slash
        assert name
        assert (other.ref, other.provider) == (model.ref, model.provider)
        assert model.provider == model.provider.strip().lower() != ""
        await other.aclose()

    async def test_answers(self, model: Model) -> None:
        """A completion with sane counts, and a cost unless it is unknown."""
        completion = await model.complete(self.request(0))

        check_completion(completion)

    async def test_prices_grow_with_tokens(self, model: Model) -> None:
        """None where unknown, always or never; else whole nano-dollars that never fall."""
        few, many = Usage(input_tokens=1000), Usage(input_tokens=1_000, output_tokens=1_000)
        low, high = model.price(few), model.price(many)

        assert (low is None) == (high is None)
        if low is not None and high is not None:
            assert 0 <= low <= high
        assert model.price(Usage()) in (0, None)

    async def test_serves_many_calls_at_once(self, model: Model) -> None:
        """One object is enough for all rollouts of a process."""
        calls = [model.complete(self.request(n)) for n in range(self.CONCURRENT)]
        completions = await asyncio.wait_for(asyncio.gather(*calls), 30)

        assert len(completions) == self.CONCURRENT
        for completion in completions:
            check_completion(completion)

    async def test_failures_are_typed(self, model: Model) -> None:
        """Whatever goes wrong is a ModelError, and the next call works."""
        request = self.refused()
        if request is None:
            pytest.skip("this model refuses nothing")
        with pytest.raises(ModelError) as caught:
            await model.complete(request)
        assert type(caught.value) is not ModelError
        check_completion(await model.complete(self.request(0)))

    async def test_cancellation_passes(self, model: Model) -> None:
        """A cancelled call ends as cancelled, and the model goes on working."""
        call = asyncio.ensure_future(model.complete(self.request(1)))
        await asyncio.sleep(0)
        call.cancel()
        ended = (await asyncio.gather(call, return_exceptions=True))[0]

        assert isinstance(ended, asyncio.CancelledError | Completion)
        check_completion(await model.complete(self.request(0)))

    async def test_closes_twice(self) -> None:
        """Before any call, after one, and again."""
        unused = self.build()
        await unused.aclose()
        await unused.aclose()

        used = self.build()
        await used.complete(self.request(0))
        await used.aclose()
        await used.aclose()


class HttpModelContract(ModelContract):
    """Behaviour of models that call a provider over the chat-completions protocol."""

    @pytest.fixture(autouse=True)
    async def provider(self) -> AsyncIterator[LoopbackProvider]:
        """The server that `build` must point the model at, with `CANARY` as its key."""
        async with LoopbackProvider(key=CANARY) as provider:
            self.server = provider
            yield provider

    server: LoopbackProvider

    @pytest.mark.parametrize(
        "fault",
        [
            *(
                Fault(kind="status", status=s)
                for s in (400, 401, 402, 403, 404, 408, 409, 413, 422)
            ),
            *(
                Fault(kind="status", status=s)
                for s in (418, 429, 500, 501, 502, 503, 504, 524, 529)
            ),
            *(Fault(kind=kind) for kind in ("reset", "close", "truncate", "cut", "garbage")),
            *(Fault(kind=kind) for kind in ("empty", "shape", "nochoices", "error200")),
            Fault(kind="redirect", headers={"Location": "http://127.0.0.2:1/v1"}),
        ],
        ids=lambda fault: f"{fault.kind}-{fault.status}",
    )
    async def test_every_fault_is_typed_and_never_retried(
        self, model: Model, provider: LoopbackProvider, fault: Fault
    ) -> None:
        """One call to the model is one call at the server; the next one works."""
        provider.fail({1: fault})
        with pytest.raises(ModelError) as caught:
            await model.complete(self.request(0))

        assert type(caught.value) is not ModelError
        assert provider.calls == 1
        check_completion(await model.complete(self.request(0)))
        assert provider.calls == 2

    @pytest.mark.parametrize("kind", ["hang", "drip"])
    async def test_time_limit_covers_the_whole_call(
        self, model: Model, provider: LoopbackProvider, kind: FaultKind
    ) -> None:
        """Silence and single bytes end at the limit, and the connection is given up."""
        provider.fail({1: Fault(kind=kind, seconds=0.05 if kind == "drip" else 30)})
        request = ModelRequest(messages=self.request(0).messages, timeout_s=1.0)
        with pytest.raises(ModelTimeout):
            await asyncio.wait_for(model.complete(request), 30)

        assert provider.calls == 1
        await until(lambda: provider.in_flight == 0)
        assert provider.broken == 1

    async def test_retry_advice_is_passed_on(
        self, model: Model, provider: LoopbackProvider
    ) -> None:
        """In seconds from now."""
        provider.fail({1: Fault(kind="status", status=429, headers={"Retry-After": "7"})})
        with pytest.raises(RateLimited) as caught:
            await model.complete(self.request(0))

        assert caught.value.retry_after_s == 7

    async def test_cancellation_releases_the_connection(
        self, model: Model, provider: LoopbackProvider
    ) -> None:
        """The server sees its client go at once, and nothing is called again."""
        provider.fail({1: Fault(kind="hang", seconds=30)})
        call = asyncio.ensure_future(model.complete(self.request(0)))
        await until(lambda: provider.in_flight == 1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await until(lambda: provider.in_flight == 0)

        assert (provider.calls, provider.broken) == (1, 1)

    async def test_calls_are_counted_one_for_one(
        self, model: Model, provider: LoopbackProvider
    ) -> None:
        """Also with many at once, all of them in flight together."""
        provider.latency_s = 0.2
        await asyncio.gather(*(model.complete(self.request(n)) for n in range(50)))

        assert provider.calls == 50
        assert provider.peak == 50


def check_completion(completion: Completion) -> None:
    """What holds for every completion."""
    usage = completion.usage
    assert isinstance(completion.text, str)
    assert completion.finish_reason
    assert completion.model
    assert 0 <= usage.cached_tokens <= usage.input_tokens
    assert 0 <= usage.reasoning_tokens <= usage.output_tokens
    assert completion.cost_nano_usd is None or completion.cost_nano_usd >= 0


async def until(true: Callable[[], bool], *, within_s: float = 30.0) -> None:
    """Wait for what another task or the other end of a connection is about to do."""
    async with asyncio.timeout(within_s):
        while not true():  # noqa: ASYNC110  (the other end of a connection sets no event)
            await asyncio.sleep(0.005)

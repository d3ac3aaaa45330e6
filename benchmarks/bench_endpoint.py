"""What the endpoint for agents adds to calling the model directly.

    .venv/bin/python benchmarks/bench_endpoint.py [calls] [latency in ms]

The provider is a process of its own. Client and endpoint share this process, so that its processor
time without and with the endpoint tells what the endpoint takes: the HTTP server, the request's
reading, budget, pacing, the call to the provider, metering and the span.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
from yarl import URL

from tau.config.environment import overridden
from tau.domain.spend import Spend
from tau.models.endpoint import Settings
from tau.models.openai import OpenAICompatible
from tau.models.posting import HttpPoster
from tau.ports.clock import SystemClock
from tau.ports.endpoint import LeaseTerms
from tau.ports.model import ModelContext
from tau.proxy.endpoint import LoopbackEndpoint
from tau.runner.pacing import Pacing, PacingSettings
from tau.runner.recorder import SpanRecorder
from tau.testing.provider import ProviderProcess

AT_ONCE = 16
PROMPT = "You answer questions about orders. " * 20
BODY = orjson.dumps(
    {
        "model": "echo",
        "messages": [
            {"role": "system", "content": PROMPT},
            {"role": "user", "content": "Where is order 17?"},
        ],
    }
)


def poster(base_url: str, key: str) -> HttpPoster:
    """A client that costs little itself."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    url = URL(f"{base_url}/chat/completions")
    return HttpPoster(url, headers, proxy=None, connections=AT_ONCE, largest_body=1 << 24)


async def many(client: HttpPoster, calls: int, at_once: int) -> tuple[float, float, list[float]]:
    """Processor seconds and seconds a call, and how long each took."""
    left, took = iter(range(calls)), list[float]()

    async def some() -> None:
        for _ in left:
            begun = time.perf_counter()
            reply = await client.post(BODY, timeout_s=60)
            assert reply.status == 200, reply.body
            took.append(time.perf_counter() - begun)

    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(some() for _ in range(at_once)))
    return (time.process_time() - cpu) / calls, (time.perf_counter() - wall) / calls, took


@asynccontextmanager
async def clients(base_url: str, calls: int) -> AsyncIterator[tuple[HttpPoster, HttpPoster]]:
    """Straight to the provider, and through an endpoint."""
    environ = {"OPENAI_COMPATIBLE_API_KEY": "sk-benchmark-0123456789"}
    context = ModelContext(
        provider="openai-compatible", name="echo", environ=environ, base_url=base_url
    )
    model = OpenAICompatible.build(Settings(), context)
    record = SpanRecorder(
        clock=SystemClock(),
        pacing=Pacing(PacingSettings(), ceiling=AT_ONCE),
        reserved=Spend(calls=calls),
    )
    endpoint = LoopbackEndpoint(model, clock=SystemClock(), override=overridden)
    with endpoint.lease(record, LeaseTerms(calls=calls)) as lease:
        direct = poster(base_url, "sk-benchmark-0123456789")
        through = poster(lease.access.base_url, lease.access.api_key)
        yield direct, through
        await direct.aclose()
        await through.aclose()
    await endpoint.aclose()
    await model.aclose()


async def measured(calls: int, latency_ms: float) -> None:
    """Print the figures, the better of three rounds each."""
    with ProviderProcess("--port", "0", "--latency-ms", "0") as fast:
        async with clients(fast.base_url, 10 * calls) as pair:
            rounds = [[await many(client, calls, 1) for client in pair] for _ in range(3)]
            cpu = [min(one[side][0] for one in rounds) for side in (0, 1)]
            first = [min(statistics.median(one[side][2]) for one in rounds) for side in (0, 1)]
    with ProviderProcess("--port", "0", "--latency-ms", f"{latency_ms:g}") as slow:
        async with clients(slow.base_url, 10 * calls) as pair:
            rounds = [[await many(client, calls, AT_ONCE) for client in pair] for _ in range(3)]
            wall = [min(one[side][1] for one in rounds) for side in (0, 1)]
    print(f"processor time a call: {cpu[0] * 1e3:.3f} ms directly, {cpu[1] * 1e3:.3f} ms through")
    print(f"added: {(cpu[1] - cpu[0]) * 1e3:.3f} ms")
    print(f"answer at the client (median): {(first[1] - first[0]) * 1e3:.2f} ms later")
    print(
        f"share of throughput, {AT_ONCE} at once, provider of {latency_ms:g} ms: "
        f"{wall[0] / wall[1]:.3f}"
    )


if __name__ == "__main__":
    given = [float(one) for one in sys.argv[1:]]
    asyncio.run(measured(int(given[0]) if given else 1_000, given[1] if given[1:] else 50.0))

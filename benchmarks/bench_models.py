"""The model client over loopback HTTP, against a bare aiohttp loop on the same server.

    python benchmarks/bench_models.py [--calls 20000] [--in-flight 256] [--latency-ms 0]

The server runs in a process of its own. Each variant runs in a fresh process, in turns, so that
neither profits from what the other has warmed; the best of the rounds counts. CPU is that of the
client's process alone.
"""

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import time

import aiohttp
import orjson

from tau.domain.chat import Message, ModelRequest
from tau.models.openai import OpenAICompatible
from tau.ports.model import ModelContext
from tau.testing.provider import ProviderProcess

PROMPT = "What is 17 times 23? Think step by step, then give the number. " * 8


async def ours(base_url: str, calls: int, in_flight: int) -> None:
    """Calls through the client, prices included."""
    context = ModelContext(
        provider="openai",
        name="gpt-4o-mini",
        environ={"OPENAI_API_KEY": "sk-none"},
        base_url=base_url,
        max_connections=in_flight,
    )
    model = OpenAICompatible.build(OpenAICompatible.Settings(), context)
    request = ModelRequest(
        messages=[Message(role="user", content=PROMPT)], params={"temperature": 0}
    )
    left = iter(range(calls))

    async def loop() -> None:
        for _ in left:
            completion = await model.complete(request)
            assert completion.text == PROMPT

    await asyncio.gather(*(loop() for _ in range(in_flight)))
    await model.aclose()


async def bare(base_url: str, calls: int, in_flight: int) -> None:
    """The least that can be done with aiohttp: post, read, take the text out."""
    body = orjson.dumps(
        {
            "model": "gpt-4o-mini",
            "messages": [{"role": "user", "content": PROMPT}],
            "temperature": 0,
        }
    )
    headers = {"Content-Type": "application/json", "Authorization": "Bearer sk-none"}
    left = iter(range(calls))
    connector = aiohttp.TCPConnector(limit=in_flight)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def loop() -> None:
            for _ in left:
                async with session.post(f"{base_url}/chat/completions", data=body) as response:
                    value = orjson.loads(await response.read())
                    assert value["choices"][0]["message"]["content"] == PROMPT

        await asyncio.gather(*(loop() for _ in range(in_flight)))


VARIANTS = {"ours": ours, "bare": bare}


def measure(name: str, base_url: str, calls: int, in_flight: int) -> None:
    """Run one variant here and print what it took as JSON."""

    async def run() -> None:
        await VARIANTS[name](base_url, in_flight, in_flight)  # connections, imports, prices
        memory = resident_mb()
        started, cpu = time.perf_counter(), time.process_time()
        await VARIANTS[name](base_url, calls, in_flight)
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        told = {
            "calls_per_s": calls / seconds,
            "cpu_ms_per_call": cpu / calls * 1000,
            "resident_mb": memory,
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
        print(json.dumps(told))

    asyncio.run(run())


def resident_mb() -> float:
    """Memory of this process now."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


def child(name: str, base_url: str, calls: int, in_flight: int) -> dict[str, float]:
    """One variant in a fresh process."""
    command = [sys.executable, __file__, "--variant", name, "--base-url", base_url,
               "--calls", str(calls), "--in-flight", str(in_flight)]  # fmt: skip
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
    told: dict[str, float] = json.loads(done.stdout)
    return told


def compare(calls: int, in_flight: int, rounds: int, latency_ms: float) -> None:
    """Both variants in turns against one server, the best round of each."""
    with ProviderProcess("--latency-ms", str(latency_ms)) as server:
        best: dict[str, dict[str, float]] = {}
        for _ in range(rounds):
            for name in VARIANTS:
                told = child(name, server.base_url, calls, in_flight)
                if name not in best or told["calls_per_s"] > best[name]["calls_per_s"]:
                    best[name] = told
    print(f"{calls} calls, {in_flight} in flight, answers after {latency_ms:g} ms")
    for name, told in best.items():
        figures = "  ".join(f"{what} {value:,.2f}" for what, value in told.items())
        print(f"  {name:5} {figures}")
    ratio = best["ours"]["calls_per_s"] / best["bare"]["calls_per_s"]
    cpu = best["ours"]["cpu_ms_per_call"] - best["bare"]["cpu_ms_per_call"]
    print(f"  throughput {ratio:.2f} of bare; {cpu:+.3f} ms CPU a call")


def main() -> None:
    """Run the comparison and the memory test."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--in-flight", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--variant", choices=sorted(VARIANTS), help=argparse.SUPPRESS)
    parser.add_argument("--base-url", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.variant:
        measure(given.variant, given.base_url, given.calls, given.in_flight)
        return
    compare(given.calls, given.in_flight, given.rounds, 0.0)
    compare(6_000, 2_000, 1, 1_000.0)


if __name__ == "__main__":
    main()

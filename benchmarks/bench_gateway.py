"""How long pages and endpoints take at the server on a big store, and what they weigh.

Usage: bench_gateway.py [STORE]; without one, 100,000 rollouts of 500 candidates are made first.
On a machine with other work the processor's time says more than the clock's.
"""

import asyncio
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

from tau.gateway.server import serving
from tau.gateway.server_settings import GatewaySettings
from tau.gateway.static_files import static_files
from tau.lifecycle.paths import StateDir

sys.path.insert(0, str(Path(__file__).parent))
from large_store import RUN, make

TOKEN = "a-token-for-the-benchmark"
ROUNDS = 5


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(folder) / "store.sqlite"
        if not store.exists():
            await make(store)
        settings = GatewaySettings(
            store=str(store), state_dir=StateDir(Path(folder)), policy=Path(folder, "rbac.json"),
            principal="local:bench", token=TOKEN, port=0, requests_per_minute=100_000,
        )  # fmt: skip
        async with serving(settings) as server:
            headers = {"Authorization": f"Bearer {TOKEN}"}
            async with aiohttp.ClientSession(server.url, headers=headers) as session:
                await measure(session)


async def measure(session: aiohttp.ClientSession) -> None:
    assets = sum(len(one.content) for one in static_files().values())
    print(f"assets, once: {assets / 1000:.0f} KB")
    slowest = await once(session, "/dashboard/health")
    print(f"{'first request ever':34} {slowest[0] * 1000:7.1f} ms")
    while "still being read" in (await text(session, f"/runs/{RUN}")):  # noqa: ASYNC110
        await asyncio.sleep(0.1)
    candidate = re.search(r"\?c=(\w+)", await text(session, f"/runs/{RUN}/candidates"))
    assert candidate is not None
    run = f"/runs/{RUN}"
    for path in (
        "/", run, f"{run}/candidates", f"{run}/candidates?c={candidate[1]}", f"{run}/matrix",
        f"{run}/matrix?filter=different&page=2", f"{run}/rollouts", f"{run}/rollouts?page=1900",
        f"{run}/rollouts?status=failed", f"{run}/queue", f"{run}/cost", f"/rollouts/{RUN}-r50000",
        "/alerts", "/audit", "/prompts", "/dashboard/health", "/dashboard/queue-timeline",
        "/gateway/training/rollouts?page=400&per_page=200", f"/api/v1{run}", f"/api/v1{run}/curve",
        f"/api/v1{run}/candidates?limit=500", "/metrics",
    ):  # fmt: skip
        found = []
        for _ in range(ROUNDS):
            await asyncio.sleep(0.26)  # so that every round reads anew
            found.append(await once(session, path))
        times, work = ([one[n] * 1000 for one in found] for n in (0, 1))
        over = " OVER" if max(work) > 200 or found[0][2] + assets > 300_000 else ""
        print(f"{path[:60]:60} {statistics.median(times):7.1f} ms, processor "
              f"{statistics.median(work):6.1f} ms, at most {max(work):6.1f} ms, "
              f"{found[0][2] / 1000:6.1f} KB{over}")  # fmt: skip


async def once(session: aiohttp.ClientSession, path: str) -> tuple[float, float, int]:
    """Seconds until the whole answer, seconds of processor (the client's too), bytes."""
    began, worked = time.perf_counter(), time.process_time()
    async with session.get(path) as answer:
        body = await answer.read()
        assert answer.status == 200, (path, answer.status, body[:200])
    return time.perf_counter() - began, time.process_time() - worked, len(body)


async def text(session: aiohttp.ClientSession, path: str) -> str:
    async with session.get(path) as answer:
        return await answer.text()


if __name__ == "__main__":
    asyncio.run(main())

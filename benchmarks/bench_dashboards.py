"""What 20 open dashboards cost a run: rollouts per second with and without them, turn by turn."""

import asyncio
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

PROGRAM = ("-c", "from tau.cli.main import tau; tau()")
TOKEN = "a-token-for-the-benchmark"
DASHBOARDS = 20
TURN_S = 2.5
TURNS = 6


async def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [{"prompt": f"{n} {'x' * 200}", "expected": "y"} for n in range(40_000)]
        config = {
            "model": "sim/rules",
            "optimize": rows,
            "resources": {"system_prompt": "Answer."},
            "worker_count": 2,
            "worker_concurrency": 16,
            "heartbeat_interval_ms": 10_000,
        }
        (folder / "config.json").write_text(json.dumps(config))
        env = {**os.environ, "TAU_GATEWAY_TOKEN": TOKEN}
        words = ("--store", "store.sqlite")
        run = await asyncio.create_subprocess_exec(
            sys.executable, *PROGRAM, "run", "config.json", *words, cwd=folder, env=env,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        gateway = await asyncio.create_subprocess_exec(
            sys.executable, *PROGRAM, "serve", "--bind", "127.0.0.1:0", *words, cwd=folder,
            env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        assert gateway.stdout is not None
        base = (await gateway.stdout.readline()).decode().partition("/login")[0]
        try:
            await measure(base, gateway.pid)
        finally:
            for process in (run, gateway):
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
                await process.wait()


async def measure(base: str, pid: int) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(base, headers=headers, connector=connector) as session:
        while await settled(session) < 500:  # noqa: ASYNC110
            await asyncio.sleep(0.5)
        async with session.get("/api/v1/runs") as answer:
            run = (await answer.json())["runs"][0]["id"]
        rates: dict[bool, list[float]] = {True: [], False: []}
        for turn in range(TURNS):
            watched = turn % 2 == 1
            watchers = [
                asyncio.create_task(watch(session, run, n)) for n in range(DASHBOARDS * watched)
            ]
            await asyncio.sleep(0.5)
            before, began, used = await settled(session), time.perf_counter(), cpu_s(pid)
            await asyncio.sleep(TURN_S)
            rate = (await settled(session) - before) / (time.perf_counter() - began)
            rates[watched].append(rate)
            share = (cpu_s(pid) - used) / (time.perf_counter() - began)
            print(
                f"{DASHBOARDS * watched:3} dashboards: {rate:6.0f}/s, gateway {share:.0%} of a core"
            )
            for watcher in watchers:
                watcher.cancel()
            await asyncio.gather(*watchers, return_exceptions=True)
        alone, together = (statistics.median(rates[key]) for key in (False, True))
        print(f"alone {alone:.0f}/s, with {DASHBOARDS} dashboards {together:.0f}/s: "
              f"{together / alone:.2f}")  # fmt: skip


def cpu_s(pid: int) -> float:
    fields = Path("/proc", str(pid), "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def settled(session: aiohttp.ClientSession) -> int:
    async with session.get("/dashboard/health") as answer:
        found = await answer.json()
        return int(found["health"]["processed_case_count"])


async def watch(session: aiohttp.ClientSession, run: str, n: int) -> None:
    pages = ("/live/", f"/live/runs/{run}", f"/live/runs/{run}/queue", "/dashboard/stream")
    async with session.get(pages[n % len(pages)], timeout=aiohttp.ClientTimeout()) as stream:
        async for _ in stream.content.iter_any():
            pass


if __name__ == "__main__":
    asyncio.run(main())

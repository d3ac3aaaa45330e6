"""What 20 open dashboards cost a run: with and without them, turn by turn, in one run.

Rollouts per second are compared between neighbouring turns. On a machine with other work they say
little: then the run's own processor time for each rollout says more. Each program has a session of
its own, as when they are started from two terminals: Linux shares a busy machine by session.
"""

import asyncio
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import aiohttp

PROGRAM = ("-c", "from tau.cli.main import tau; tau()")
TOKEN = "a-token-for-the-benchmark"
DASHBOARDS = 20
TURN_S = 2.5
TURNS = 6  # so that the minute's requests of one principal are enough


async def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [{"prompt": f"{n} {'x' * 200}", "expected": "y"} for n in range(60_000)]
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
            start_new_session=True,
        )  # fmt: skip
        gateway = await asyncio.create_subprocess_exec(
            sys.executable, *PROGRAM, "serve", "--bind", "127.0.0.1:0", *words, cwd=folder,
            env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        assert gateway.stdout is not None
        base = (await gateway.stdout.readline()).decode().partition("/login")[0]
        try:
            await measure(base, gateway.pid, run.pid)
        finally:
            for process in (run, gateway):
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
                await process.wait()


async def measure(base: str, gateway: int, driver: int) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(base, headers=headers, connector=connector) as session:
        while await settled(session) < 500:  # noqa: ASYNC110
            await asyncio.sleep(2)
        async with session.get("/api/v1/runs") as answer:
            run = (await answer.json())["runs"][0]["id"]
        turns: list[Turn] = []
        for number in range(TURNS):
            watched = number % 2 == 1
            watchers = [
                asyncio.create_task(watch(session, run, n)) for n in range(DASHBOARDS * watched)
            ]
            await asyncio.sleep(0.5)
            before, began = await settled(session), time.perf_counter()
            own, others = cpu_s(driver), cpu_s(gateway)
            await asyncio.sleep(TURN_S)
            took, done = time.perf_counter() - began, await settled(session) - before
            turns.append(Turn(done / took, 1000 * (cpu_s(driver) - own) / max(1, done)))
            share = (cpu_s(gateway) - others) / took
            print(
                f"{DASHBOARDS * watched:3} dashboards: {turns[-1].rate:6.0f}/s, each "
                f"{turns[-1].work_ms:.3f} ms of processor, gateway {share:.0%} of a core"
            )
            for watcher in watchers:
                watcher.cancel()
            await asyncio.gather(*watchers, return_exceptions=True)
        alone, together = turns[::2], turns[1::2]
        pairs = list(zip(alone, together, strict=True))
        rate = statistics.median(b.rate / a.rate for a, b in pairs)
        work = statistics.median(b.work_ms / a.work_ms for a, b in pairs)
        print(f"alone {statistics.median(one.rate for one in alone):.0f}/s, with {DASHBOARDS} "
              f"dashboards {statistics.median(one.rate for one in together):.0f}/s")  # fmt: skip
        print(
            f"throughput with them: {rate:.2f} of that without; processor time for each: {work:.2f}"
        )


class Turn(NamedTuple):
    """One measurement: rollouts per second, and the run's processor time for each, in ms."""

    rate: float
    work_ms: float


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

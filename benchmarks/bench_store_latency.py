"""How soon work is claimed: on an idle store, and after kill -9.

    python benchmarks/bench_store_latency.py [--rounds 30] [--folder .] [--json]

*wake-up*: from submitting on an idle store until a waiting worker holds the rollout, in one process
and from another. *after kill -9*: a process that drove a run and held its rollouts, with an hour's
lease, is killed; from starting its successor's interpreter to its first claim, and the part of it
from opening the store.
"""

import argparse
import asyncio
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import apsw

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from machinery.workload import RUN, Workload
from tau.domain.spend import Budget
from tau.domain.worker import WorkerRole
from tau.ports.processes import SystemProcesses
from tau.stores.sqlite import SqliteStore

LEASE_MS = 3_600_000
IDLE_S = 0.15


async def wake_ups(path: Path, rounds: int, *, other_engine: bool) -> list[float]:
    """Milliseconds from submit to claim, with the worker waiting for some while before."""
    async with await SqliteStore.open(path) as store:
        submitting = await SqliteStore.open(path) if other_engine else store
        await store.runs.create(Workload().run())
        worker = await store.work.register(
            name="w", role=WorkerRole.WORKER, process=SystemProcesses().this(), lease_ms=LEASE_MS
        )

        async def claimed() -> float:
            while not await store.work.claim(worker.id, limit=1):
                await store.work.wait_ready(timeout_s=5)
            return time.perf_counter()

        times = []
        rollouts = [one for wave in range(rounds) for one in Workload(width=2).submissions(wave)]
        for submission in rollouts[:rounds]:
            waiting = asyncio.create_task(claimed())
            await asyncio.sleep(IDLE_S)
            begun = time.perf_counter()
            await submitting.queue.submit(RUN, [submission])
            times.append((await waiting - begun) * 1000)
        if other_engine:
            await submitting.aclose()
    return times


async def hold(path: Path) -> None:
    """What the child does: take the run over, claim, say so, and hold until killed."""
    begun = time.perf_counter()
    process = SystemProcesses().this()
    store = await SqliteStore.open(path)
    trainer, worker = [
        await store.work.register(name=role, role=role, process=process, lease_ms=LEASE_MS)
        for role in (WorkerRole.TRAINER, WorkerRole.WORKER)
    ]
    await store.runs.adopt(RUN, trainer.id, budget=Budget(), max_attempts=3)
    while not await store.work.claim(worker.id, limit=64):
        await store.work.wait_ready(timeout_s=5)
    sys.stdout.write(f"{(time.perf_counter() - begun) * 1000}\n")
    sys.stdout.flush()
    await asyncio.sleep(3600)


async def prepare(path: Path) -> None:
    """A run with a few hundred rollouts."""
    async with await SqliteStore.open(path) as store:
        await store.runs.create(Workload().run())
        await store.queue.submit(RUN, Workload(width=300).submissions(0))


def takeovers(path: Path, rounds: int) -> tuple[list[float], list[float]]:
    """Milliseconds to the first claim after each kill: with the interpreter, and without."""
    asyncio.run(prepare(path))
    whole, opening = [], []
    for _ in range(rounds):
        begun = time.perf_counter()
        child = subprocess.Popen(
            [sys.executable, __file__, "--hold", str(path)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        opening.append(float(child.stdout.readline()))
        whole.append((time.perf_counter() - begun) * 1000)
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
    return whole[1:], opening[1:]  # the first had nobody to take over from


def measure(folder: Path, rounds: int) -> dict[str, float]:
    """Medians and worst cases in milliseconds."""
    here = asyncio.run(wake_ups(folder / "here.sqlite", rounds, other_engine=False))
    there = asyncio.run(wake_ups(folder / "there.sqlite", rounds, other_engine=True))
    whole, opening = takeovers(folder / "kill.sqlite", max(4, rounds // 3))
    found = {}
    for name, times in (
        ("wake-up, same process", here),
        ("wake-up, other engine", there),
        ("first claim after kill -9", whole),
        ("of it from opening the store", opening),
    ):
        found[name] = statistics.median(times)
        found[f"{name}, worst"] = max(times)
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--folder", type=Path, default=Path(), help="on the disk to measure")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--hold", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.hold is not None:
        asyncio.run(hold(options.hold))
        return
    with tempfile.TemporaryDirectory(dir=options.folder, prefix=".bench-") as folder:
        found = measure(Path(folder), options.rounds)
    if options.json:
        print(json.dumps(found))
        return
    print(f"{platform.machine()}, {os.cpu_count()} processors, Python {sys.version.split()[0]}, "
          f"SQLite {apsw.sqlite_lib_version()}; ms")  # fmt: skip
    for name in [name for name in found if not name.endswith("worst")]:
        print(f"{name:32}{found[name]:8.1f}   worst {found[name + ', worst']:8.1f}")
    print("targets: wake-up 50, first claim after kill -9 about 1000")


if __name__ == "__main__":
    main()

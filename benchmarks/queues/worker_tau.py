"""Tau's part: a run of rollouts whose workers do nothing, worked off by one process.

worker_tau.py URL ROLLOUTS WORKERS BATCH; prints seconds, its own
processor time and finished rollouts.
"""

import asyncio
import secrets
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench_postgres import fill, work

from tau.domain.ids import RunId
from tau.domain.rollout import RolloutStatus
from tau.stores.postgres import PostgresStore


async def main(url: str, rollouts: int, workers: int, batch: int) -> None:
    async with await PostgresStore.open(url) as store:
        run = RunId(f"queues-{secrets.token_hex(4)}")
        await fill(store, run, rollouts)
        print("ready", flush=True)
        sys.stdin.readline()
        began, cpu = time.perf_counter(), time.process_time()
        await work(store, run, workers, batch)
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        print(seconds, cpu, (await store.queue.counts(run))[RolloutStatus.SUCCEEDED])


with asyncio.Runner() as runner:
    runner.run(main(sys.argv[1], *map(int, sys.argv[2:5])))

"""pgqueuer's part: put jobs that do nothing into its queue, and let it work them off.

Run in its own environment: worker_pgqueuer.py DSN JOBS BATCH; prints seconds, its own
processor time and finished jobs.
"""

import asyncio
import sys
import time
from datetime import timedelta

import asyncpg
from pgqueuer.db import AsyncpgPoolDriver
from pgqueuer.models import Job
from pgqueuer.qm import QueueManager
from pgqueuer.queries import Queries
from pgqueuer.types import QueueExecutionMode

CONNECTIONS = 4
AT_ONCE = 1000


async def main(dsn: str, jobs: int, batch: int) -> None:
    async with asyncpg.create_pool(dsn, min_size=CONNECTIONS, max_size=CONNECTIONS) as pool:
        driver = AsyncpgPoolDriver(pool)
        queries = Queries(driver)
        if not await queries.schema_is_installed():
            await queries.install()
        await queries.clear_queue()
        await queries.clear_queue_log()
        manager = QueueManager(queries)

        @manager.entrypoint("nothing")
        async def nothing(job: Job) -> None:
            return

        for start in range(0, jobs, AT_ONCE):
            some = range(start, min(jobs, start + AT_ONCE))
            payloads = [f'{{"prompt": "{n} and some words more"}}'.encode() for n in some]
            await queries.enqueue(["nothing"] * len(some), payloads, [0] * len(some))
        print("ready", flush=True)
        sys.stdin.readline()
        began, cpu = time.perf_counter(), time.process_time()
        await manager.run(
            dequeue_timeout=timedelta(seconds=1), batch_size=batch, mode=QueueExecutionMode.drain
        )
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        done = await pool.fetchval("SELECT count(*) FROM pgqueuer_log WHERE status = 'successful'")
        print(seconds, cpu, done)


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))

"""Procrastinate's part: put jobs that do nothing into its queue, and let it work them off.

Run in its own environment: worker_procrastinate.py DSN JOBS CONCURRENCY; prints seconds, its
own processor time and finished jobs. It has no batches: a job is fetched and finished by a
statement of its own.
"""

import asyncio
import sys
import time

import psycopg
from procrastinate import App, PsycopgConnector

CONNECTIONS = 4
AT_ONCE = 1000


async def main(dsn: str, jobs: int, concurrency: int) -> None:
    connector = PsycopgConnector(conninfo=dsn, min_size=CONNECTIONS, max_size=CONNECTIONS)
    app = App(connector=connector)

    @app.task(name="nothing")
    async def nothing(prompt: str) -> None:
        return

    async with (
        app.open_async(),
        await psycopg.AsyncConnection.connect(dsn, autocommit=True) as direct,
    ):
        found = await direct.execute("SELECT to_regclass('procrastinate_jobs')")
        if (await found.fetchone())[0] is None:
            await app.schema_manager.apply_schema_async()
        await direct.execute("TRUNCATE procrastinate_jobs CASCADE")
        for start in range(0, jobs, AT_ONCE):
            some = range(start, min(jobs, start + AT_ONCE))
            await nothing.batch_defer_async(*({"prompt": f"{n} and some words more"} for n in some))
        print("ready", flush=True)
        sys.stdin.readline()
        began, cpu = time.perf_counter(), time.process_time()
        await app.run_worker_async(
            concurrency=concurrency, wait=False, install_signal_handlers=False
        )
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        found = await direct.execute(
            "SELECT count(*) FROM procrastinate_jobs WHERE status = 'succeeded'"
        )
        print(seconds, cpu, (await found.fetchone())[0])


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))

"""How claims, completions and status queries of the PostgreSQL store grow with its size.

    python benchmarks/bench_postgres_growth.py [--sizes 1000 1000000] [--rounds 60] [--folder .]

One server of its own with fsync on, a schema for each size with one run: every rollout was queued,
nine of ten have succeeded since, with the dead rows and index entries that this leaves; nothing is
vacuumed by hand. Operations are timed in turns, so that noise meets all sizes; medians count.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from machinery.workload import Workload
from pg_cluster import Cluster
from tau.domain.ids import RunId, WorkerId
from tau.domain.rollout import ClaimedRollout, RolloutStatus
from tau.domain.run import Run
from tau.domain.worker import WorkerRole
from tau.ports.insights import RolloutFilter
from tau.ports.processes import SystemProcesses
from tau.stores.postgres import PostgresStore
from tau.testing.store_bench import success

RUN = RunId("bench")
FILLING = (
    """INSERT INTO request (run, kind, resources, example, ordinal, reserve_rollouts, reserve_calls,
        reserve_tokens, reserve_cost, created_unix_ms)
    SELECT 1, 'evaluate', 1, 1 + i % 20, 10 + i, 1, 1, 100, 0, i
    FROM generate_series(1, {size} - 21) AS i""",
    """INSERT INTO waiting (run, rollout, reserve_rollouts, reserve_calls, reserve_tokens,
        reserve_cost, since_unix_ms)
    SELECT run, key, 1, 1, 100, 0, 1 FROM request ORDER BY key ON CONFLICT DO NOTHING""",
    """INSERT INTO held (rollout, run, n, worker, started_unix_ms, counted, reserved_rollouts,
        reserved_calls, reserved_tokens, reserved_cost)
    SELECT rollout, run, 1, 1, 1, 0, 1, 1, 100, 0 FROM waiting WHERE rollout <= {size} * 9 / 10""",
    "DELETE FROM waiting WHERE rollout <= {size} * 9 / 10",
    """INSERT INTO ended (rollout, n, worker, status, started_unix_ms, ended_unix_ms,
        reserved_rollouts, reserved_calls, reserved_tokens, reserved_cost, spent_rollouts)
    SELECT rollout, 1, 1, 'succeeded', 1, 2, 1, 1, 100, 0, 1 FROM held""",
    """INSERT INTO outcome (rollout, run, updated_unix_ms, attempts, counted, score, status, output,
        rewards, digest)
    SELECT rollout, run, rollout, 1, 0, 0.5, 'succeeded',
        '{{"text":"' || repeat(md5(rollout::text), 4) || '"}}', '[]',
        decode(md5(rollout::text), 'hex')
    FROM held""",
    "DELETE FROM held",
    """UPDATE tally SET
        queuing = (SELECT count(*) FROM waiting), succeeded = (SELECT count(*) FROM outcome),
        spent_rollouts = (SELECT count(*) FROM outcome)
    WHERE slot = 0""",
    "DELETE FROM tally WHERE slot <> 0",
    "ANALYZE request, waiting, held, ended, outcome",
)


async def filled(server: Cluster, size: int) -> PostgresStore:
    """A store with `size` rollouts."""
    schema = f"growth_{size}"
    store = await PostgresStore.open(server.url(schema), answer_s=600)
    await store.runs.create(
        Run(id=RUN, config_hash="b", model_ref="m", seed=1, algorithm="a", config={})
    )
    await _worker(store)
    await store.queue.submit(RUN, Workload(width=21).submissions(0))
    for statement in FILLING:
        server.sql(f"SET search_path TO {schema}; {statement.format(size=size)}")
    return store


async def _worker(store: PostgresStore) -> WorkerId:
    worker = await store.work.register(
        name="bench",
        role=WorkerRole.WORKER,
        process=SystemProcesses().this(),
        lease_ms=3_600_000,
    )
    return worker.id


class Bench:
    """One filled store and the times its operations took, in milliseconds."""

    def __init__(self, store: PostgresStore, worker: WorkerId) -> None:
        self.store = store
        self.times: dict[str, list[float]] = {}
        self._worker = worker

    async def round(self) -> None:
        """Time each operation once."""
        store = self.store
        claims: list[ClaimedRollout] = []

        async def claim() -> None:
            claims.extend(await store.work.claim(self._worker, limit=1))

        async def complete() -> None:
            await store.work.complete(claims[0].attempt_id, success())

        await self._timed("claim", claim)
        await self._timed("complete", complete)
        await self._timed("status counts", lambda: store.queue.counts(RUN))
        await self._timed("next ready", lambda: store.queue.next_ready_ms(RUN))
        await self._timed("run", lambda: store.runs.get(RUN))
        await self._timed(
            "page of 50", lambda: store.insights.rollouts(RolloutFilter(run=RUN), newest_first=True)
        )
        failed = RolloutFilter(run=RUN, statuses=frozenset({RolloutStatus.FAILED}))
        await self._timed("failed ones", lambda: store.insights.rollouts(failed))
        await self._timed("one rollout", lambda: store.insights.rollout(claims[0].rollout_id))

    async def _timed(self, name: str, ask: Callable[[], Awaitable[object]]) -> None:
        begun = time.perf_counter()
        await ask()
        self.times.setdefault(name, []).append((time.perf_counter() - begun) * 1000)


async def measure(server: Cluster, sizes: Sequence[int], rounds: int) -> None:
    """Print median milliseconds by operation and size."""
    benches = {}
    for size in sizes:
        began = time.perf_counter()
        store = await filled(server, size)
        benches[size] = Bench(store, await _worker(store))
        print(f"filled with {size:,} in {time.perf_counter() - began:.0f} s", flush=True)
    for number in range(rounds + 20):
        for bench in benches.values():
            await bench.round()
            if number == 0:
                first = {name: times[0] for name, times in bench.times.items()}
                print("the very first, ms:", {n: round(ms, 1) for n, ms in first.items()})
            if number == 19:
                bench.times.clear()  # warm now
    names = list(benches[sizes[0]].times)
    print(f"{'rollouts in the store':24}" + "".join(f"{size:>12,}" for size in sizes)
          + "      growth")  # fmt: skip
    for name in names:
        values = [statistics.median(bench.times[name]) for bench in benches.values()]
        print(f"{name:24}" + "".join(f"{value:12.3f}" for value in values)
              + f"{values[-1] / values[0]:12.2f}")  # fmt: skip
    for bench in benches.values():
        await bench.store.aclose()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=60, help="at most a 10th of the least size")
    parser.add_argument("--folder", default=None, help="on the disk to measure")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        os.chmod(folder, 0o700)
        server = Cluster(Path(folder), durable=True, settings=["shared_buffers=256MB"])
        server.create()
        server.start()
        try:
            with asyncio.Runner() as runner:
                runner.run(measure(server, options.sizes, options.rounds))
        finally:
            server.stop()


if __name__ == "__main__":
    main()

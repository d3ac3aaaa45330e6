"""How claims, completions and status queries of the SQLite store grow with its size.

    python benchmarks/bench_store_growth.py [--sizes 1000 1000000] [--rounds 200] [--folder .]
        [--json]

Each store holds one run: nine of ten rollouts succeeded with their attempt and result, the rest
wait. It is filled by plain SQL, closed and opened again. Operations on the stores are timed in
turns, so that noise meets all of them; medians count.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import apsw

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from machinery.workload import Workload, span
from tau.domain.ids import RunId, WorkerId
from tau.domain.rollout import AttemptStatus, ClaimedRollout, Outcome, Output, RolloutStatus
from tau.domain.run import Run
from tau.domain.spend import Spend
from tau.domain.worker import WorkerRole
from tau.ports.insights import RolloutFilter
from tau.ports.processes import SystemProcesses
from tau.stores.sqlite import SqliteStore

RUN = RunId("bench")
OUTCOME = Outcome(
    status=AttemptStatus.SUCCEEDED,
    output=Output(text="17 times 23 is 391. " * 20),
    score=1.0,
    spans=tuple(span(n) for n in range(1, 9)),
    spent=Spend(calls=1, tokens=420),
)
FILLING = (
    """INSERT INTO rollout (key, run, kind, resources, example, ordinal, reserve_rollouts,
        reserve_calls, reserve_tokens, reserve_cost, status, attempts, score, created_unix_ms,
        updated_unix_ms)
    WITH RECURSIVE n(i) AS (SELECT 1 + (SELECT max(key) FROM rollout)
        UNION ALL SELECT i + 1 FROM n WHERE i < :size)
    SELECT i, 1, 'evaluate', 1, 1 + i % 20, 10 + i, 1, 1, 100, 0,
        iif(i <= :done, 'succeeded', 'queuing'), i <= :done, iif(i <= :done, 0.5, NULL), i, i
    FROM n""",
    """INSERT INTO attempt (rollout, n, worker, status, started_unix_ms, ended_unix_ms,
        reserved_rollouts, reserved_calls, reserved_tokens, reserved_cost, spent_rollouts)
    SELECT key, 1, 1, 'succeeded', 1, 2, 1, 1, 100, 0, 1 FROM rollout WHERE attempts = 1""",
    """INSERT INTO result (rollout, output, rewards, digest)
    SELECT key, '{"text":"' || hex(randomblob(100)) || '"}', '[]', randomblob(16)
    FROM rollout WHERE attempts = 1""",
    """UPDATE tally SET (queuing, succeeded, spent_rollouts) = (
        SELECT count(*) FILTER (WHERE status = 'queuing'),
            count(*) FILTER (WHERE status = 'succeeded'),
            count(*) FILTER (WHERE status = 'succeeded') FROM rollout)""",
)


async def filled(path: Path, size: int) -> SqliteStore:
    """A store with `size` rollouts."""
    async with await SqliteStore.open(path) as store:
        run = Run(id=RUN, config_hash="b", model_ref="m", seed=1, algorithm="a", config={})
        await store.runs.create(run)
        await _worker(store)
        await store.queue.submit(RUN, Workload(width=21).submissions(0))
    connection = apsw.Connection(str(path))
    connection.pragma("synchronous", "OFF")
    with connection:
        for statement in FILLING:
            connection.execute(statement, {"size": size, "done": size * 9 // 10})
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    connection.close()
    return await SqliteStore.open(path)


async def _worker(store: SqliteStore) -> WorkerId:
    worker = await store.work.register(
        name="bench",
        role=WorkerRole.WORKER,
        process=SystemProcesses().this(),
        lease_ms=3_600_000,
    )
    return worker.id


class Bench:
    """One filled store and the times its operations took, in milliseconds."""

    def __init__(self, store: SqliteStore, worker: WorkerId) -> None:
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
            await store.work.complete(claims[0].attempt_id, OUTCOME)

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


async def measure(folder: Path, sizes: Sequence[int], rounds: int) -> dict[str, dict[str, float]]:
    """Median milliseconds by operation and size."""
    benches = {}
    for size in sizes:
        store = await filled(folder / f"{size}.sqlite", size)
        benches[size] = Bench(store, await _worker(store))
    for number in range(rounds + 20):
        for bench in benches.values():
            await bench.round()
            if number == 19:
                bench.times.clear()  # warm now
    for bench in benches.values():
        await bench.store.aclose()
    first = benches[sizes[0]]
    return {
        name: {str(size): statistics.median(bench.times[name]) for size, bench in benches.items()}
        for name in first.times
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 1_000_000])
    parser.add_argument("--rounds", type=int, default=60, help="at most a 10th of the least size")
    parser.add_argument("--folder", type=Path, default=Path(), help="on the disk to measure")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.folder, prefix=".bench-") as folder:
        found = asyncio.run(measure(Path(folder), options.sizes, options.rounds))
    if options.json:
        print(json.dumps(found))
        return
    print(f"{platform.machine()}, {os.cpu_count()} processors, Python {sys.version.split()[0]}, "
          f"SQLite {apsw.sqlite_lib_version()}; median ms of {options.rounds}")  # fmt: skip
    print(f"{'rollouts in the store':24}" + "".join(f"{size:>12,}" for size in options.sizes)
          + "      growth")  # fmt: skip
    for name, by_size in found.items():
        values = [by_size[str(size)] for size in options.sizes]
        print(f"{name:24}" + "".join(f"{value:12.3f}" for value in values)
              + f"{values[-1] / values[0]:12.2f}")  # fmt: skip


if __name__ == "__main__":
    main()

"""The full life of a rollout through the SQLite store: submit, claim, complete with 8 spans.

    python benchmarks/bench_store_lifecycle.py [--rollouts 4000] [--in-flight 256] [--rounds 5]
        [--folder .] [--json]

Variants run in turns on new files, and medians of ratios within a round count. *waves* is how a run
uses the store: waves of 256 are submitted, four workers claim up to a quarter of what may be in
flight, and every attempt is completed by a call of its own. *callers*: each of as many callers as
are in flight submits, claims and completes one rollout at a time, three calls for each. *ceiling*
is one thread writing the same rows with plain apsw in transactions of 256 rollouts, spans encoded
as the store does it, nothing checked or fenced. *alone* is *callers* with one caller, so that every
operation is a transaction of its own.
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
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from machinery.workload import span
from tau.domain.dataset import Split, examples
from tau.domain.ids import RunId, WorkerId
from tau.domain.resources import Resources
from tau.domain.reward import Reward
from tau.domain.rollout import (
    AttemptStatus,
    Outcome,
    Output,
    RolloutKind,
    RolloutRequest,
    Submission,
)
from tau.domain.run import Run
from tau.domain.spend import Spend
from tau.domain.worker import WorkerRole
from tau.ports.processes import SystemProcesses
from tau.stores import codec, rows
from tau.stores.sqlite import SqliteStore
from tau.stores.sqlite.statements import migrations

RUN = RunId("bench")
RESOURCES = Resources(values={"system_prompt": "Think step by step, then give the number. " * 8})
OUTCOME = Outcome(
    status=AttemptStatus.SUCCEEDED,
    output=Output(text="17 times 23 is 391. " * 20, finish_reason="stop"),
    rewards=(Reward(name="number", score=1.0, passed=True, reason="391 is right"),),
    score=1.0,
    spans=tuple(replace(span(n), attributes={**span(n).attributes, "n": n}) for n in range(1, 9)),
    spent=Spend(calls=1, tokens=420, cost_nano_usd=81_000),
    duration_ms=812,
)
TARGETS = {
    "waves / ceiling": "target 0.5",
    "waves / waves, NORMAL": "target 0.7",
    "waves / alone": "target 15 where an fsync takes 0.2 ms or more",
    "callers / ceiling": "",
    "callers / alone": "",
}


def submissions(count: int) -> list[Submission]:
    """Evaluations of different rows."""
    values = [{"prompt": f"What is {n} times 23?", "expected": str(n * 23)} for n in range(count)]
    return [
        Submission(
            request=RolloutRequest(kind=RolloutKind.EVALUATE, resources=RESOURCES, example=example),
            reserve=Spend(rollouts=1, calls=2, tokens=1000),
        )
        for example in examples(Split.OPTIMIZE, values)
    ]


async def through_store(
    path: Path, count: int, in_flight: int, *, synchronous: str = "FULL", waves: bool = True
) -> float:
    """Rollouts per second."""
    waiting = submissions(count)
    async with await SqliteStore.open(path, synchronous=synchronous) as store:
        run = Run(id=RUN, config_hash="b", model_ref="m", seed=1, algorithm="evaluate", config={})
        await store.runs.create(run)
        process = SystemProcesses().this()
        worker = await store.work.register(
            name="bench", role=WorkerRole.WORKER, process=process, lease_ms=600_000
        )
        live = in_waves if waves else by_callers
        begun = time.perf_counter()
        await live(store, worker.id, waiting, in_flight)
        seconds = time.perf_counter() - begun
        counts = await store.queue.counts(RUN)
        if counts.settled != count:
            raise SystemExit(f"only {counts.settled} of {count} are settled")
    return count / seconds


async def in_waves(
    store: SqliteStore, worker: WorkerId, waiting: list[Submission], in_flight: int
) -> None:
    """Submitted in waves, claimed in batches."""
    left = len(waiting)

    async def work() -> None:
        nonlocal left
        while left:
            claims = await store.work.claim(worker, limit=max(1, in_flight // 4))
            left -= len(claims)
            ends = [store.work.complete(claim.attempt_id, OUTCOME) for claim in claims]
            await asyncio.gather(*ends)
            if left and not claims:
                await store.work.wait_ready(timeout_s=0.1)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(4):
            tasks.create_task(work())
        for start in range(0, len(waiting), 256):
            await store.queue.submit(RUN, waiting[start : start + 256])


async def by_callers(
    store: SqliteStore, worker: WorkerId, waiting: list[Submission], in_flight: int
) -> None:
    """Submitted, claimed and completed one by one."""

    async def live() -> None:
        while waiting:
            await store.queue.submit(RUN, [waiting.pop()])
            for claim in await store.work.claim(worker, limit=1):
                await store.work.complete(claim.attempt_id, OUTCOME)

    await asyncio.gather(*(live() for _ in range(in_flight)))


def ceiling(path: Path, count: int) -> float:
    """Rollouts per second of one thread that writes the same rows in bulk."""
    connection = apsw.Connection(str(path))
    connection.pragma("journal_mode", "WAL")
    connection.pragma("synchronous", "FULL")
    for script in migrations():
        connection.execute(script)
    connection.execute(_SEED)
    content = json.dumps(dict(RESOURCES.values))
    connection.execute(
        "INSERT INTO resources VALUES (1, ?, NULL, ?, x'00')", (RESOURCES.hash, content)
    )
    waiting = submissions(count)
    begun = time.perf_counter()
    for start in range(0, count, 256):
        batch = list(enumerate(waiting[start : start + 256], start + 1))
        with connection:
            connection.executemany(_EXAMPLE, [_example(key, one) for key, one in batch])
            connection.executemany(_ROLLOUT, [(key, key) for key, _ in batch])
        with connection:
            connection.executemany(_ATTEMPT, [(key,) for key, _ in batch])
            connection.executemany(_RUNNING, [(key,) for key, _ in batch])
        with connection:
            connection.executemany(_ENDED, [(key,) for key, _ in batch])
            connection.executemany(_SETTLED, [(key,) for key, _ in batch])
            connection.executemany(_RESULT, [_result(key) for key, _ in batch])
            connection.executemany(_SPANS, [_spans(key) for key, _ in batch])
            connection.execute("UPDATE tally SET succeeded = succeeded + ?", (len(batch),))
    seconds = time.perf_counter() - begun
    connection.close()
    return count / seconds


_SEED = """
INSERT INTO run (key, id, config_hash, model_ref, seed, algorithm, config, max_attempts, status,
  created_unix_ms, updated_unix_ms, digest)
VALUES (1, 'bench', 'b', 'm', '1', 'evaluate', '{}', 5, 'running', 1, 1, x'00');
INSERT INTO tally (run) VALUES (1);
INSERT INTO worker (key, name, role, host, boot_id, pid_namespace, pid, started_ticks, lease_ms,
  registered_unix_ms, heartbeat_unix_ms, heartbeat_ms)
VALUES (1, 'w', 'worker', 'h', 'b', 'p', 1, 1, 1000, 1, 1, 1)
"""
_EXAMPLE = "INSERT INTO example (key, id, split, content, digest) VALUES (?, ?, 'optimize', ?, ?)"
_ROLLOUT = """INSERT INTO rollout (key, run, kind, resources, example, ordinal, reserve_rollouts,
  reserve_calls, reserve_tokens, reserve_cost, created_unix_ms, updated_unix_ms)
VALUES (?, 1, 'evaluate', 1, ?, 0, 1, 2, 1000, 0, 1, 1)"""
_ATTEMPT = """INSERT INTO attempt (rollout, n, worker, status, started_unix_ms, reserved_rollouts,
  reserved_calls, reserved_tokens, reserved_cost) VALUES (?, 1, 1, 'running', 1, 1, 2, 1000, 0)"""
_RUNNING = "UPDATE rollout SET status = 'running', attempts = 1, live = 1 WHERE key = ?"
_ENDED = """UPDATE attempt SET status = 'succeeded', ended_unix_ms = 2, spent_calls = 1,
  spent_tokens = 420, spent_cost = 81000 WHERE rollout = ? AND n = 1"""
_SETTLED = """UPDATE rollout SET status = 'succeeded', live = NULL, score = 1.0, duration_ms = 812
WHERE key = ?"""
_RESULT = "INSERT INTO result (rollout, output, rewards, digest) VALUES (?, ?, ?, ?)"
_SPANS = "INSERT INTO span_block (rollout, n, first, count, data, digest) VALUES (?, 1, 1, 8, ?, ?)"


def _example(key: int, submission: Submission) -> tuple[int, str, str, bytes]:
    example = submission.request.example
    assert example is not None
    content = codec.text(example.value)
    return key, example.id, content, rows.example_digest(example.id, "optimize", content)


def _result(key: int) -> tuple[int, str, str, bytes]:
    output, rewards = codec.text(OUTCOME.output), codec.text(OUTCOME.rewards)
    return key, output, rewards, rows.result_digest(key, 1.0, output, rewards, None)


def _spans(key: int) -> tuple[int, bytes, bytes]:
    data = codec.packed(OUTCOME.spans)
    return key, data, rows.span_digest(key, 1, 1, data)


def fsync_ms(folder: Path) -> float:
    """The median time of an fsync after appending 4 KiB."""
    path = folder / "fsync"
    times = []
    with path.open("wb", buffering=0) as file:
        for _ in range(200):
            file.write(bytes(4096))
            begun = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - begun)
    return statistics.median(times) * 1000


def size_per_rollout(path: Path, count: int) -> float:
    """Bytes on disk per rollout, everything included."""
    connection = apsw.Connection(str(path))
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    connection.close()
    return path.stat().st_size / count


def measure(folder: Path, count: int, in_flight: int, rounds: int) -> dict[str, float]:
    """Medians over rounds; ratios are taken within a round."""
    few = max(50, count // 20)

    def store(n: int, flying: int, **how: Any) -> Callable[[Path], float]:  # noqa: ANN401
        return lambda path: asyncio.run(through_store(path, n, flying, **how))

    variants: dict[str, Callable[[Path], float]] = {
        "ceiling": lambda path: ceiling(path, count),
        "waves": store(count, in_flight),
        "waves, NORMAL": store(count, in_flight, synchronous="NORMAL"),
        "callers": store(count, in_flight, waves=False),
        "alone": store(few, 1, waves=False),
    }
    found: dict[str, list[float]] = {name: [] for name in (*variants, "fsync_ms", "bytes")}
    for number in range(rounds + 1):
        found["fsync_ms"].append(fsync_ms(folder))
        for name, run in variants.items():
            path = folder / f"{name}-{number}.sqlite"
            found[name].append(run(path))
            if name == "waves":
                found["bytes"].append(size_per_rollout(path, count))
            path.unlink()
    warm = {name: values[1:] for name, values in found.items()}  # the first round only warms up
    result = {name: statistics.median(values) for name, values in warm.items()}
    for above, below in (
        ("waves", "ceiling"),
        ("waves", "waves, NORMAL"),
        ("waves", "alone"),
        ("callers", "ceiling"),
        ("callers", "alone"),
    ):
        ratios = [a / b for a, b in zip(warm[above], warm[below], strict=True)]
        result[f"{above} / {below}"] = statistics.median(ratios)
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rollouts", type=int, default=4000)
    parser.add_argument("--in-flight", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=Path(), help="on the disk to measure")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.folder, prefix=".bench-") as folder:
        found = measure(Path(folder), options.rollouts, options.in_flight, options.rounds)
    if options.json:
        print(json.dumps(found))
        return
    print(f"{platform.machine()}, {os.cpu_count()} processors, Python {sys.version.split()[0]}, "
          f"SQLite {apsw.sqlite_lib_version()}, fsync {found['fsync_ms']:.2f} ms")  # fmt: skip
    for name in ("ceiling", "waves", "waves, NORMAL", "callers", "alone"):
        print(f"{name:24}{found[name]:10.0f} rollouts/s")
    for name, target in TARGETS.items():
        print(f"{name:24}{found[name]:10.2f}   {target}")
    print(f"{'on disk':24}{found['bytes']:10.0f} bytes a rollout")


if __name__ == "__main__":
    main()

"""The PostgreSQL store: claim and complete, by batch and by processes; size, connections.

Run it on a quiet machine: python benchmarks/bench_postgres.py [--rollouts N] [--processes 1,2,4,8]
A server of its own is started, with fsync on; put its folder on a real disk with --folder.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from pg_cluster import Cluster
from tau.domain.dataset import Split, examples
from tau.domain.ids import RunId
from tau.domain.rollout import RolloutKind, RolloutRequest, Submission
from tau.domain.run import Run
from tau.domain.worker import WorkerRole
from tau.ports.processes import SystemProcesses
from tau.stores.postgres import PostgresStore
from tau.testing.store_bench import SEED, success

_SUBMIT = 5_000
_TICKS = os.sysconf("SC_CLK_TCK")


def server_seconds(server: Cluster) -> float:
    """Processor time of the server so far, of backends that have ended too."""
    total = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        if server.pid in (int(fields[1]), int(entry.name)):
            total += int(fields[11]) + int(fields[12])
            if int(entry.name) == server.pid:
                total += int(fields[13]) + int(fields[14])
    return total / _TICKS


async def fill(store: PostgresStore, run: RunId, rollouts: int) -> None:
    """A run with rollouts that are ready."""
    await store.runs.create(
        Run(id=run, config_hash="b", model_ref="none", seed=0, algorithm="none", config={})
    )
    for start in range(0, rollouts, _SUBMIT):
        rows = [{"prompt": f"{n} and some words more"} for n in range(start, start + _SUBMIT)]
        requests = [
            RolloutRequest(kind=RolloutKind.EVALUATE, resources=SEED, example=example)
            for example in examples(Split.OPTIMIZE, rows[: rollouts - start])
        ]
        await store.queue.submit(run, [Submission(request=request) for request in requests])


async def work(
    store: PostgresStore, run: RunId, workers: int, batch: int, call_s: float = 0.0
) -> int:
    """Claim, call a model for so long, and complete until nothing is left; how many rollouts."""
    done = 0

    async def one(number: int) -> None:
        nonlocal done
        worker = await store.work.register(
            name=f"w{number}", role=WorkerRole.WORKER, process=SystemProcesses().this(),
            lease_ms=600_000,
        )  # fmt: skip
        while claims := await store.work.claim(worker.id, limit=batch, run_id=run):
            await asyncio.sleep(call_s)
            await asyncio.gather(
                *(store.work.complete(claim.attempt_id, success()) for claim in claims)
            )
            done += len(claims)

    await asyncio.gather(*(one(number) for number in range(workers)))
    return done


async def by_batch(url: str, rollouts: int) -> None:
    print("\nclaim + complete, one process, 8 workers (rollouts/s)")
    for batch in (1, 10, 100):
        async with await PostgresStore.open(url) as store:
            run = RunId(f"batch-{batch}")
            await fill(store, run, min(rollouts, 400 * batch))
            began = time.perf_counter()
            done = await work(store, run, 8, batch)
            print(f"  batch {batch:>3}: {done / (time.perf_counter() - began):>8,.0f}")


async def by_processes(
    url: str, rollouts: int, counts: list[int], server: Cluster, *, call_s: float
) -> None:
    """As fast as it goes, or with `call_s` of waiting for a model in every rollout."""
    batch = 2 if call_s else 10
    print(f"\nclaim + complete, processes of 8 workers, batch {batch}"
          + (f", calls of {1000 * call_s:.0f} ms" if call_s else ""))  # fmt: skip
    for count in counts:
        run = RunId(f"processes-{count}-{call_s}")
        number = int(8 * batch / call_s * 6 * count) if call_s else rollouts
        async with await PostgresStore.open(url) as store:
            await fill(store, run, number)
        children = [
            subprocess.Popen(  # noqa: ASYNC220
                [sys.executable, __file__, "--child", url, run, str(batch), str(call_s)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )
            for _ in range(count)
        ]  # fmt: skip
        for child in children:
            assert child.stdout is not None
            child.stdout.readline()  # it is connected
        began, before = time.perf_counter(), server_seconds(server)
        for child in children:
            assert child.stdin is not None
            child.stdin.write("go\n")
            child.stdin.flush()
        for child in children:
            assert child.stdout is not None
            child.stdout.readline()  # nothing is left
        rate = number / (time.perf_counter() - began)
        spent = 1000 * (server_seconds(server) - before) / number
        held = int(server.sql("SELECT count(*) FROM pg_stat_activity "
                              "WHERE application_name LIKE 'tau-%'"))  # fmt: skip
        for child in children:
            child.communicate("end\n")
        most = f" of {8 * batch / call_s * count:,.0f} possible" if call_s else ""
        print(f"  {count} processes: {rate:>8,.0f} rollouts/s{most}, {held} connections, "
              f"{spent:.3f} ms of the server's processor a rollout", flush=True)  # fmt: skip


def bytes_per_rollout(server: Cluster) -> None:
    whole, settled = server.sql(
        "SELECT sum(pg_total_relation_size(c.oid)), (SELECT count(*) FROM bench.rollout) "
        "FROM pg_class AS c WHERE relnamespace = 'bench'::regnamespace AND relkind = 'r'"
    ).split("|")
    print(f"\n{int(whole) / int(settled):,.0f} bytes per rollout with its example and indexes")


async def measure(arguments: argparse.Namespace, server: Cluster) -> None:
    url = server.url("bench")
    await by_batch(url, arguments.rollouts)
    counts = [int(each) for each in arguments.processes.split(",")]
    await by_processes(url, arguments.rollouts, counts, server, call_s=0.0)
    await by_processes(url, arguments.rollouts, counts, server, call_s=arguments.call_ms / 1000)
    bytes_per_rollout(server)


async def child(url: str, run: str, batch: str, call_s: str) -> None:
    async with await PostgresStore.open(url) as store:
        await store.runs.get(RunId(run))
        print("ready", flush=True)
        sys.stdin.readline()
        await work(store, RunId(run), 8, int(batch), float(call_s))
        print("done", flush=True)
        sys.stdin.readline()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rollouts", type=int, default=10_000)
    parser.add_argument("--processes", default="1,2,4,8")
    parser.add_argument("--call-ms", type=float, default=200.0)
    parser.add_argument("--folder", default=None)
    parser.add_argument("--child", nargs=4, default=None)
    arguments = parser.parse_args()
    with asyncio.Runner() as runner:
        if arguments.child:
            runner.run(child(*arguments.child))
            return
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            os.chmod(folder, 0o700)
            server = Cluster(Path(folder), durable=True)
            server.create()
            server.start()
            try:
                runner.run(measure(arguments, server))
            finally:
                server.stop()


if __name__ == "__main__":
    main()

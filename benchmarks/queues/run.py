"""Claim and complete: Tau's store on PostgreSQL beside pgqueuer and Procrastinate, in one run.

Create their environments once with `benchmarks/queues/setup`, then, on a quiet machine:
    python benchmarks/queues/run.py [--jobs N] [--rounds N] [--folder ON_A_REAL_DISK]

One server of its own with fsync on; one process for each contender, with four connections, whose
jobs do nothing. They take turns. Two figures: jobs per second, and the processor time of client
and server together for a job, which a busy machine moves less.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1]))

from bench_postgres import server_seconds

from pg_cluster import Cluster

HERE = Path(__file__).parent
HOME = Path(os.environ.get("TAU_COMPARE_HOME", Path.home() / ".cache" / "tau-compare"))


@dataclass(frozen=True)
class Contender:
    """A program that works off a queue, and how many jobs of the usual number it gets."""

    name: str
    python: Path
    worker: str
    settings: Sequence[str]
    share: float = 1.0


CONTENDERS = (
    Contender("tau, 8 workers, batches of 10", Path(sys.executable), "tau", ("8", "10")),
    Contender("pgqueuer, batches of 10", HOME / "pgqueuer/bin/python", "pgqueuer", ("10",)),
    Contender("tau, 8 workers, batches of 100", Path(sys.executable), "tau", ("8", "100")),
    Contender("pgqueuer, batches of 100", HOME / "pgqueuer/bin/python", "pgqueuer", ("100",)),
    Contender(
        "procrastinate, 8 at once", HOME / "procrastinate/bin/python", "procrastinate", ("8",), 0.2
    ),
    Contender("tau, 8 workers, batches of 1", Path(sys.executable), "tau", ("8", "1"), 0.2),
)


def turn(server: Cluster, one: Contender, jobs: int) -> tuple[float, float]:
    """Jobs per second, and milliseconds of processor time for a job."""
    database = f"bench_{one.worker}"
    if database not in server.sql("SELECT datname FROM pg_database").split():
        server.sql(f"CREATE DATABASE {database}")
    url = f"postgresql://postgres@127.0.0.1:{server.port}/{database}"
    server.sql("CHECKPOINT")
    child = subprocess.Popen(
        [one.python, HERE / f"worker_{one.worker}.py", url, str(jobs), *one.settings],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    if child.stdout.readline().strip() != "ready":
        raise SystemExit(f"{one.name} did not begin: run benchmarks/queues/setup")
    before = server_seconds(server)
    child.stdin.write("go\n")
    child.stdin.flush()
    seconds, cpu, done = child.stdout.readline().split()
    spent = server_seconds(server) - before + float(cpu)
    child.wait()
    if int(done) != jobs:
        raise SystemExit(f"{one.name} finished {done} of {jobs}")
    return jobs / float(seconds), 1000 * spent / jobs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", default=None)
    arguments = parser.parse_args()
    found: dict[str, list[tuple[float, float]]] = {one.name: [] for one in CONTENDERS}
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        os.chmod(folder, 0o700)
        server = Cluster(Path(folder), durable=True)
        server.create()
        server.start()
        try:
            for number in range(arguments.rounds):
                for one in CONTENDERS if number % 2 == 0 else reversed(CONTENDERS):
                    found[one.name].append(turn(server, one, int(arguments.jobs * one.share)))
        finally:
            server.stop()
    print("                                   jobs/s (least to most)     processor ms per job")
    for name, figures in found.items():
        rates, costs = sorted(rate for rate, _ in figures), [cost for _, cost in figures]
        print(f"{name:<32} {statistics.median(rates):>8,.0f} ({rates[0]:,.0f} to {rates[-1]:,.0f})"
              f"   {statistics.median(costs):>8.3f}")  # fmt: skip
    print(json.dumps(found))


if __name__ == "__main__":
    main()

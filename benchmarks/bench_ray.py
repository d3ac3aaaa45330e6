"""What placing workers by Ray costs a rollout, against plain worker processes.

Run it on a quiet machine: python benchmarks/bench_ray.py [--rollouts N] [--rounds N]
Rounds alternate between two `tau worker` processes and two actors of `tau worker --ray`. A server
and a cluster of its own are started; the model is simulated and answers at once, so nothing hides
what a rollout costs. The process that drives the run works on one rollout at a time in both.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from pg_cluster import Cluster, cluster
from ray_cluster import RayCluster, ray_cluster

_TAU = [sys.executable, "-c", "from tau.cli.main import tau; tau()"]
_TICKS = os.sysconf("SC_CLK_TCK")
_WORKERS = 2
_IDLE_S = 5


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Of one round: what the workers did together, and what it cost them and Ray."""

    rollouts: int
    seconds: float
    idle_cpus: float
    workers_cpu_s: float
    ray_cpu_s: float

    @property
    def rate(self) -> float:
        """Rollouts a second of both workers together."""
        return self.rollouts / self.seconds

    @property
    def cpu_ms(self) -> float:
        """CPU of the workers' processes for a rollout."""
        return 1000 * self.workers_cpu_s / self.rollouts


def cpu_s(pid: int) -> float:
    """CPU time that a process has used."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


def descendants(ancestor: int) -> list[int]:
    """A process and all that it and its children have started."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        children.setdefault(parent, []).append(int(path.parent.name))
    found = [ancestor]
    for pid in found:
        found += children.get(pid, [])
    return found


@contextmanager
def working(folder: Path, environ: dict[str, str], *arguments: str) -> Iterator[list[int]]:
    """Two workers, or two actors, once they have said that they are there; the pids started."""
    count = 1 if "--ray" in arguments else _WORKERS
    begun = [
        subprocess.Popen([*_TAU, "worker", *arguments], cwd=folder, env=environ,
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                         start_new_session=True)  # a busy kernel shares by session; Ray has its own
        for _ in range(count)
    ]  # fmt: skip
    for process in begun:
        ready = 0
        assert process.stderr is not None
        while ready < _WORKERS // count:
            line = process.stderr.readline()
            assert line, "it ended before it worked"
            ready += "working for" in line
    yield [process.pid for process in begun]
    for process in begun:
        process.terminate()
    for process in begun:
        process.communicate()


def one_round(
    server: Cluster, ray: RayCluster, folder: Path, rollouts: int, name: str, placed: bool
) -> Figures:
    """One run; what was done and used between the first and the last rollout of the workers."""
    url = server.url(name)
    config = folder / f"{name}.json"
    config.write_text(json.dumps({
        "model": {"name": "sim/rules"},
        "resources": {"system_prompt": "Write the booking line."},
        "optimize": [{"prompt": f"order {n}", "expected": "1"} for n in range(rollouts)],
        "worker_count": 1,
    }))  # fmt: skip
    environ = ray.environ()
    where = ("--ray", ray.address, "-n", str(_WORKERS)) if placed else ()
    with working(folder, environ, "--store", url, "--concurrency", "4", *where) as begun:
        group = descendants(ray.head)
        hosts = f"SELECT pid FROM {name}.worker WHERE role = 'host' AND state = 'live'"
        while len(idle := [int(pid) for pid in server.sql(hosts).split()]) < _WORKERS:
            time.sleep(0.1)
        resting = sum(map(cpu_s, idle))
        time.sleep(_IDLE_S)
        idle_cpus = (sum(map(cpu_s, idle)) - resting) / _IDLE_S / len(idle)
        before = {pid: cpu_s(pid) for pid in (*begun, *group)}
        driver = subprocess.Popen([*_TAU, "run", str(config), "--store", url], cwd=folder,
                                  env=environ, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)  # fmt: skip
        assert driver.wait() == 0
        rows = server.sql(
            "SELECT w.pid, count(*), min(a.started_unix_ms), max(a.ended_unix_ms) "
            f"FROM {name}.attempt AS a JOIN {name}.worker AS w ON w.key = a.worker "
            f"WHERE w.pid <> {driver.pid} GROUP BY 1"
        ).split()
        table = [[int(field) for field in row.split("|")] for row in rows]
        workers = [row[0] for row in table]
        spent = {pid: cpu_s(pid) - before.get(pid, 0.0) for pid in (*begun, *group)}
    return Figures(
        rollouts=sum(row[1] for row in table),
        idle_cpus=idle_cpus,
        seconds=(max(row[3] for row in table) - min(row[2] for row in table)) / 1000,
        workers_cpu_s=sum(spent[pid] for pid in workers),
        ray_cpu_s=sum(each for pid, each in spent.items() if pid not in workers) if placed else 0,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rollouts", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with (
        cluster(durable=True) as server,
        ray_cluster() as ray,
        tempfile.TemporaryDirectory() as folder,
    ):
        idle_before = sum(map(cpu_s, descendants(ray.head)))
        time.sleep(5)
        idle = (sum(map(cpu_s, descendants(ray.head))) - idle_before) / 5
        found: dict[bool, list[Figures]] = {False: [], True: []}
        for number in range(2 * arguments.rounds):
            placed = number % 2 == 1
            name = f"round_{number}"
            figures = one_round(server, ray, Path(folder), arguments.rollouts, name, placed)
            found[placed].append(figures)
            print(f"  {'ray' if placed else 'plain':>5}: {figures.rollouts:>6,} rollouts "
                  f"{figures.rate:>7,.0f}/s {figures.cpu_ms:>7.2f} ms CPU each, "
                  f"Ray itself {figures.ray_cpu_s / figures.seconds:.3f} CPUs")  # fmt: skip
    plain, placed_ones = found[False], found[True]
    cpu = [statistics.median(each.cpu_ms for each in kind) for kind in (plain, placed_ones)]
    rate = [statistics.median(each.rate for each in kind) for kind in (plain, placed_ones)]
    pairs = [b.cpu_ms / a.cpu_ms for a, b in zip(plain, placed_ones, strict=True)]
    idle_each = [
        statistics.median(each.idle_cpus for each in kind) for kind in (plain, placed_ones)
    ]
    print(f"a worker's process when idle: {idle_each[0]:.4f} CPUs plain, {idle_each[1]:.4f} on Ray")
    print(f"medians: CPU of a rollout {cpu[0]:.2f} ms plain, {cpu[1]:.2f} on Ray "
          f"(ratio {cpu[1] / cpu[0]:.2f}; pairs {min(pairs):.2f} to {max(pairs):.2f}); "
          f"rollouts/s {rate[0]:,.0f} and {rate[1]:,.0f} (ratio {rate[1] / rate[0]:.2f}); "
          f"Ray itself {idle:.3f} CPUs when idle, "
          f"{statistics.median(each.ray_cpu_s / each.seconds for each in placed_ones):.3f} "
          "at work")  # fmt: skip


if __name__ == "__main__":
    main()

"""Workers in network namespaces of their own, with clocks that are wrong, one of them cut off.

Needs root and iproute2.
"""

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from pg_cluster import Cluster
from recovery.pg_audit import faults
from recovery.programs import Programs, skewed, until

pytestmark = pytest.mark.acceptance

HOUR_S = 3600
ROLLOUTS = 150
LATENCY_MS = 1000
NETWORK = "10.213.7"


@dataclass(frozen=True)
class Machine:
    """A network namespace with one cable to the others."""

    name: str

    def program(self, skew_s: int) -> list[str]:
        """The program there, by a clock that is wrong by so much."""
        return ["ip", "netns", "exec", self.name, *skewed(skew_s)]

    def cable(self, state: str) -> None:
        """Plug it in (up) or out (down)."""
        ip("link", "set", self.name, state)


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


@pytest.fixture
def machines() -> Iterator[list[Machine]]:
    """Two machines on a switch whose address is NETWORK.1."""
    switch = f"tau{os.getpid() % 100_000}"
    with ExitStack() as undoing:
        ip("link", "add", switch, "type", "bridge")
        undoing.callback(ip, "link", "del", switch)
        ip("address", "add", f"{NETWORK}.1/24", "dev", switch)
        ip("link", "set", switch, "up")
        made = []
        for number, letter in enumerate("ab", start=2):
            name = f"{switch}{letter}"
            ip("netns", "add", name)
            undoing.callback(ip, "netns", "del", name)
            ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("link", "set", name, "master", switch, "up")
            ip("-n", name, "address", "add", f"{NETWORK}.{number}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
            ip("-n", name, "link", "set", "lo", "up")
            made.append(Machine(name))
        yield made


@pytest.fixture
def server(machines: list[Machine]) -> Iterator[Cluster]:
    """A server that also listens on the switch."""
    assert machines
    with tempfile.TemporaryDirectory(prefix="tau-pg-") as folder:
        made = Cluster(Path(folder), settings=[f"listen_addresses=127.0.0.1,{NETWORK}.1"])
        made.create()
        with (made.data / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {NETWORK}.0/24 trust\n")
        made.start()
        yield made
        made.stop()


@pytest.fixture
async def programs(tmp_path: Path) -> AsyncIterator[Programs]:
    made = Programs(tmp_path, {})
    yield made
    await made.aclose()


@pytest.mark.timeout(300)
async def test_a_machine_that_was_cut_off_comes_back(
    machines: list[Machine], server: Cluster, programs: Programs
) -> None:
    url = server.url("net").replace("127.0.0.1", f"{NETWORK}.1")
    config = programs.folder / "config.json"
    config.write_text(
        json.dumps(
            {
                "model": {"name": "sim/rules", "latency_ms": LATENCY_MS},
                "resources": {"system_prompt": "Write the booking line."},
                "optimize": [{"prompt": f"order {n}", "expected": "1"} for n in range(ROLLOUTS)],
                "worker_count": 1,
            }
        )
    )
    driver = await programs.begin("run", str(config), "--store", url, program=skewed(HOUR_S))
    here, there = [
        await programs.begin(
            "worker", str(config), "--store", url, "--concurrency", "2",
            program=machine.program(skew_s),
        )
        for machine, skew_s in zip(machines, (-HOUR_S, 2 * HOUR_S), strict=True)
    ]  # fmt: skip

    def attempts(pid: int, status: str) -> int:
        return int(server.sql(
            "SELECT count(*) FROM net.attempt AS a JOIN net.worker AS w ON w.key = a.worker "
            f"WHERE w.pid = {pid} AND a.status = '{status}'"
        ))  # fmt: skip

    await until(lambda: server.sql("SELECT to_regclass('net.attempt')").strip() != "")
    pids = [each.process.pid for each in (driver, here, there)]
    await until(lambda: all(attempts(pid, "succeeded") for pid in pids))
    assert server.sql("SELECT count(*) FROM net.attempt WHERE status = 'timeout'").strip() == "0"

    machines[0].cable("down")
    await until(lambda: attempts(here.process.pid, "timeout") == 2)
    done = attempts(here.process.pid, "succeeded")
    machines[0].cable("up")
    await until(lambda: attempts(here.process.pid, "succeeded") > done)

    await driver.end()
    for worker in (here, there):
        worker.process.send_signal(signal.SIGTERM)
        await worker.end()
    assert sorted(server.sql("SELECT status, count(*) FROM net.attempt GROUP BY 1").split()) == [
        f"succeeded|{ROLLOUTS}",
        "timeout|2",
    ]
    assert faults(server, "net") == []

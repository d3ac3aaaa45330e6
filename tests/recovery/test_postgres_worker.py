"""`tau worker`: joins a run that another process drives, and leaves in order."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pg_cluster import Cluster, cluster
from recovery.pg_audit import faults

TAU = [sys.executable, "-c", "from tau.cli.main import tau; tau()"]
PATIENCE_S = 40.0


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    with cluster() as made:
        yield made


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Rollouts of a quarter of a second, and a run that works on one at a time itself."""
    path = tmp_path / "config.json"
    path.write_text(
        json.dumps(
            {
                "model": {"name": "sim/rules", "latency_ms": 250},
                "resources": {"system_prompt": "Write the booking line."},
                "optimize": [{"prompt": f"order {n}", "expected": str(n)} for n in range(60)],
                "worker_count": 1,
            }
        )
    )
    return path


def begin(tmp_path: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start the program."""
    return subprocess.Popen(
        [*TAU, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        cwd=tmp_path, env={**os.environ, "HOME": str(tmp_path)},
    )  # fmt: skip


def wait_until(server: Cluster, schema: str, query: str, wanted: str) -> None:
    """Wait until a query of the store answers so."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            found = server.sql(f"SET search_path TO {schema}; {query}").splitlines()[-1]
        except subprocess.CalledProcessError:
            found = "no store yet"
        if found == wanted:
            return
        assert time.monotonic() < deadline, f"{query}: {found}, not {wanted}"
        time.sleep(0.05)


@pytest.mark.timeout(120)
def test_a_worker_joins_leaves_at_sigterm_and_another_finishes(
    server: Cluster, config: Path, tmp_path: Path
) -> None:
    url = server.url("joined")
    first = begin(tmp_path, "worker", "--store", url, "-n", "2", "--concurrency", "2")
    driver = begin(tmp_path, "run", str(config), "--store", url)
    busy = (
        "SELECT count(DISTINCT w.pid) >= 2 FROM attempt AS a JOIN worker AS w ON w.key = a.worker "
        "WHERE a.status = 'succeeded'"
    )
    wait_until(server, "joined", busy, "t")
    first.send_signal(signal.SIGTERM)
    out, told = first.communicate(timeout=PATIENCE_S)
    assert first.returncode == 0, told
    assert "joined run-" in told
    assert "succeeded=" in out
    assert int(out.rpartition("succeeded=")[2].split()[0]) > 0
    given_back = (
        "SELECT count(*) FROM attempt WHERE status NOT IN ('succeeded', 'running', 'preparing')"
    )
    wait_until(server, "joined", given_back, "0")
    second = begin(tmp_path, "worker", "--store", url, "-n", "4", "--concurrency", "4")
    _, told = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == 0, told
    second.send_signal(signal.SIGTERM)
    out, told = second.communicate(timeout=PATIENCE_S)
    assert second.returncode == 0, told
    wait_until(server, "joined", "SELECT count(*) FROM attempt WHERE status = 'succeeded'", "60")
    assert faults(server, "joined") == []


@pytest.mark.timeout(120)
def test_code_that_only_the_store_names_is_not_run(server: Cluster, tmp_path: Path) -> None:
    url = server.url("code")
    path = tmp_path / "config.json"
    path.write_text(
        json.dumps(
            {
                "model": {"name": "sim/rules"},
                "executor": {"type": "command", "command": ["sleep", "0.3"]},
                "optimize": [{"prompt": f"order {n}"} for n in range(20)],
                "worker_count": 1,
            }
        )
    )
    worker = begin(tmp_path, "worker", "--store", url, "-n", "4")
    driver = begin(tmp_path, "run", str(path), "--store", url)
    _, told = driver.communicate(timeout=PATIENCE_S)
    assert driver.returncode == 0, told
    worker.send_signal(signal.SIGTERM)
    out, told = worker.communicate(timeout=PATIENCE_S)
    assert "runs code of its own (command)" in told
    assert out == "worked: succeeded=0 failed=0\n"

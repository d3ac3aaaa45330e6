"""`tau worker`: joins a run that another process drives, and leaves in order."""

import json
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from pg_cluster import Cluster, cluster
from recovery.pg_audit import faults
from recovery.programs import Model, Programs, until

ROLLOUTS = 60


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    with cluster() as made:
        yield made


@pytest.fixture
async def model() -> AsyncIterator[Model]:
    made = Model()
    async with made.provider:
        yield made


@pytest.fixture
async def programs(tmp_path: Path, model: Model) -> AsyncIterator[Programs]:
    made = Programs(
        tmp_path, {"OPENAI_BASE_URL": model.provider.base_url, "OPENAI_API_KEY": "sk-none"}
    )
    yield made
    await made.aclose()


@pytest.mark.timeout(240)
async def test_a_worker_joins_leaves_at_sigterm_and_another_finishes(
    server: Cluster, programs: Programs, model: Model
) -> None:
    url = server.url("joined")
    config = programs.configuration(ROLLOUTS)
    first = await programs.begin("worker", "--store", url, "-n", "2", "--concurrency", "2")
    driver = await programs.begin("run", config, "--store", url)
    await until(lambda: model.provider.in_flight == 1 + 4)
    model.let(20)
    await until(lambda: model.provider.calls == 25)

    first.process.send_signal(signal.SIGTERM)
    await first.tells("finishing what is in flight")
    model.let(5)
    out = await first.end()
    assert "joined run-" in first.told
    assert int(out.rpartition("succeeded=")[2].split()[0]) >= 4
    found = server.sql("SELECT DISTINCT status FROM joined.attempt").split()
    assert set(found) <= {"succeeded", "running"}, "what it held was recorded, not given back"

    second = await programs.begin("worker", "--store", url, "-n", "4", "--concurrency", "4")
    await until(lambda: model.provider.in_flight == 1 + 16)
    model.let(ROLLOUTS)
    await driver.end()
    second.process.send_signal(signal.SIGTERM)
    out = await second.end()
    assert int(out.rpartition("succeeded=")[2].split()[0]) >= 16
    assert server.sql("SELECT status, count(*) FROM joined.attempt GROUP BY 1").split() == [
        f"succeeded|{ROLLOUTS}"
    ]
    assert model.provider.calls == ROLLOUTS
    assert faults(server, "joined") == []


@pytest.mark.timeout(240)
async def test_code_that_only_the_store_names_is_not_run(
    server: Cluster, programs: Programs
) -> None:
    url = server.url("code")
    waits = "while [ ! -e go ]; do sleep 0.05; done"
    config = programs.folder / "config.json"
    config.write_text(
        json.dumps(
            {
                "model": {"name": "sim/rules"},
                "executor": {"type": "command", "command": ["sh", "-c", waits]},
                "optimize": [{"prompt": f"order {n}"} for n in range(4)],
                "worker_count": 1,
            }
        )
    )
    worker = await programs.begin("worker", "--store", url, "-n", "4")
    driver = await programs.begin("run", str(config), "--store", url)
    await worker.tells("runs code of its own (command)")
    (programs.folder / "go").touch()
    await driver.end()
    worker.process.send_signal(signal.SIGTERM)
    assert await worker.end() == "worked: succeeded=0 failed=0\n"

"""`tau worker`: joins a run that another process drives, and leaves in order."""

import json
import signal
from collections.abc import Iterator

import pytest

from pg_cluster import Cluster, cluster
from recovery.pg_audit import faults
from recovery.programs import Model, Program, Programs, until

ROLLOUTS = 60


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    with cluster() as made:
        yield made


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
    waits = 'while [ ! -e go ]; do sleep 0.05; done; echo \'{"text": "x"}\''
    (programs.folder / "notes.py").write_text(
        "import os\n"
        "open('imported', 'a').write(f'{os.getpid()} ')\n"
        "def grade(example, output):\n"
        "    return 1\n"
    )
    config = programs.folder / "config.json"
    config.write_text(
        json.dumps(
            {
                "model": {"name": "sim/rules"},
                "executor": {"type": "command", "command": ["sh", "-c", waits]},
                "graders": [{"type": "python", "function": "notes.py:grade"}],
                "optimize": [{"prompt": f"order {n}"} for n in range(4)],
                "worker_count": 1,
            }
        )
    )
    worker = await programs.begin("worker", "--store", url, "-n", "4")
    driver = await programs.begin("run", str(config), "--store", url)
    await worker.tells("runs code of its own (command, python)")
    (programs.folder / "go").touch()
    await driver.end()
    worker.process.send_signal(signal.SIGTERM)
    assert await worker.end() == "worked: succeeded=0 failed=0\n"
    imported = (programs.folder / "imported").read_text().split()
    assert str(driver.process.pid) in imported
    assert str(worker.process.pid) not in imported


@pytest.mark.timeout(240)
async def test_pause_and_cancel_reach_workers_by_way_of_the_store(
    server: Cluster, programs: Programs, model: Model
) -> None:
    url = server.url("steered")
    worker = await programs.begin("worker", "--store", url, "--concurrency", "2")
    driver = await programs.begin("run", programs.configuration(ROLLOUTS), "--store", url)
    await until(lambda: model.provider.in_flight == 1 + 2)

    def heard_at() -> int:
        """When the worker's last heartbeat came."""
        return int(server.sql("SELECT coalesce(max(heartbeat_unix_ms), 0) FROM steered.worker "
                              f"WHERE pid = {worker.process.pid}"))  # fmt: skip

    await (await programs.begin("pause", "--store", url)).end()
    await until(lambda: server.sql("SELECT status FROM steered.run").strip() == "paused")
    model.let(3)
    await until(lambda: model.provider.in_flight == 0)
    paused = heard_at()
    await until(lambda: heard_at() > paused)  # it has asked for work meanwhile, once a second
    assert model.provider.calls == 3
    assert server.sql("SELECT count(*) FROM steered.attempt WHERE status = 'succeeded'") == "3\n"

    await (await programs.begin("resume", "--store", url)).end()
    await until(lambda: model.provider.in_flight == 1 + 2)
    await (await programs.begin("cancel", "--store", url)).end()
    model.let(3)
    await worker.tells("left run-")
    await driver.process.communicate()
    assert server.sql("SELECT status FROM steered.run").strip() == "cancelled"
    assert model.provider.calls == 6

    other = await programs.begin("run", programs.configuration(4), "--store", url)
    await until(lambda: model.provider.in_flight == 1 + 2)
    model.let(4)
    await other.end()
    worker.process.send_signal(signal.SIGTERM)
    await worker.end()
    assert model.provider.calls == 6 + 4
    assert faults(server, "steered") == []


@pytest.mark.timeout(240)
async def test_the_process_that_drives_a_run_dies_and_another_machine_goes_on(
    server: Cluster, programs: Programs, model: Model, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Nothing but the configuration is there; two at once are one too many."""
    url = server.url("driven")
    elsewhere = Programs(tmp_path_factory.mktemp("elsewhere"), programs.environ)
    config = programs.configuration(ROLLOUTS), elsewhere.configuration(ROLLOUTS)
    worker = await programs.begin("worker", "--store", url, "--concurrency", "2")
    driver = await programs.begin("run", config[0], "--store", url)
    await until(lambda: model.provider.in_flight == 1 + 2)
    model.let(10)
    await until(lambda: model.provider.calls == 13)

    second = await elsewhere.begin("run", config[1], "--store", url)
    _, told = await second.process.communicate()
    assert second.process.returncode == 1
    assert "is being driven by another process" in told.decode()

    driver.process.kill()
    await driver.process.wait()
    model.let(10)  # the worker goes on alone
    await until(lambda: model.provider.calls >= 20)
    third = await elsewhere.begin("run", config[1], "--store", url)
    await until(lambda: model.provider.in_flight == 1 + 2)
    model.let(ROLLOUTS)
    await third.end()
    worker.process.send_signal(signal.SIGTERM)
    await worker.end()
    await elsewhere.aclose()
    assert server.sql("SELECT count(*) FROM driven.run").strip() == "1"
    succeeded = "SELECT count(*) FROM driven.attempt WHERE status = 'succeeded'"
    assert server.sql(succeeded).strip() == str(ROLLOUTS)
    assert model.provider.calls == ROLLOUTS + 1, "only the call that died with its process"
    assert faults(server, "driven") == []


@pytest.mark.timeout(240)
async def test_a_worker_tells_what_it_can_run_and_leaves_the_rest(
    server: Cluster, programs: Programs, model: Model
) -> None:
    url = server.url("offers")
    keyless = await programs.begin("worker", "--store", url, OPENAI_API_KEY="")
    await keyless.tells("working for")

    def offered(program: Program) -> set[str]:
        found = server.sql("SELECT offers FROM offers.worker WHERE role = 'host' "
                           f"AND state = 'live' AND pid = {program.process.pid}")  # fmt: skip
        return set(json.loads(found or "[]"))

    await until(lambda: offered(keyless) != set())
    assert {"executor:chat", "grader:number", "model:sim", "model:ollama"} <= offered(keyless)
    assert offered(keyless) & {"model:openai", "executor:python", "grader:command"} == set()

    driver = await programs.begin("run", programs.configuration(4), "--store", url)
    await keyless.tells("OPENAI_API_KEY is not set")
    able = await programs.begin("worker", "--store", url, "--trust-store")
    await until(lambda: model.provider.in_flight == 1 + 1)
    assert {"model:openai", "executor:python", "grader:command"} <= offered(able)
    model.let(4)
    await driver.end()
    for worker in (keyless, able):
        worker.process.send_signal(signal.SIGTERM)
        await worker.end()
    assert offered(able) == set(), "it is off the list"
    held = "SELECT count(*) FROM offers.attempt AS a JOIN offers.worker AS w ON w.key = a.worker"
    assert server.sql(f"{held} WHERE w.pid = {keyless.process.pid}").strip() == "0"

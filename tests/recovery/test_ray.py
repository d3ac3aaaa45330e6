"""`tau worker --ray`: actors of a real Ray cluster work, die, start again and leave in order."""

import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pg_cluster import Cluster, cluster
from ray_cluster import RayCluster, ray_cluster
from recovery.pg_audit import faults
from recovery.programs import Model, Programs, until
from tau.wiring.placing import TauWorker

KEY = "sk-of-the-nodes"
OTHER_KEY = "sk-of-the-desk"
ROLLOUTS = 40


@dataclass(frozen=True)
class Site:
    """A server, a cluster, and the port of the model that the cluster's nodes know."""

    server: Cluster
    ray: RayCluster
    port: int


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    known = {"OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1", "OPENAI_API_KEY": KEY}
    with cluster() as server, ray_cluster(**known) as ray:
        yield Site(server, ray, port)


@pytest.fixture
async def model(site: Site) -> AsyncIterator[Model]:
    made = Model(port=site.port, key=KEY)
    async with made.provider:
        yield made


@pytest.fixture
async def programs(site: Site, tmp_path: Path) -> AsyncIterator[Programs]:
    """Programs that may use the cluster; the desk they start from has a key of its own."""
    environ = site.ray.environ()
    made = Programs(tmp_path, {
        "RAY_AUTH_TOKEN": environ["RAY_AUTH_TOKEN"], "OPENAI_API_KEY": OTHER_KEY,
        "OPENAI_BASE_URL": f"http://127.0.0.1:{site.port}/v1",
    })  # fmt: skip
    yield made
    await made.aclose()


def pids(server: Cluster, schema: str, condition: str = "true") -> set[int]:
    """The processes of workers that have attempts like that."""
    found = server.sql(
        f"SELECT DISTINCT w.pid FROM {schema}.attempt AS a "
        f"JOIN {schema}.worker AS w ON w.key = a.worker WHERE {condition}"
    )
    return {int(pid) for pid in found.split()}


@pytest.mark.timeout(240)
async def test_actors_work_are_started_again_and_leave_at_sigterm(
    site: Site, programs: Programs, model: Model
) -> None:
    server, url = site.server, site.server.url("placed")
    placing = await programs.begin(
        "worker", "--store", url, "--ray", site.ray.address, "-n", "2", "--concurrency", "2"
    )
    driver = await programs.begin(
        "run", programs.configuration(ROLLOUTS), "--store", url, OPENAI_API_KEY=KEY
    )
    await until(lambda: model.provider.in_flight == 1 + 2 * 2)
    actors = pids(server, "placed") - {driver.process.pid}
    assert len(actors) == 2
    assert placing.process.pid not in actors

    victim = min(actors)
    os.kill(victim, signal.SIGKILL)
    await placing.tells("it is started again")
    # The process on this machine that reaps first knows that it is gone; its two are done again.
    await until(lambda: len(pids(server, "placed", "a.status = 'running'") - {victim}) == 3)
    await until(lambda: model.provider.in_flight == 1 + 2 * 2)
    again = pids(server, "placed", "a.status = 'running'") - actors - {driver.process.pid}
    assert len(again) == 1

    model.let(ROLLOUTS - 10)
    await until(lambda: model.provider.calls >= ROLLOUTS - 5)
    placing.process.send_signal(signal.SIGTERM)
    await placing.tells("finishing what is in flight")
    model.let(ROLLOUTS)
    out = await placing.end()
    await driver.end()

    assert out.startswith("worked: succeeded=")
    assert out.count("\n") == 1, "Ray prints nothing between"
    assert int(out.rpartition("succeeded=")[2].split()[0]) >= 4
    statuses = dict(
        row.split("|")
        for row in server.sql("SELECT status, count(*) FROM placed.attempt GROUP BY 1").split()
    )
    assert statuses.pop("succeeded") == str(ROLLOUTS)
    assert sum(map(int, statuses.values())) == 2, "only what the killed one held was done again"
    assert faults(server, "placed") == []
    kept = "".join(
        path.read_text(errors="replace")
        for path in site.ray.folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    )
    assert "tau" in kept
    assert [secret for secret in (KEY, OTHER_KEY, site.ray.token) if secret in kept] == []


@pytest.mark.timeout(240)
async def test_a_second_signal_gives_back_what_actors_hold(
    site: Site, programs: Programs, model: Model
) -> None:
    url = site.server.url("hurried")
    placing = await programs.begin(
        "worker", "--store", url, "--ray", site.ray.address, "--concurrency", "3"
    )
    driver = await programs.begin(
        "run", programs.configuration(ROLLOUTS), "--store", url, OPENAI_API_KEY=KEY
    )
    await until(lambda: model.provider.in_flight == 1 + 3)
    actor = pids(site.server, "hurried") - {driver.process.pid}
    placing.process.send_signal(signal.SIGTERM)
    await placing.tells("finishing what is in flight")
    placing.process.send_signal(signal.SIGTERM)
    assert await placing.end() == "worked: succeeded=0 failed=0\n"
    assert actor
    assert pids(site.server, "hurried", "a.status = 'running'") == {driver.process.pid}
    assert faults(site.server, "hurried") == []


@pytest.mark.timeout(120)
async def test_what_keeps_actors_from_working_is_one_error(site: Site, programs: Programs) -> None:
    url = site.server.url("none").replace("/postgres?", "/nowhere?")
    refused = await programs.begin("worker", "--store", url, "--ray", site.ray.address)
    out, told = await refused.process.communicate()
    assert (refused.process.returncode, out) == (1, b"")
    assert told.decode().startswith("Error: failed to authorize")
    assert "nowhere" in told.decode()
    assert "Traceback" not in told.decode()


async def test_a_node_with_another_tau_says_so() -> None:
    said = [each async for each in TauWorker().work("0.0.0", {})]
    assert len(said) == 1
    assert "not 0.0.0" in str(said[0]["error"])


@pytest.mark.timeout(120)
@pytest.mark.parametrize("token", ["f" * 64, None])
async def test_a_cluster_lets_nobody_in_without_its_token(
    site: Site, programs: Programs, token: str | None
) -> None:
    environ = {"RAY_AUTH_TOKEN": token or "", "HOME": str(programs.folder)}
    refused = await programs.begin(
        "worker", "--store", site.server.url("x"), "--ray", site.ray.address, **environ
    )
    out, told = await refused.process.communicate()
    assert (refused.process.returncode, out) == (1, b"")
    assert told.decode().startswith("Error: the Ray cluster did not let us in\n")
    assert "RAY_AUTH_TOKEN" in told.decode()
    assert len(told.splitlines()) == 4, "no lines of Ray's core"

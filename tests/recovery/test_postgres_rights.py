"""Who may: a role that can do no more than it must, passwords that nobody sees, and TLS."""

import itertools
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from pg_cluster import Cluster, cluster
from recovery.pg_audit import faults
from recovery.pg_tls import certificate, wrapped
from recovery.programs import Model, Programs, until
from tau.errors import StoreUnavailable
from tau.stores.postgres import PostgresStore

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "many-machines.md"
SECRET = "tell-nobody-5f1d9c7e"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    """It wants a password of those whose name begins with tau."""
    with cluster() as made:
        rules = made.data / "pg_hba.conf"
        rules.write_text("host all /^tau 127.0.0.1/32 scram-sha-256\n" + rules.read_text())
        made.sql("SELECT pg_reload_conf()")
        yield made


@pytest.fixture
async def worker_url(server: Cluster) -> str:
    """A store that its owner has made, for a role with the rights that the guide names."""
    schema, role = f"rights_{next(_numbers)}", f"tau_worker_{next(_numbers)}"
    async with await PostgresStore.open(server.url(schema)):
        pass
    grants = re.findall(r"^    (GRANT .*;)$", GUIDE.read_text(), re.M)
    assert len(grants) == 3
    server.sql(f"CREATE ROLE {role} LOGIN PASSWORD '{SECRET}'")
    for grant in grants:
        server.sql(grant.replace("SCHEMA tau TO tau_worker", f"SCHEMA {schema} TO {role}"))
    return server.url(schema).replace("postgres@", f"{role}@")


@pytest.mark.timeout(240)
async def test_the_rights_of_the_guide_are_enough_and_the_password_is_in_the_environment(
    server: Cluster, worker_url: str, programs: Programs, model: Model
) -> None:
    environ = {"PGPASSWORD": SECRET, "TAU_STORE": worker_url}
    worker = await programs.begin("worker", "-n", "2", **environ)
    driver = await programs.begin("run", programs.configuration(12), **environ)
    await until(lambda: model.provider.in_flight == 3)
    model.let(12)
    told = await driver.end()
    worker.process.send_signal(signal.SIGTERM)
    worked = await worker.end()
    assert "succeeded=0" not in worked
    assert faults(server, worker_url.rpartition("=")[2]) == []
    for words in (["runs"], ["status"], ["db", "verify"], ["cancel"]):
        told += await (await programs.begin(*words, **environ)).end()
    assert SECRET not in told + worked + worker.told + driver.told


@pytest.mark.timeout(240)
async def test_a_password_in_the_url_gets_nowhere(
    server: Cluster, worker_url: str, programs: Programs, model: Model
) -> None:
    environ = {"TAU_STORE": worker_url.replace("@", f":{SECRET}@", 1)}
    schema = worker_url.rpartition("=")[2]
    model.let(12)
    driver = await programs.begin("run", programs.configuration(12), "--events", **environ)
    told = await driver.end() + driver.told
    for words in (["runs"], ["status", "--json"], ["doctor"], ["audit", "verify"], ["cancel"],
                  ["db", "verify"], ["export", "--to", "json"]):  # fmt: skip
        program = await programs.begin(*words, **environ)
        told += await program.end() + program.told
    assert SECRET not in told
    for path in programs.folder.rglob("*"):
        assert not path.is_file() or SECRET not in path.read_text(errors="replace"), path
    dumped = server.run("pg_dump", "-h", "127.0.0.1", "-p", str(server.port), "-U", "postgres",
                        f"--schema={schema}", "postgres")  # fmt: skip
    assert "COPY" in dumped
    assert SECRET not in dumped


@pytest.mark.timeout(240)
async def test_a_password_is_found_in_the_usual_file(worker_url: str, programs: Programs) -> None:
    refused = await programs.begin("runs", TAU_STORE=worker_url)
    _, said = await refused.process.communicate()
    assert refused.process.returncode == 1
    assert "Traceback" not in said.decode()
    file = programs.folder / ".pgpass"
    file.write_text(f"127.0.0.1:*:*:*:{SECRET}\n")
    file.chmod(0o600)
    await (await programs.begin("runs", TAU_STORE=worker_url)).end()


async def test_a_wrong_password_is_refused_at_once_and_not_shown(worker_url: str) -> None:
    with pytest.raises(StoreUnavailable, match="refuses") as told:
        await PostgresStore.open(worker_url.replace("@", ":wrong-guess@", 1), patience_s=600)
    assert "wrong-guess" not in f"{told.value!r} {told.value} {told.value.__cause__}"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes certificates with openssl")
async def test_tls_is_verified_by_certificate_and_name(server: Cluster, tmp_path: Path) -> None:
    """The server of the tests has no TLS; what stands before it here does the same."""
    schema = f"tls_{next(_numbers)}"
    ours, key = certificate(tmp_path, "127.0.0.1")
    other, other_key = certificate(tmp_path, "db.example.org")
    async with wrapped(server.port, ours, key) as port:
        url = server.url(schema, port=port, sslmode="verify-full")
        async with await PostgresStore.open(f"{url}&sslrootcert={ours}") as store:
            assert await store.insights.runs() == []
        with pytest.raises(StoreUnavailable, match="not trusted"):
            await PostgresStore.open(f"{url}&sslrootcert={other}", patience_s=600)
    async with wrapped(server.port, other, other_key) as port:
        url = server.url(schema, port=port, sslmode="verify-full")
        with pytest.raises(StoreUnavailable, match="not trusted"):
            await PostgresStore.open(f"{url}&sslrootcert={other}", patience_s=600)
    with pytest.raises(StoreUnavailable, match="SSL"):
        await PostgresStore.open(server.url(schema, sslmode="require"), patience_s=0.1)

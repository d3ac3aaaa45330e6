"""Stores that the version before really left: `tau db migrate` changes nothing that is in them."""

import gzip
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from pg_cluster import Cluster, cluster
from recovery.programs import TAU
from tau.domain.ids import RunId
from tau.domain.run import Run
from tau.stores.postgres import PostgresStore
from tau.stores.postgres.maintenance import verify as verify_server
from tau.stores.sqlite import SqliteStore
from tau.stores.sqlite.maintenance import verify

KEPT = Path(__file__).parent.parent / "data" / "stores"
REPORTED = {
    "run-1": ("running", False),
    "run-cancelled": ("cancelled", True),
    "run-completed": ("completed", True),
    "run-failed": ("failed", False),
    "run-paused": ("paused", False),
}
"""Nobody knows better of a run that is over than that its report was seen."""
Table = Mapping[str, list[str]]


def migrate(store: str) -> str:
    done = subprocess.run(
        [*TAU, "db", "migrate", "--store", store], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def told(runs: list[Run]) -> dict[str, tuple[str, bool]]:
    return {str(run.id): (str(run.status), run.reported) for run in runs}


def contents(path: Path, columns: Table | None = None) -> tuple[dict[str, list[str]], Table]:
    """Every row of every table by the columns it had, and those columns."""
    with closing(apsw.Connection(str(path))) as connection:
        if columns is None:
            names = [
                name for (name,) in connection.execute(
                    "SELECT name FROM sqlite_schema WHERE type = 'table' "
                    "AND name NOT LIKE 'sqlite%'"
                )
            ]  # fmt: skip
            columns = {
                name: [
                    row[1] for row in connection.execute(f"PRAGMA table_info({name})")
                    if row[1] != "ready_ms"  # of another boot of the machine: forgotten
                ]
                for name in names
            }  # fmt: skip
        return {
            name: sorted(map(repr, connection.execute(f"SELECT {', '.join(of)} FROM {name}")))
            for name, of in columns.items()
            if name != "schema_meta"
        }, columns


@pytest.mark.parametrize("version", [1, 2])
async def test_a_file_of_a_version_before(tmp_path: Path, version: int) -> None:
    path = tmp_path / "store.sqlite"
    old = gzip.decompress((KEPT / f"sqlite-{version}.sqlite.gz").read_bytes())
    path.write_bytes(old)
    before, columns = contents(path)
    assert len(before["rollout"]) > 20

    said = migrate(str(path))

    assert said.startswith(f"schema version {version} to 3\n")
    assert contents(path, columns)[0] == before
    assert verify(path).ok
    assert contents(tmp_path / f"store.sqlite.v{version}.backup", columns)[0] == before
    assert "nothing to do" in migrate(str(path))
    async with await SqliteStore.open(path) as store:
        assert told(list(await store.insights.runs(limit=50))) == REPORTED
        run = await store.runs.get(RunId("run-failed"))
        assert (run.spent.tokens, run.spent.assumed_tokens) == (7, 0)
        assert await store.policies.current() is None
        assert await store.desired_states.find(run.id) is None


@pytest.fixture(scope="module", params=[4, 5])
def server(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with cluster() as made:
        old = (KEPT / f"postgresql-{request.param}.sql.gz").read_bytes()
        made.sql(gzip.decompress(old).decode())
        made.sql("UPDATE before.worker SET heartbeat_ms = 0")
        yield made


def dumped(server: Cluster, columns: Table | None = None) -> tuple[dict[str, list[str]], Table]:
    if columns is None:
        columns = {}
        for row in server.sql(
            "SELECT table_name, column_name FROM information_schema.columns JOIN "
            "information_schema.tables USING (table_schema, table_name) "
            "WHERE table_schema = 'before' "
            "ORDER BY table_name, ordinal_position"
        ).split():
            table, column = row.split("|")
            columns[table] = [*columns.get(table, []), column]
    return {
        name: sorted(server.sql(f"SELECT {', '.join(of)} FROM before.{name}").splitlines())
        for name, of in columns.items()
        if name != "schema_meta"
    }, columns


async def test_a_server_of_a_version_before(server: Cluster) -> None:
    before, columns = dumped(server)
    assert len(before["rollout"]) > 20

    said = migrate(server.url("before"))

    assert "the schema is at version 6" in said
    after = dumped(server, columns)[0]
    assert {name for name in before if after[name] != before[name]} <= {"worker"}
    assert (await verify_server(server.url("before"))).problems == ()
    async with await PostgresStore.open(server.url("before")) as store:
        assert told(list(await store.insights.runs(limit=50))) == REPORTED
        run = await store.runs.get(RunId("run-failed"))
        assert (run.spent.tokens, run.spent.assumed_tokens) == (7, 0)
        assert await store.policies.current() is None
        assert await store.desired_states.find(run.id) is None

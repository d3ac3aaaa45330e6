"""What can be opened as a store on a server, and what is refused with a reason."""

import asyncio
import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from pg_cluster import Cluster, cluster
from recovery.pg_audit import faults
from tau.errors import InputError, StoreDamaged, StoreError, StoreUnavailable, StoreVersion
from tau.stores.location import shown
from tau.stores.postgres import PostgresStore, schema
from tau.stores.postgres.address import parse
from tau.testing.clock import ManualClock, ManualProcesses
from tau.testing.store_bench import Bench, success

_numbers = itertools.count(1)
SECRET = "tell-nobody"


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    with cluster() as made:
        yield made


@pytest.fixture
def url(server: Cluster) -> str:
    return server.url(f"open_{next(_numbers)}")


def name_of(url: str) -> str:
    return url.rpartition("=")[2]


async def test_a_missing_store_is_made_by_writers_only(url: str) -> None:
    with pytest.raises(StoreUnavailable, match="there is no store"):
        await PostgresStore.open(url, read_only=True)
    async with await PostgresStore.open(url):
        pass
    async with await PostgresStore.open(url, read_only=True) as store:
        assert await store.insights.runs() == []
        with pytest.raises(StoreUnavailable, match="reading only"):
            await store.seals.keep("a", "b")


async def test_another_programs_schema_is_left_as_it_is(url: str, server: Cluster) -> None:
    server.sql(f"CREATE SCHEMA {name_of(url)}; CREATE TABLE {name_of(url)}.theirs (a integer)")
    with pytest.raises(StoreDamaged, match="not a Tau store"):
        await PostgresStore.open(url)
    tables = server.sql(f"SELECT relname FROM pg_class WHERE relnamespace = "
                        f"'{name_of(url)}'::regnamespace")  # fmt: skip
    assert tables.split() == ["theirs"]


async def test_a_store_that_is_not_whole_is_told(url: str, server: Cluster) -> None:
    async with await PostgresStore.open(url):
        pass
    server.sql(f"DROP TABLE {name_of(url)}.verdict")
    with pytest.raises(StoreDamaged, match="verdict"):
        await PostgresStore.open(url)


async def test_two_versions_run_side_by_side_until_one_says_no(url: str, server: Cluster) -> None:
    """A migration that only adds lets the older version go on, even while it works."""
    async with await PostgresStore.open(url, processes=ManualProcesses()) as old:
        bench = Bench(old, ManualClock(), ManualProcesses())
        await bench.run()
        await bench.submit(2)
        worker = await bench.worker(lease_ms=60_000)
        newer = (*schema.SCRIPTS, "ALTER TABLE request ADD COLUMN later text")
        connection = await asyncpg.connect(
            server.url("x").partition("?")[0], server_settings={"search_path": name_of(url)}
        )
        assert await schema.migrate(connection, parse(url), scripts=newer) == schema.CURRENT
        await connection.close()
        for claim in await bench.claim(worker):
            await old.work.complete(claim.attempt_id, success())
        assert await bench.counts() == {"succeeded": 2}
    async with await PostgresStore.open(url) as again:
        assert (await again.insights.facts()).schema_version == schema.CURRENT + 1
    server.sql(f"UPDATE {name_of(url)}.schema_meta SET value = '99' WHERE name = 'oldest'")
    with pytest.raises(StoreVersion, match="newer"):
        await PostgresStore.open(url)


async def test_a_migration_under_load_with_two_versions_at_work(
    url: str, server: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the version before has begun it finishes, beside the one that changes the tables."""
    adds = "; ".join(
        f"ALTER TABLE {table} ADD COLUMN later text"
        for table in ("run", "worker", "request", "waiting", "held", "ended", "outcome", "tally")
    )
    newer = (*schema.SCRIPTS, adds)
    newest = (*newer, "CREATE INDEX request_later ON request (later)")
    done: list[str] = []

    async def work(store: PostgresStore) -> None:
        bench = Bench(store, ManualClock(), ManualProcesses())
        worker = await bench.worker(lease_ms=600_000)
        while claims := await bench.claim(worker, 3):
            for claim in claims:
                await store.runs.get(claim.run_id)
                await store.work.complete(claim.attempt_id, success())
                done.append(claim.rollout_id)
            await store.work.beat([worker])
            await store.insights.workers()
            await store.work.reap()

    async with await PostgresStore.open(url) as one, await PostgresStore.open(url) as other:
        bench = Bench(one, ManualClock(), ManualProcesses())
        await bench.run()
        await bench.submit(300)
        assert (await one.insights.facts()).schema_version == len(schema.SCRIPTS)
        working = [asyncio.ensure_future(work(old)) for old in (one, one, other)]
        for version, scripts in ((len(newer), newer), (len(newest), newest)):
            before = len(done)
            while len(done) < before + 50:
                assert not any(task.done() for task in working), "they still work"
                await asyncio.sleep(0.01)
            monkeypatch.setitem(schema.migrate.__kwdefaults__ or {}, "scripts", scripts)
            monkeypatch.setattr(schema, "CURRENT", len(scripts))
            async with await PostgresStore.open(url) as new:
                assert (await new.insights.facts()).schema_version == version
                assert len(done) < 300, "there is still work to be done"
                if scripts is newest:
                    working.append(asyncio.ensure_future(work(new)))
                    await asyncio.gather(*working)
        assert len(done) == len(set(done)) == 300
        assert await bench.counts() == {"succeeded": 300}
    assert faults(server, name_of(url)) == []


async def test_a_replica_is_refused(server: Cluster, url: str, tmp_path: Path) -> None:
    async with await PostgresStore.open(url):
        pass
    folder = server.folder.with_name(server.folder.name + "-replica")
    folder.mkdir(mode=0o700)
    replica = Cluster(folder)
    try:
        replica._own(folder)
        server.run("pg_basebackup", "-h", "127.0.0.1", "-p", str(server.port), "-U", "postgres",
                   "-D", str(replica.data), "-R", "--checkpoint=fast", "--no-sync")  # fmt: skip
        replica.start()
        for read_only in (True, False):
            with pytest.raises(StoreUnavailable, match="replica"):
                await PostgresStore.open(replica.url(name_of(url)), read_only=read_only)
    finally:
        replica.stop()
        shutil.rmtree(folder, ignore_errors=True)


async def test_an_old_server_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "_OLDEST_SERVER", 990000)
    with pytest.raises(StoreUnavailable, match="version 18, Tau needs 99"):
        await PostgresStore.open(url)


async def test_a_role_needs_no_more_than_to_read_and_write(server: Cluster, url: str) -> None:
    name = name_of(url)
    role = f"worker_{name}"
    low = server.url(name).replace("postgres@", f"{role}:{SECRET}@")
    server.sql(f"CREATE ROLE {role} LOGIN PASSWORD '{SECRET}'")
    with pytest.raises(StoreUnavailable, match="cannot be made"):
        await PostgresStore.open(low)
    async with await PostgresStore.open(url):
        pass
    server.sql(
        f"GRANT USAGE ON SCHEMA {name} TO {role}; "
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {name} TO {role}; "
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {name} TO {role}"
    )
    async with await PostgresStore.open(low, processes=ManualProcesses()) as store:
        bench = Bench(store, ManualClock(), ManualProcesses())
        _, claims = await bench.held(2)
        for claim in claims:
            await store.work.complete(claim.attempt_id, success())
        assert await store.work.reap() == 0
        assert SECRET not in (await store.insights.facts()).location


async def test_a_role_that_may_not_migrate_is_told_who_may(
    server: Cluster, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setitem(schema.migrate.__kwdefaults__ or {}, "scripts", schema.SCRIPTS[:1])
        before.setattr(schema, "CURRENT", 1)
        async with await PostgresStore.open(url):
            pass
    name = name_of(url)
    role = f"reader_{name}"
    server.sql(
        f"CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA {name} TO {role}; "
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {name} TO {role}"
    )
    with pytest.raises(StoreVersion, match="may not change it") as told:
        await PostgresStore.open(server.url(name).replace("postgres@", f"{role}@"))
    assert "tau db migrate" in (told.value.fix or "")


@pytest.mark.parametrize(
    "location",
    [
        f"postgresql://nobody:{SECRET}@127.0.0.1:1/x",
        f"postgresql://nobody@127.0.0.1:1/x?password={SECRET}",
        f"postgresql://nobody:{SECRET}@127.0.0.1:port/x",
        f"postgresql://nobody:{SECRET}@[::1/x",
        f"postgresql://nobody:{SECRET}@127.0.0.1:1/x?schema=No;Such",
        f"postgresql://nobody:{SECRET}@127.0.0.1:1/x?sslmode=nonsense",
    ],
)
async def test_a_password_is_never_shown(location: str) -> None:
    with pytest.raises((StoreError, InputError)) as told:
        await PostgresStore.open(location, patience_s=0.1, connect_s=1.0)
    error: BaseException | None = told.value
    while error is not None:
        assert SECRET not in f"{error!r} {error} {getattr(error, 'fix', '')}"
        error = error.__cause__
    assert SECRET not in shown(location)


async def test_a_password_comes_from_the_usual_variables(
    server: Cluster, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = parse(url)
    assert SECRET not in repr(parse(url.replace("postgres@", f"postgres:{SECRET}@")))
    monkeypatch.setenv("PGHOST", "127.0.0.1")
    monkeypatch.setenv("PGPORT", str(server.port))
    monkeypatch.setenv("PGUSER", "postgres")
    monkeypatch.setenv("PGDATABASE", "postgres")
    async with await PostgresStore.open(f"postgresql://?schema={parts.schema}") as store:
        assert await store.insights.runs() == []
    assert os.environ["PGUSER"] == "postgres"

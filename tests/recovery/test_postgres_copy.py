"""A whole store moved from a file to a server and back."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from machinery.workload import RUN, Workload
from pg_cluster import Cluster, cluster
from recovery.pg_audit import faults
from tau.domain.worker import WorkerRole
from tau.errors import InputError, StoreDamaged, StoreUnavailable
from tau.ports.insights import RolloutFilter
from tau.ports.processes import SystemProcesses
from tau.ports.store import Store
from tau.stores.postgres import PostgresStore
from tau.stores.postgres.transfer import ServerTransfer
from tau.stores.sqlite import SqliteStore
from tau.stores.sqlite.maintenance import verify
from tau.stores.sqlite.transfer import FileTransfer
from tau.testing.store_bench import evaluation, rows
from tau.wiring.copying import copy_store

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    with cluster() as made:
        yield made


@pytest.fixture
def url(server: Cluster) -> str:
    return server.url(f"copy_{next(_numbers)}")


@pytest.fixture
async def source(tmp_path: Path) -> Path:
    """A store with a finished run in it."""
    path = tmp_path / "source.sqlite"
    async with await SqliteStore.open(path) as store:
        await Workload(waves=3, width=12).go(store, SystemProcesses().this(), lambda _: None)
        await store.aliases.point("prod", 1, principal="local:ann", evidence={"n": 1})
    return path


async def everything(store: Store) -> object:
    """All that a reader can see of a store."""
    listed = await store.insights.rollouts(RolloutFilter(), limit=1000)
    return (
        await store.insights.runs(),
        listed,
        [await store.insights.rollout(row.id) for row in listed],
        await store.checkpoints.latest(RUN),
        await store.insights.versions(),
        await store.insights.candidates(RUN),
        await store.aliases.history(),
        await store.insights.counts(),
    )


async def test_there_and_back_it_is_the_same(
    source: Path, url: str, tmp_path: Path, server: Cluster
) -> None:
    there = await copy_store(str(source), url)
    back = tmp_path / "back.sqlite"
    again = await copy_store(url, str(back))

    assert there == again
    assert there.rows > 100
    assert verify(back).problems == ()
    assert faults(server, url.rpartition("=")[2]) == []
    async with (
        await SqliteStore.open(source, read_only=True) as one,
        await PostgresStore.open(url, read_only=True) as other,
    ):
        assert await everything(one) == await everything(other)


async def test_work_goes_on_in_the_copy(source: Path, url: str) -> None:
    await copy_store(str(source), url)
    async with await PostgresStore.open(url) as store:
        shape = Workload(run_id=type(RUN)("next"), waves=2, width=6)
        await shape.go(store, SystemProcesses().this(), lambda _: None)
        assert (await store.runs.get(shape.run_id)).status == "completed"


async def test_what_is_in_flight_is_not_copied(source: Path, url: str) -> None:
    async with await SqliteStore.open(source) as store:
        run = Workload(run_id=type(RUN)("busy")).run()
        await store.runs.create(run)
        await store.queue.submit(run.id, [evaluation(row) for row in rows(1)])
        worker = await store.work.register(
            name="w",
            role=WorkerRole.WORKER,
            process=SystemProcesses().this(),
            lease_ms=9_000,
        )
        await store.work.claim(worker.id, limit=1)
        with pytest.raises(StoreUnavailable, match="in flight"):
            await copy_store(str(source), url)


async def test_nothing_is_overwritten(source: Path, url: str, tmp_path: Path) -> None:
    await copy_store(str(source), url)
    for target in (url, str(source)):
        with pytest.raises(StoreUnavailable):
            await copy_store(str(source), target)
    with pytest.raises(InputError):
        await copy_store(str(source), "redis://somewhere")


async def test_a_copy_that_differs_is_not_kept(
    source: Path, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = ServerTransfer.put

    async def careless(self: ServerTransfer, table: str, lines: list[tuple[object, ...]]) -> None:
        await put(self, table, lines[:-1] if table == "result" else lines)

    monkeypatch.setattr(ServerTransfer, "put", careless)
    with pytest.raises(StoreDamaged, match="result"):
        await copy_store(str(source), url)
    async with await PostgresStore.open(url) as store:
        assert await store.insights.runs() == []


async def test_a_copy_to_a_file_that_fails_leaves_no_file(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = FileTransfer.put

    async def careless(self: FileTransfer, table: str, lines: list[tuple[object, ...]]) -> None:
        await put(self, table, lines[:-1] if table == "result" else lines)

    monkeypatch.setattr(FileTransfer, "put", careless)
    target = tmp_path / "target.sqlite"
    with pytest.raises(StoreDamaged, match="result"):
        await copy_store(str(source), str(target))
    assert sorted(path.name for path in tmp_path.iterdir() if "target" in path.name) == []

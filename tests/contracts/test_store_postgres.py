"""The store on PostgreSQL, held to the suite for all, on a real server."""

import itertools
from collections.abc import Iterator

import pytest

from pg_cluster import Cluster, cluster
from tau.ports.store import Store
from tau.stores.postgres import PostgresStore
from tau.testing.clock import ManualClock, ManualProcesses
from tau.testing.store import StoreContract
from tau.testing.store_bench import Bench

pytestmark = pytest.mark.contract
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    with cluster() as made:
        yield made


class TestPostgres(StoreContract):
    @pytest.fixture(autouse=True)
    def _server(self, server: Cluster) -> None:
        self.server = server

    async def open_store(self, clock: ManualClock, processes: ManualProcesses) -> Store:
        url = self.server.url(f"store_{next(_numbers)}")
        return await PostgresStore.open(url, clock=clock, processes=processes, poll_interval_s=0.05)

    async def test_another_boot_is_the_end_of_all(self, bench: Bench) -> None:
        """Not here: another boot may be another machine, so its workers have their lease."""
        worker, _ = await bench.held()
        await bench.store.work.reap()
        bench.processes.reboot("boot-2")
        assert await bench.store.work.reap() == 0
        assert await bench.store.work.beat([worker]) == []
        await bench.pass_lease()
        assert await bench.store.work.reap() == 1

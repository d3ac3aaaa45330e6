"""Who asks at about the same time is served in one transaction."""

import asyncio
from collections.abc import Iterator, Sequence

import pytest

from pg_cluster import Cluster, cluster
from tau.domain.rollout import ClaimedRollout
from tau.stores.postgres import PostgresStore
from tau.testing.clock import ManualClock, ManualProcesses
from tau.testing.store_bench import RUN, Bench, failure, success


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    with cluster() as made:
        yield made


def transactions(server: Cluster, schema: str, table: str) -> list[int]:
    """How many rows each transaction has written into `table`."""
    found = server.sql(f"SELECT count(*) FROM {schema}.{table} GROUP BY xmin::text ORDER BY 1")
    return [int(number) for number in found.split()]


async def test_a_claim_waits_for_who_is_about_to_claim_too(server: Cluster) -> None:
    async with await PostgresStore.open(server.url("about_to")) as store:
        bench = Bench(store, ManualClock(), ManualProcesses())
        _, claims = await bench.held(3)
        await bench.submit(6)
        one, other = await bench.worker("one"), await bench.worker("other")
        under_way = asyncio.Event()

        async def first() -> Sequence[ClaimedRollout]:
            done = asyncio.ensure_future(store.work.complete(claims[0].attempt_id, success()))
            for _ in range(10):  # until it is on its way to the server
                await asyncio.sleep(0)
            under_way.set()
            await done
            return await bench.claim(one, 1)

        async def second() -> Sequence[ClaimedRollout]:
            await under_way.wait()
            return await bench.claim(other, 2)

        got = await asyncio.gather(first(), second())
        assert [len(each) for each in got] == [1, 2]
        assert transactions(server, "about_to", "held") == [2, 3]


async def test_outcomes_of_every_kind_share_a_transaction(server: Cluster) -> None:
    async with await PostgresStore.open(server.url("of_every_kind")) as store:
        bench = Bench(store, ManualClock(), ManualProcesses())
        _, claims = await bench.held(4)
        ends = [success(), failure(), success(0.5), failure(retry_in_s=0.0)]
        await asyncio.gather(
            *(
                store.work.complete(claim.attempt_id, end)
                for claim, end in zip(claims, ends, strict=True)
            )
        )
        assert transactions(server, "of_every_kind", "ended") == [4]
        assert await bench.counts() == {"succeeded": 2, "failed": 1, "requeuing": 1}
        assert [each.status for each in await store.queue.collect(
            RUN, [claim.rollout_id for claim in claims[:3]]) if each is not None
        ] == ["succeeded", "failed", "succeeded"]  # fmt: skip

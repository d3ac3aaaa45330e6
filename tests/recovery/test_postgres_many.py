"""Many processes and machines on one store, some of which are killed, as is the server."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest

from pg_cluster import Cluster, cluster
from recovery.pg_audit import faults, final_state
from recovery.pg_storm import Storm
from tau.domain.spend import Budget, Spend
from tau.errors import LeaseLost
from tau.stores.postgres import PostgresStore
from tau.stores.postgres.schema import CURRENT
from tau.testing.clock import ManualClock, ManualProcesses
from tau.testing.store_bench import Bench, success

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    with cluster() as made:
        yield made


@pytest.fixture
def schema() -> str:
    return f"many_{next(_numbers)}"


@pytest.fixture
async def machines(server: Cluster, schema: str) -> AsyncIterator[list[Bench]]:
    """Four processes on machines of their own."""
    async with AsyncExitStack() as closing:
        made = []
        for n in range(4):
            processes = ManualProcesses(boot_id=f"boot-{n}")
            store = await PostgresStore.open(server.url(schema), processes=processes)
            await closing.enter_async_context(store)
            made.append(Bench(store, ManualClock(), processes))
        yield made


async def test_nothing_is_given_twice_to_machines_that_claim_at_once(
    machines: list[Bench], server: Cluster, schema: str
) -> None:
    await machines[0].run()
    submitted = await machines[0].submit(120)
    taken: list[str] = []

    async def work(bench: Bench) -> None:
        worker = await bench.worker(lease_ms=60_000)
        while claims := await bench.claim(worker, 3):
            taken.extend(claim.rollout_id for claim in claims)
            for claim in claims:
                await bench.store.work.complete(claim.attempt_id, success())

    await asyncio.gather(*(work(bench) for bench in machines))

    # A machine that saw everything locked by others has left early; nothing may be left over.
    await work(machines[0])
    assert sorted(taken) == sorted(submitted)
    assert await machines[1].counts() == {"succeeded": 120}
    assert faults(server, schema) == []


async def test_machines_together_do_not_overspend(
    machines: list[Bench], server: Cluster, schema: str
) -> None:
    await machines[0].run(budget=Budget(rollouts=25, calls=50))
    await machines[0].submit(60, reserve=Spend(rollouts=1, calls=2, tokens=9))
    workers = [await bench.worker(lease_ms=60_000) for bench in machines]
    taken = await asyncio.gather(
        *(
            bench.claim(worker, 7)
            for _ in range(3)
            for bench, worker in zip(machines, workers, strict=True)
        )
    )
    assert sum(map(len, taken)) == 25
    assert faults(server, schema) == []


async def test_an_outcome_and_the_loss_of_its_worker_exclude_each_other(
    machines: list[Bench], server: Cluster, schema: str
) -> None:
    """One machine records what another one takes away at the same moment."""
    here, there = machines[:2]
    await here.run()
    await here.submit(40)
    accepted = 0
    for _ in range(12):
        worker = await here.worker(lease_ms=60_000)
        claims = await here.claim(worker, 3)
        answers = await asyncio.gather(
            *(here.store.work.complete(claim.attempt_id, success()) for claim in claims),
            there.store.work.retire([worker]),
            return_exceptions=True,
        )
        assert all(answer is None or isinstance(answer, LeaseLost) for answer in answers)
        accepted += answers[:-1].count(None)

    assert (await here.counts()).get("succeeded", 0) == accepted
    assert faults(server, schema) == []


async def test_a_schema_is_made_once_by_many_at_the_same_time(server: Cluster) -> None:
    url = server.url(f"made_{next(_numbers)}")
    opened = await asyncio.gather(*(PostgresStore.open(url) for _ in range(5)))
    assert [(await store.insights.facts()).schema_version for store in opened] == [CURRENT] * 5
    for store in opened:
        await store.aclose()


def undisturbed(server: Cluster) -> list[str]:
    """What the run comes to when nothing happens to it."""
    with Storm(server, "undisturbed", chance=random.Random(0)) as storm:
        storm.finish()
    return final_state(server, "undisturbed")


def storms(server: Cluster, number: int, *, rounds: int) -> None:
    """Run after run, each through some kills; every one ends as if nothing had happened."""
    expected = undisturbed(server)
    for seed in range(number):
        schema = f"storm_{seed}"
        chance = random.Random(seed)
        targets = rounds * ["drive", "help", "server"]
        chance.shuffle(targets)
        with Storm(server, schema, chance=chance) as storm:
            for target in targets:
                storm.kill_in_mid_work(target)
            storm.finish()
        assert sorted(storm.killed) == sorted(targets)
        assert faults(server, schema) == [], f"seed {seed}"
        assert final_state(server, schema) == expected, f"seed {seed}"
        assert storm.missing() == [], f"seed {seed}"


@pytest.mark.storm
@pytest.mark.timeout(300)
def test_a_storm_of_kills_loses_and_doubles_nothing() -> None:
    """Workers, the trainer and the server die by SIGKILL; what was acknowledged stands."""
    with cluster(durable=True, settings=["synchronous_commit=on"]) as server:
        storms(server, 1, rounds=2)


@pytest.mark.storm
@pytest.mark.acceptance
@pytest.mark.timeout(3600)
def test_180_kills_lose_and_double_nothing() -> None:
    with cluster(durable=True, settings=["synchronous_commit=on"]) as server:
        storms(server, 20, rounds=3)

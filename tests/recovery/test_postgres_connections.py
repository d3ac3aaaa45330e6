"""Connections lost before a commit, after it, or in silence: nothing lost, nothing doubled."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator

import pytest

from pg_cluster import Cluster, cluster
from recovery.pg_audit import faults
from recovery.pg_proxy import Fault, Proxy, proxied
from tau.domain.ids import RunId
from tau.domain.rollout import ClaimedRollout
from tau.domain.run import RunStatus
from tau.domain.worker import WorkerRole
from tau.errors import LeaseLost, StoreUnavailable
from tau.stores.postgres import PostgresStore
from tau.stores.postgres.notices import Notices
from tau.testing.clock import ManualClock, ManualProcesses
from tau.testing.store_bench import RUN, Bench, success

_numbers = itertools.count(1)
STRIKES = (Fault.BEFORE_COMMIT, Fault.AFTER_COMMIT, Fault.MUTE_AFTER_COMMIT)


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    with cluster() as made:
        yield made


@pytest.fixture
def schema() -> str:
    return f"lost_{next(_numbers)}"


@pytest.fixture
async def proxy(server: Cluster) -> AsyncIterator[Proxy]:
    async with proxied(server.port) as made:
        yield made


@pytest.fixture
async def bench(server: Cluster, proxy: Proxy, schema: str) -> AsyncIterator[Bench]:
    """A store behind the proxy, which takes a second of silence for a lost connection."""
    processes = ManualProcesses()
    url = server.url(schema, port=proxy.port)
    store = await PostgresStore.open(
        url, processes=processes, answer_s=1.0, patience_s=10.0, poll_interval_s=0.05
    )
    async with store:
        yield Bench(store, ManualClock(), processes)


@pytest.mark.parametrize("strike", STRIKES)
async def test_a_write_whose_connection_is_lost_happens_once(
    bench: Bench, proxy: Proxy, server: Cluster, schema: str, strike: Fault
) -> None:
    async def struck() -> None:
        assert proxy.fault is Fault.NONE, "the fault has struck"

    proxy.fault = strike
    await bench.run()
    await struck()
    proxy.fault = strike
    submitted = await bench.submit(6)
    await struck()
    proxy.fault = strike
    worker = await bench.worker(lease_ms=60_000)
    await struck()
    proxy.fault = strike
    claims = list(await bench.claim(worker, 4))
    await struck()
    proxy.fault = strike
    await asyncio.gather(
        *(bench.store.work.complete(claim.attempt_id, success()) for claim in claims)
    )
    await struck()
    proxy.fault = strike
    published = await bench.store.resources.publish(
        await bench.store.work.resources(claims[0].resources), run_id=RUN
    )
    await struck()

    assert proxy.struck == 6
    assert [claim.rollout_id for claim in claims] == list(submitted[:4])
    assert await bench.counts() == {"succeeded": 4, "queuing": 2}
    assert published.number == 1
    assert len(await bench.store.insights.workers()) == 1
    assert faults(server, schema) == []


async def test_cut_again_and_again_while_many_work(
    bench: Bench, proxy: Proxy, server: Cluster, schema: str
) -> None:
    await bench.run()
    await bench.submit(90)
    hands = [await bench.worker(f"w{n}", lease_ms=60_000) for n in range(6)]
    done: list[ClaimedRollout] = []

    async def work(number: int) -> None:
        while claims := await bench.claim(hands[number], 3):
            for claim in claims:
                await asyncio.sleep(0.01)  # a model call
                await bench.store.work.complete(claim.attempt_id, success())
                done.append(claim)

    async def meddle() -> None:
        """Strike, and cut what goes on, at every so many that are done."""
        for strike, due in zip(itertools.cycle(STRIKES), range(10, 70, 20), strict=False):
            await so_far(due)
            proxy.fault = strike
            await so_far(due + 10)
            proxy.cut()

    async def so_far(wanted: int) -> None:
        while len(done) < wanted:  # noqa: ASYNC110  (done is no event)
            await asyncio.sleep(0.005)

    await asyncio.gather(meddle(), *(work(number) for number in range(6)))

    assert proxy.struck == 3
    assert len({claim.rollout_id for claim in done}) == len(done) == 90
    assert await bench.counts() == {"succeeded": 90}
    assert faults(server, schema) == []


async def test_connections_that_hang_open_are_noticed_and_replaced(
    bench: Bench, proxy: Proxy, server: Cluster, schema: str
) -> None:
    """Neither end hears of the network's end: nothing is lost, nothing done twice."""
    await bench.run()
    submitted = await bench.submit(12)
    worker = await bench.worker(lease_ms=60_000)
    done: list[ClaimedRollout] = []
    for _ in range(3):
        claims = await bench.claim(worker, 4)
        proxy.silence()
        await asyncio.gather(
            *(bench.store.work.complete(claim.attempt_id, success()) for claim in claims),
            bench.store.queue.counts(RUN),
            asyncio.to_thread(asyncio.run, bench.store.work.beat([worker])),
        )
        done += claims
        proxy.silence()
        assert await bench.counts() == {
            name: number
            for name, number in (("succeeded", len(done)), ("queuing", 12 - len(done)))
            if number
        }
    assert [claim.rollout_id for claim in done] == list(submitted)
    assert faults(server, schema) == []


async def test_slow_answers_are_waited_for(bench: Bench, proxy: Proxy) -> None:
    proxy.delay_s = 0.03
    await bench.run()
    await bench.submit(2)
    assert len(await bench.claim(await bench.worker())) == 2


async def test_a_server_that_is_away_is_told_and_its_return_noticed(
    server: Cluster, schema: str
) -> None:
    async with proxied(server.port) as proxy:
        url = server.url(schema, port=proxy.port)
        store = await PostgresStore.open(url, patience_s=0.3)
        async with store:
            proxy._server_port = 1  # nobody listens there
            proxy.cut()
            with pytest.raises(StoreUnavailable) as told:
                await store.queue.counts(RunId("any"))
            assert "postgres@" in str(told.value)
            proxy._server_port = server.port
            assert await store.insights.runs() == []


async def test_what_others_do_is_noticed_without_notices(
    server: Cluster, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NOTIFY is a courtesy: those who wait find out by themselves."""
    monkeypatch.setattr(Notices, "_start_sending", lambda self: None)
    processes = ManualProcesses()
    url = server.url(schema)
    async with (
        await PostgresStore.open(url, processes=processes, poll_interval_s=0.05) as one,
        await PostgresStore.open(url, processes=processes, poll_interval_s=0.05) as other,
    ):
        here, there = (Bench(each, ManualClock(), processes) for each in (one, other))
        await here.run()
        waiting = asyncio.ensure_future(other.work.wait_ready(timeout_s=30))
        await here.submit(1)
        async with asyncio.timeout(50):
            assert await waiting
        claim = (await there.claim(await there.worker()))[0]
        await one.queue.counts(RUN)
        waiting = asyncio.ensure_future(one.queue.wait_settled(RUN, timeout_s=30))
        await other.work.complete(claim.attempt_id, success())
        async with asyncio.timeout(50):
            assert await waiting


async def test_machines_whose_clocks_differ_by_an_hour(
    server: Cluster, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Leases are the database's: no lease is lost early, and none is kept for ever."""
    hour_ms = 3_600_000
    monkeypatch.setattr("tau.ports.clock.SystemClock.unix_ms", lambda self: hour_ms)
    processes = ManualProcesses()
    away = processes.start()
    processes.hide(away)
    url = server.url(schema)
    async with (
        await PostgresStore.open(url, processes=processes) as one,
        await PostgresStore.open(url, processes=ManualProcesses(boot_id="boot-9")) as other,
    ):
        bench = Bench(one, ManualClock(), processes)
        await bench.run()
        await bench.submit(2)
        kept = await bench.worker("kept", lease_ms=60_000)
        silent = await bench.worker("silent", lease_ms=60_000, process=away)
        await bench.claim(kept, 1)
        await bench.claim(silent, 1)
        assert await other.work.reap() == 0
        server.sql(f"UPDATE {schema}.worker SET heartbeat_ms = heartbeat_ms - 60001 "
                   "WHERE name = 'silent'")  # fmt: skip
        assert await other.work.reap() == 1
        assert await one.work.beat([kept, silent]) == [silent]
        assert await bench.counts() == {"running": 1, "requeuing": 1}


async def test_one_trainer_per_run(server: Cluster, schema: str) -> None:
    """Of many that want to drive a run at once, one does."""
    url = server.url(schema)
    async with (
        await PostgresStore.open(url, processes=ManualProcesses(boot_id="a")) as one,
        await PostgresStore.open(url, processes=ManualProcesses(boot_id="b")) as other,
    ):
        benches = [
            Bench(each, ManualClock(), ManualProcesses(boot_id=f"boot-{n}"))
            for n, each in enumerate((one, other))
        ]
        await benches[0].run()
        wanting = [
            await bench.worker("trainer", role=WorkerRole.TRAINER, lease_ms=60_000)
            for bench in benches * 4
        ]
        answers = await asyncio.gather(
            *(bench.adopt(who) for bench, who in zip(benches * 4, wanting, strict=True)),
            return_exceptions=True,
        )
        driving = [answer for answer in answers if not isinstance(answer, BaseException)]
        assert [run.status for run in driving] == [RunStatus.RUNNING]
        assert (await one.runs.get(RUN)).trainer == driving[0].trainer


async def test_an_outcome_that_could_not_even_be_asked_about_is_known_again(
    server: Cluster, schema: str
) -> None:
    """The commit happened, its answer was lost, and the server stayed away for too long."""
    async with proxied(server.port) as proxy:
        processes = ManualProcesses()
        url = server.url(schema, port=proxy.port)
        store = await PostgresStore.open(url, processes=processes, patience_s=0.2)
        async with store:
            bench = Bench(store, ManualClock(), processes)
            await bench.run()
            await bench.submit(2)
            worker = await bench.worker(lease_ms=60_000)
            first, second = await bench.claim(worker)
            proxy.fault = Fault.AFTER_COMMIT
            proxy._server_port = 1  # connections that are there stay, new ones are refused
            with pytest.raises(StoreUnavailable):
                await store.work.complete(first.attempt_id, success(0.5))
            proxy._server_port = server.port
            with pytest.raises(LeaseLost):
                await store.work.complete(first.attempt_id, success(0.75))
            await store.work.complete(first.attempt_id, success(0.5))
            await store.work.complete(second.attempt_id, success(1.0))
            with pytest.raises(LeaseLost):
                await store.work.complete(second.attempt_id, success(1.0))
            assert await bench.counts() == {"succeeded": 2}
    assert faults(server, schema) == []

"""Workers as a whole: started, drained, stopped, halted; nothing lost on the way."""

import asyncio
import gc
import tracemalloc
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tau.domain.dataset import Example
from tau.domain.draws import uniform
from tau.domain.resources import Resources
from tau.domain.rollout import Output, RolloutResult, RolloutStatus
from tau.domain.run import RunStatus
from tau.domain.spend import Spend
from tau.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    ExampleInvalid,
    MalformedResponse,
    RateLimited,
    ServerFailed,
)
from tau.ports.record import Recorder
from tau.runner.health import RunnerState
from unit.runner.working import SOON, Bench, Echo, asking, bench, echo, job, quick, until


class Gate:
    """Executions wait here until they are let through."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.started = 0
        self._begun = asyncio.Event()
        self.cancelled = 0

    async def execute(self, example: Example, resources: Resources, record: Recorder) -> Output:
        self.started += 1
        self._begun.set()
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return Output(text=example.prompt or "")

    async def wait_started(self, number: int) -> None:
        async with asyncio.timeout(10):
            while self.started < number:
                self._begun.clear()
                await self._begun.wait()


async def test_as_many_rollouts_are_in_flight_as_asked_for(table: Bench) -> None:
    gate = Gate()
    ids = await table.submit(*(f"q{n}" for n in range(10)))

    async with table.supervisor(job(gate.execute), quick(workers=2, concurrency=3)) as supervisor:
        await gate.wait_started(6)
        await asyncio.sleep(0.05)
        assert (supervisor.in_flight, gate.started) == (6, 6)
        names = {worker.name for worker in await table.store.insights.workers()}
        gate.open.set()
        await table.settled(ids)
        await asyncio.sleep(0.05)
        assert supervisor.in_flight == 0

    assert names == {"trainer-worker-1", "trainer-worker-2"}


async def test_claims_follow_events_and_do_not_wait_for_the_poll(table: Bench) -> None:
    patient = replace(quick(), poll_interval_ms=60_000)
    async with table.supervisor(job(echo), patient):
        await asyncio.sleep(0.05)
        for n in range(5):
            await table.settled(await table.submit(f"q{n}"), within_s=10)


async def test_draining_lets_what_is_in_flight_finish_and_claims_no_more(table: Bench) -> None:
    gate = Gate()
    ids = await table.submit(*(f"q{n}" for n in range(5)))

    async with table.supervisor(job(gate.execute), quick(concurrency=2)) as supervisor:
        await gate.wait_started(2)
        draining = asyncio.ensure_future(supervisor.drain())
        await asyncio.sleep(0.05)
        assert supervisor.health().state is RunnerState.DRAINING
        assert not draining.done()
        gate.open.set()
        await asyncio.wait_for(draining, 5)
        assert supervisor.health().state is RunnerState.STOPPED

    results = await table.store.queue.collect(table.run_id, ids)
    assert [r.status if r else None for r in results] == [RolloutStatus.SUCCEEDED] * 2 + [None] * 3
    assert (gate.started, gate.cancelled) == (2, 0)
    assert await table.store.insights.workers() == []


async def test_stopping_gives_everything_back_uncounted(table: Bench) -> None:
    gate = Gate()
    model = Echo()

    async def execute(example: Example, resources: Resources, record: Recorder) -> Output:
        await asking(model)(example, resources, record)
        return await gate.execute(example, resources, record)

    ids = await table.submit(*(f"q{n}" for n in range(5)))
    async with table.supervisor(job(execute, calls=1), quick(concurrency=2)):
        await gate.wait_started(2)

    assert gate.cancelled == 2
    assert await table.statuses() == {RolloutStatus.REQUEUING: 2, RolloutStatus.QUEUING: 3}
    assert await table.store.insights.workers() == []
    run = await table.store.runs.get(table.run_id)
    assert run.spent == Spend(calls=2, tokens=24, cost_nano_usd=2_400), "paid calls are booked"
    assert run.reserved == Spend()

    gate.open.set()
    async with table.supervisor(job(gate.execute)):
        results = await table.settled(ids)
    assert {r.status for r in results} == {RolloutStatus.SUCCEEDED}


async def test_drain_then_stop_ends_a_drain_that_takes_too_long(table: Bench) -> None:
    gate = Gate()
    await table.submit("q")
    supervisor = table.supervisor(job(gate.execute))
    await supervisor.start()
    await gate.wait_started(1)

    draining = asyncio.ensure_future(supervisor.drain())
    await asyncio.sleep(0.02)
    await supervisor.stop()
    await asyncio.wait_for(draining, 1)
    await supervisor.stop()

    assert await table.statuses() == {RolloutStatus.REQUEUING: 1}


async def test_stopping_at_any_moment_loses_nothing(table: Bench) -> None:
    ids = await table.submit(*(f"q{n}" for n in range(200)))

    async def execute(example: Example, resources: Resources, record: Recorder) -> Output:
        await asyncio.sleep(0.001)
        return Output(text=example.prompt or "")

    for moment in range(25):
        async with table.supervisor(job(execute), quick(workers=2, concurrency=8)):
            await asyncio.sleep(0.0007 * moment)
        counts = await table.store.queue.counts(table.run_id)
        assert counts.in_flight == 0
        assert counts.total == 200
        assert await table.store.insights.workers() == []

    async with table.supervisor(job(execute), quick(concurrency=16)):
        results = await table.settled(ids)
    assert {r.status for r in results} == {RolloutStatus.SUCCEEDED}
    assert [r.output.text for r in results if r.output] == [f"q{n}" for n in range(200)]


async def test_a_paused_run_is_left_alone(table: Bench) -> None:
    async with table.supervisor(job(echo)) as supervisor:
        await table.store.runs.set_status(table.run_id, RunStatus.PAUSED)
        ids = await table.submit("q")
        await asyncio.sleep(0.1)
        assert supervisor.health().completed == 0
        await table.store.runs.set_status(table.run_id, RunStatus.RUNNING)
        (result,) = await table.settled(ids)

    assert result.status is RolloutStatus.SUCCEEDED


async def refuse(example: Example, resources: Resources, record: Recorder) -> Output:
    raise AuthenticationFailed("the key was refused", status=401)


async def test_without_fail_fast_every_rollout_fails_for_itself(table: Bench) -> None:
    results = await table.done(job(refuse), *(f"q{n}" for n in range(20)))

    assert {r.status for r in results} == {RolloutStatus.FAILED}


async def test_fail_fast_halts_with_the_cause(table: Bench) -> None:
    await table.submit(*(f"q{n}" for n in range(50)))
    settings = quick(concurrency=1, fail_fast=True)

    async with table.supervisor(job(refuse), settings) as supervisor:
        await until(lambda: supervisor.health().state is RunnerState.HALTED)
        await asyncio.sleep(0.1)
        health = supervisor.health()

    assert health.reason == "3 rollouts in a row failed: the key was refused"
    assert await table.statuses() == {RolloutStatus.FAILED: 3, RolloutStatus.QUEUING: 47}


def misfortune(example: Example, tries: Counter[str]) -> None:
    """Fail by what hashes say: some for good, some until a later attempt."""
    name = example.prompt or ""
    draw = uniform(1, "fault", name)
    tries[name] += 1
    if draw < 0.05:
        raise ExampleInvalid("bad row")
    if draw < 0.10:
        raise ZeroDivisionError
    if draw < 0.13:
        raise MemoryError
    if draw < 0.40 and tries[name] <= 1 + int(draw * 10):
        raise (RateLimited, ServerFailed, ConnectionFailed, MalformedResponse)[int(draw * 100) % 4](
            "for now", retry_after_s=0.001 if draw < 0.2 else None
        )
    if 0.40 <= draw < 0.43:
        raise asyncio.CancelledError


async def test_a_thousand_rollouts_with_all_sorts_of_faults_settle(tmp_path: Path) -> None:
    table = await bench(tmp_path / "store.sqlite")
    tries: Counter[str] = Counter()

    async def execute(example: Example, resources: Resources, record: Recorder) -> Output:
        misfortune(example, tries)
        if uniform(1, "slow", example.prompt or "") < 0.02:
            await asyncio.sleep(60)
        return Output(text=example.prompt or "")

    rows = [f"q{n}" for n in range(1_000)]
    ids = await table.submit(*rows)
    # Far beyond what a good one takes, on a busy machine too; the slow ones wait side by side.
    settings = quick(workers=4, concurrency=32, time_limit_s=2)
    async with table.supervisor(job(execute, retry=SOON), settings) as supervisor:
        results = await table.settled(ids, within_s=50)
        await supervisor.drain()
        health = supervisor.health()
    counts = await table.store.queue.counts(table.run_id)
    await table.store.aclose()

    assert counts.settled == counts.total == 1_000
    assert_each_as_its_faults_say(results, rows)
    assert (health.lost, health.restarts, health.unwritten) == (0, 0, 0)
    assert sum(r.attempts for r in results) == sum(tries.values())


def assert_each_as_its_faults_say(results: list[RolloutResult], rows: list[str]) -> None:
    expected: dict[str, bool] = {}
    for row in rows:
        draw = uniform(1, "fault", row)
        bad = draw < 0.13 or 0.40 <= draw < 0.43 or uniform(1, "slow", row) < 0.02
        expected[row] = not bad
    for row, result in zip(rows, results, strict=True):
        good = result.status is RolloutStatus.SUCCEEDED
        assert good == expected[row], (row, result.failure)
        if good:
            assert result.output is not None
            assert result.output.text == row


async def test_memory_does_not_grow_with_the_number_of_rollouts(table: Bench) -> None:
    async def batch(name: str) -> None:
        ids = await table.submit(*(f"{name} {n} {'x' * 1_000}" for n in range(150)))
        await table.settled(ids)

    async with table.supervisor(job(asking(Echo()), calls=1), quick(concurrency=16)) as supervisor:
        tracemalloc.start()
        try:
            await batch("warm")
            gc.collect()
            before = tracemalloc.get_traced_memory()[0]
            for n in range(3):
                await batch(f"batch {n}")
            gc.collect()
            grown = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
        await supervisor.drain()  # an outcome is counted just after it is settled in the store
        assert supervisor.health().completed == 600

    assert grown / 450 < 200, f"{grown / 450:.0f} bytes a rollout"


@pytest.mark.parametrize("workers", [1, 5])
async def test_a_supervisor_without_work_starts_and_stops(table: Bench, workers: int) -> None:
    async with table.supervisor(job(echo), quick(workers=workers)) as supervisor:
        await asyncio.sleep(0.05)
        assert supervisor.health().state is RunnerState.WORKING
        assert len(supervisor.workers) == workers

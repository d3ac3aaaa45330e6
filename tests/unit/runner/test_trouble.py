"""A store in trouble, leases in doubt, a busy event loop: what was done is not lost."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import pytest

from tau.domain.dataset import Example
from tau.domain.ids import AttemptId
from tau.domain.resources import Resources
from tau.domain.rollout import Outcome, Output, RolloutStatus
from tau.domain.worker import WorkerRole
from tau.errors import StoreError, StoreFull, StoreUnavailable
from tau.ports.processes import SystemProcesses
from tau.ports.record import Recorder
from tau.ports.store import Store, Work
from tau.runner.health import RunnerState
from tau.runner.supervisor import Supervisor
from tau.stores.sqlite import SqliteStore
from unit.runner.working import Bench, bench, echo, job, quick, until


class Trouble:
    """The work of a real store, some of whose calls fail while `failing` says so."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self.failing: dict[str, StoreError] = {}
        self.calls: dict[str, int] = {}

    def __getattr__(self, name: str) -> Callable[..., Awaitable[object]]:
        async def call(*args: object, **kwargs: object) -> object:
            self.calls[name] = self.calls.get(name, 0) + 1
            if name in self.failing:
                raise self.failing[name]
            return await getattr(self._work, name)(*args, **kwargs)

        return call


class Troubled:
    """A store around `Trouble`."""

    def __init__(self, store: Store) -> None:
        self.trouble = Trouble(store.work)
        self.work = cast("Work", self.trouble)
        self.store = store

    def __getattr__(self, name: str) -> object:
        return getattr(self.store, name)


def troubled(table: Bench) -> Trouble:
    around = Troubled(table.store)
    table.store = cast("Store", around)
    return around.trouble


FULL = StoreFull("no space left")


async def test_finished_outcomes_wait_for_space_and_nothing_is_claimed_meanwhile(
    table: Bench,
) -> None:
    trouble = troubled(table)
    executed = []

    async def execute(example: Example, resources: Resources, record: Recorder) -> Output:
        executed.append(example.prompt)
        return Output(text=example.prompt or "")

    ids = await table.submit(*(f"q{n}" for n in range(6)))
    trouble.failing["complete"] = FULL
    async with table.supervisor(job(execute), quick(concurrency=2)) as supervisor:
        await until(lambda: trouble.calls.get("complete", 0) >= 4)
        health = supervisor.health()
        assert (health.state, health.reason) == (RunnerState.WAITING_FOR_STORE, "no space left")
        assert (health.unwritten, health.in_flight) == (2, 2)
        claims = trouble.calls["claim"]
        await asyncio.sleep(0.1)
        assert trouble.calls["claim"] == claims
        trouble.failing.clear()
        results = await table.settled(ids)
        await until(lambda: supervisor.health().state is RunnerState.WORKING)

    assert {r.status for r in results} == {RolloutStatus.SUCCEEDED}
    assert len(executed) == 6, "nothing was executed twice"


async def test_free_slots_claim_nothing_while_outcomes_wait(table: Bench) -> None:
    trouble = troubled(table)
    first = await table.submit("q0", "q1")
    trouble.failing["complete"] = FULL
    async with table.supervisor(job(echo), quick(concurrency=4)) as supervisor:
        await until(lambda: supervisor.health().unwritten == 2)
        more = await table.submit("q2", "q3")
        await asyncio.sleep(0.1)
        assert supervisor.in_flight == 2
        trouble.failing.clear()
        results = await table.settled([*first, *more])

    assert {r.status for r in results} == {RolloutStatus.SUCCEEDED}


async def test_a_shutdown_while_registering_leaves_no_worker_behind(table: Bench) -> None:
    registered, go_on = asyncio.Event(), asyncio.Event()
    real = table.store.work.register

    class Slow(Trouble):
        async def register(self, **kwargs: object) -> object:
            worker = await real(**kwargs)  # type: ignore[arg-type]  # passed on as they are
            registered.set()
            await go_on.wait()
            return worker

    around = Troubled(table.store)
    around.work = cast("Work", Slow(table.store.work))
    supervisor = Supervisor(cast("Store", around), job(echo), quick(), run_id=table.run_id)
    await supervisor.start()
    await registered.wait()

    stopping = asyncio.ensure_future(supervisor.stop())
    await asyncio.sleep(0.02)
    go_on.set()
    await stopping

    assert await table.store.insights.workers() == []


async def test_a_shutdown_with_a_full_store_ends(table: Bench) -> None:
    trouble = troubled(table)
    await table.submit("q")
    trouble.failing["complete"] = FULL

    async with table.supervisor(job(echo)) as supervisor:
        await until(lambda: supervisor.health().unwritten == 1)
        trouble.failing.clear()

    assert await table.statuses() == {RolloutStatus.SUCCEEDED: 1}, "the last try got through"


async def test_a_shutdown_with_a_store_that_stays_full_ends_too(table: Bench) -> None:
    trouble = troubled(table)
    await table.submit("q")
    trouble.failing["complete"] = FULL

    async with table.supervisor(job(echo)) as supervisor:
        await until(lambda: supervisor.health().unwritten == 1)

    assert await table.statuses() == {RolloutStatus.REQUEUING: 1}


async def test_failed_claims_are_retried_and_told_to_the_rollout(table: Bench) -> None:
    trouble = troubled(table)
    trouble.failing["claim"] = StoreUnavailable("locked")
    ids = await table.submit("first", "second")

    async with table.supervisor(job(echo), quick(concurrency=1)) as supervisor:
        await until(lambda: trouble.calls.get("claim", 0) >= 3)
        assert supervisor.health().reason == "locked"
        trouble.failing.clear()
        first, second = await table.settled(ids)
        health = supervisor.health()

    notes = {reward.name: reward.score for reward in first.rewards}
    assert notes["runner.poll_retry_failures_before_rollout"] == health.claim_failures >= 3
    assert (notes["runner.poll_retry_backoff_ms_before_rollout"] or 0) > 0
    assert [reward.name for reward in second.rewards] == ["runner.execution_success"]
    assert health.state is RunnerState.WORKING


async def test_resources_that_cannot_be_read_for_now_cost_no_attempt(table: Bench) -> None:
    trouble = troubled(table)
    trouble.failing["resources"] = StoreUnavailable("locked")
    ids = await table.submit("q")

    async with table.supervisor(job(echo)):
        await until(lambda: trouble.calls.get("release", 0) >= 1)
        trouble.failing.clear()
        (result,) = await table.settled(ids)

    assert result.status is RolloutStatus.SUCCEEDED


async def test_a_worker_that_cannot_register_tries_again(table: Bench) -> None:
    trouble = troubled(table)
    trouble.failing["register"] = StoreUnavailable("locked")
    ids = await table.submit("q")

    async with table.supervisor(job(echo)) as supervisor:
        await until(lambda: supervisor.health().restarts >= 2)
        assert "locked" in (supervisor.health().reason or "")
        trouble.failing.clear()
        (result,) = await table.settled(ids)

    assert result.status is RolloutStatus.SUCCEEDED


async def test_writing_an_outcome_is_shielded_from_cancellation(table: Bench) -> None:
    writing, go_on = asyncio.Event(), asyncio.Event()
    real = table.store.work.complete

    class Slow(Trouble):
        async def complete(self, attempt: AttemptId, outcome: Outcome) -> None:
            writing.set()
            await go_on.wait()
            await real(attempt, outcome)

    around = Troubled(table.store)
    around.work = cast("Work", Slow(table.store.work))
    ids = await table.submit("q")
    supervisor = Supervisor(cast("Store", around), job(echo), quick(), run_id=table.run_id)
    await supervisor.start()
    await writing.wait()

    stopping = asyncio.ensure_future(supervisor.stop())
    await asyncio.sleep(0.05)
    assert not stopping.done()
    go_on.set()
    await stopping

    (result,) = await table.settled(ids)
    assert result.status is RolloutStatus.SUCCEEDED


async def test_a_blocked_event_loop_keeps_its_leases(tmp_path: Path) -> None:
    table = await bench(tmp_path / "store.sqlite")

    async def execute(example: Example, resources: Resources, record: Recorder) -> Output:
        time.sleep(2.5)  # noqa: ASYNC251  (the point: nothing else runs on this loop)
        return Output(text="done")

    reaping = asyncio.create_task(asyncio.to_thread(reap_for, tmp_path / "store.sqlite", 3.0))
    await asyncio.sleep(0.2)
    (result,) = await table.done(job(execute), "q", settings=quick(heartbeat_ms=500))
    reaped = await reaping
    await table.store.aclose()

    assert (result.status, result.attempts) == (RolloutStatus.SUCCEEDED, 1)
    assert reaped == 0


def reap_for(location: Path, seconds: float) -> int:
    """Reap from an engine of another event loop; how many attempts were given up."""

    async def reap() -> int:
        async with await SqliteStore.open(location) as store:
            end = time.monotonic() + seconds
            reaped = 0
            while time.monotonic() < end:
                reaped += await store.work.reap()
                await asyncio.sleep(0.05)
            return reaped

    with asyncio.Runner() as runner:
        return runner.run(reap())


async def test_a_worker_whose_lease_cannot_be_renewed_stops_its_work(table: Bench) -> None:
    trouble = troubled(table)
    started, cancelled = 0, 0

    async def execute(example: Example, resources: Resources, record: Recorder) -> Output:
        nonlocal started, cancelled
        started += 1
        if started > 1:
            return Output(text="second time")
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled += 1
            raise
        raise AssertionError

    ids = await table.submit("q")
    async with table.supervisor(job(execute), quick(heartbeat_ms=50)) as supervisor:
        await until(lambda: started == 1)
        (before,) = supervisor.workers
        trouble.failing["beat"] = StoreUnavailable("gone")
        await until(lambda: cancelled == 1)
        trouble.failing.clear()
        (result,) = await table.settled(ids)
        (after,) = supervisor.workers

    assert result.status is RolloutStatus.SUCCEEDED
    assert before != after, "it came back under a new identity"
    assert supervisor.health().restarts >= 1


async def test_a_heartbeat_in_trouble_does_not_discard_a_finished_result(table: Bench) -> None:
    trouble = troubled(table)

    async def execute(example: Example, resources: Resources, record: Recorder) -> Output:
        trouble.failing["beat"] = FULL
        trouble.failing["complete"] = FULL
        return Output(text="paid for")

    ids = await table.submit("q")
    async with table.supervisor(job(execute), quick(heartbeat_ms=50)) as supervisor:
        await until(lambda: supervisor.health().unwritten == 1)
        await asyncio.sleep(0.3)  # twice the lease
        trouble.failing.clear()
        (result,) = await table.settled(ids)

    assert result.output is not None
    assert (result.output.text, result.attempts) == ("paid for", 1)


async def test_a_worker_given_up_by_others_writes_nothing_more(table: Bench) -> None:
    release = asyncio.Event()
    executions = 0

    async def execute(example: Example, resources: Resources, record: Recorder) -> Output:
        nonlocal executions
        executions += 1
        number = executions
        while number == 1 and not release.is_set():
            try:  # it does not even notice that it is cancelled
                await release.wait()
            except asyncio.CancelledError:
                continue
        return Output(text=f"execution {number}")

    ids = await table.submit("q")
    settings = quick(heartbeat_ms=50, stop_grace_s=0.1)
    async with table.supervisor(job(execute), settings) as supervisor:
        await until(lambda: executions == 1)
        await table.store.work.retire(supervisor.workers)
        (result,) = await table.settled(ids)
        release.set()

    assert result.output is not None
    assert result.output.text == "execution 2"


async def test_work_left_by_a_dead_process_is_taken_over_at_the_start(tmp_path: Path) -> None:
    table = await bench(tmp_path / "store.sqlite")
    dead = SystemProcesses().this()
    gone = type(dead)(
        host=dead.host,
        boot_id=dead.boot_id,
        pid_namespace=dead.pid_namespace,
        pid=2**22 - 1,
        started_ticks=1,
    )
    ids = await table.submit("q")
    worker = await table.store.work.register(
        name="trainer-worker-1", role=WorkerRole.WORKER, process=gone, lease_ms=60_000
    )
    claims = await table.store.work.claim(worker.id, limit=1)
    assert len(claims) == 1

    async with table.supervisor(job(echo)):
        (result,) = await table.settled(ids, within_s=2)
    await table.store.aclose()

    assert result.status is RolloutStatus.SUCCEEDED


@pytest.mark.parametrize("method", ["retire", "release"])
async def test_errors_while_leaving_do_not_hide_the_end(table: Bench, method: str) -> None:
    trouble = troubled(table)
    trouble.failing[method] = StoreUnavailable("locked")
    started = asyncio.Event()

    async def execute(example: Example, resources: Resources, record: Recorder) -> Output:
        started.set()
        await asyncio.sleep(60)
        raise AssertionError

    await table.submit("q")
    async with asyncio.timeout(5):
        async with table.supervisor(job(execute)):
            await started.wait()

"""Part of the store suite: fencing, retries, reaping, adoption."""

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest

from tau.domain.failure import FailureClass
from tau.domain.ids import AttemptId, WorkerId
from tau.domain.rollout import AttemptStatus
from tau.domain.run import RunStatus
from tau.domain.span import Span, SpanKind
from tau.domain.spend import Budget, Spend
from tau.domain.worker import WorkerRole
from tau.errors import IllegalTransition, LeaseLost, RunActive
from tau.testing.store_bench import (
    LEASE_MS,
    RUN,
    Bench,
    StoreCase,
    failure,
    success,
)

TakeAway = Callable[[Bench, WorkerId, AttemptId], Awaitable[object]]


def a_span(sequence: int, parent: int | None = None, name: str = "chat") -> Span:
    """One span."""
    return Span(
        sequence=sequence,
        parent=parent,
        name=name,
        kind=SpanKind.MODEL_CALL,
        start_unix_ns=sequence,
        end_unix_ns=sequence + 1,
        attributes={"gen_ai.usage.input_tokens": 12},
    )


async def reaped(bench: Bench, worker: WorkerId, attempt: AttemptId) -> None:
    """The worker was silent for too long."""
    await bench.pass_lease()
    assert await bench.store.work.reap() == 1


async def released(bench: Bench, worker: WorkerId, attempt: AttemptId) -> None:
    """The worker gave it back."""
    await bench.store.work.release([attempt])


async def retired(bench: Bench, worker: WorkerId, attempt: AttemptId) -> None:
    """The worker left."""
    await bench.store.work.retire([worker])


async def cancelled(bench: Bench, worker: WorkerId, attempt: AttemptId) -> None:
    """The rollout was cancelled."""
    await bench.store.queue.cancel(RUN, in_flight=True)


async def revoked(bench: Bench, worker: WorkerId, attempt: AttemptId) -> None:
    """A trainer found the worker's process gone."""
    bench.processes.kill(bench.processes.this())
    bench.processes.become(bench.processes.start())
    await bench.driver(process=bench.processes.this())


async def completed(bench: Bench, worker: WorkerId, attempt: AttemptId) -> None:
    """It is done already."""
    await bench.store.work.complete(attempt, success())


ENDS: list[TakeAway] = [reaped, released, retired, cancelled, revoked, completed]


class FencingContract(StoreCase):
    """A write by an attempt or worker that is over changes nothing."""

    @pytest.mark.parametrize("end", ENDS)
    async def test_an_attempt_that_is_over_cannot_write(self, bench: Bench, end: TakeAway) -> None:
        worker, claims = await bench.held()
        attempt, rollout = claims[0].attempt_id, claims[0].rollout_id
        await end(bench, worker, attempt)
        before = await bench.store.insights.rollout(rollout), await bench.counts()
        for outcome in (success(0.5, text="late"), failure(0.0), failure()):
            with pytest.raises(LeaseLost):
                await bench.store.work.complete(attempt, outcome)
        with pytest.raises(LeaseLost):
            await bench.store.work.append_spans(attempt, [a_span(1)])
        await bench.store.work.release([attempt], spent=Spend(calls=9))

        assert (await bench.store.insights.rollout(rollout), await bench.counts()) == before

    @pytest.mark.parametrize("end", [reaped, released, retired, revoked])
    async def test_the_next_attempt_is_not_touched_by_the_last(
        self, bench: Bench, end: TakeAway
    ) -> None:
        worker, claims = await bench.held()
        await end(bench, worker, claims[0].attempt_id)
        new = (await bench.claim(await bench.worker("other")))[0]
        assert (new.rollout_id, new.attempt) == (claims[0].rollout_id, 2)
        with pytest.raises(LeaseLost):
            await bench.store.work.complete(claims[0].attempt_id, success(0.0, text="stale"))
        await bench.store.work.complete(new.attempt_id, success(1.0, text="fresh"))

        result = await bench.result(new.rollout_id)
        assert result is not None
        assert result.output is not None
        assert (result.output.text, result.score, result.attempts) == ("fresh", 1.0, 2)

    @pytest.mark.parametrize("end", [reaped, retired])
    async def test_a_worker_that_was_given_up_gets_nothing(
        self, bench: Bench, end: TakeAway
    ) -> None:
        worker, claims = await bench.held()
        other = await bench.worker("other", lease_ms=10 * LEASE_MS)
        await end(bench, worker, claims[0].attempt_id)

        assert await bench.store.work.beat([worker, other]) == [worker]
        with pytest.raises(LeaseLost):
            await bench.claim(worker)
        with pytest.raises(LeaseLost):
            await bench.claim(WorkerId("nobody"))
        listed = {each.id for each in await bench.store.insights.workers()}
        everyone = await bench.store.insights.workers(include_retired=True)
        assert listed == {other}
        assert {each.id: each.retired for each in everyone} == {worker: True, other: False}

    async def test_every_registration_is_somebody_new(self, bench: Bench) -> None:
        same = [await bench.worker("twin") for _ in range(3)]

        assert len(set(same)) == 3


class RetryContract(StoreCase):
    """Failures go back to the queue when they should."""

    async def test_a_retry_waits_for_its_time(self, bench: Bench) -> None:
        worker, claims = await bench.held(2)
        await bench.store.work.complete(claims[0].attempt_id, failure(1.5))
        queue = bench.store.queue
        assert await queue.next_ready_ms(RUN) == 1500
        bench.clock.advance(1499)
        bench.clock.jump_wall(3_600_000)
        assert (await bench.claim(worker), await queue.next_ready_ms(RUN)) == ([], 1)
        bench.clock.advance(1)
        assert await queue.next_ready_ms(RUN) == 0
        assert [claim.attempt for claim in await bench.claim(worker)] == [2]
        assert await queue.next_ready_ms(RUN) is None

    async def test_a_retry_keeps_its_place(self, bench: Bench) -> None:
        worker, claims = await bench.held(2)
        await bench.submit(4)
        await bench.store.work.complete(claims[1].attempt_id, failure(0.0))

        assert (await bench.claim(worker, 1))[0].rollout_id == claims[1].rollout_id

    async def test_attempts_are_bounded(self, bench: Bench) -> None:
        worker, claims = await bench.held(max_attempts=2)
        await bench.store.work.complete(claims[0].attempt_id, failure(0.0))
        again = await bench.claim(worker)
        await bench.store.work.complete(again[0].attempt_id, failure(0.0))

        assert await bench.claim(worker) == []
        result = await bench.result(claims[0].rollout_id)
        assert result is not None
        assert (result.status, result.attempts) == ("failed", 2)
        assert await bench.store.insights.failures(RUN) == {"server": 1}

    async def test_giving_back_does_not_count(self, bench: Bench) -> None:
        worker, claims = await bench.held(max_attempts=1)
        for n in range(1, 4):
            await bench.store.work.release([claims[0].attempt_id])
            claims = list(await bench.claim(worker))
            assert [claim.attempt for claim in claims] == [n + 1]


class ReapingContract(StoreCase):
    """Workers that fall silent, and processes that are gone."""

    async def test_a_silent_worker_loses_its_work(self, bench: Bench) -> None:
        worker, claims = await bench.held()
        await bench.store.work.reap()
        bench.clock.advance(LEASE_MS)
        assert await bench.store.work.reap() == 0
        bench.clock.advance(1)
        assert await bench.store.work.reap() == 1
        assert await bench.store.work.reap() == 0

        attempt = await bench.attempt(claims[0].attempt_id, claims[0].rollout_id)
        assert attempt.status is AttemptStatus.TIMEOUT
        assert attempt.failure is not None
        assert attempt.failure.kind is FailureClass.WORKER_LOST
        assert attempt.failure.message == "worker heartbeat timeout"
        assert (attempt.worker, attempt.worker_name) == (worker, "trainer-worker-1")
        assert await bench.counts() == {"requeuing": 1}

    async def test_losing_the_worker_each_time_fails_the_rollout(self, bench: Bench) -> None:
        _, claims = await bench.held(max_attempts=2)
        for _ in range(2):
            await bench.pass_lease()
            assert await bench.store.work.reap() == 1
            await bench.claim(await bench.worker())

        result = await bench.result(claims[0].rollout_id)
        assert result is not None
        assert (result.status, result.attempts) == ("failed", 2)
        assert result.failure is not None
        assert result.failure.kind is FailureClass.WORKER_LOST

    async def test_a_heartbeat_keeps_everything(self, bench: Bench) -> None:
        worker, claims = await bench.held(3)
        for _ in range(10):
            bench.clock.advance(LEASE_MS - 1)
            assert await bench.store.work.beat([worker]) == []
            assert await bench.store.work.reap() == 0
        for claim in claims:
            await bench.store.work.complete(claim.attempt_id, success())
        assert await bench.counts() == {"succeeded": 3}

    @pytest.mark.parametrize("jump_ms", [-86_400_000, 86_400_000])
    async def test_the_wall_clock_decides_nothing(self, bench: Bench, jump_ms: int) -> None:
        worker, _ = await bench.held()
        await bench.store.work.reap()
        bench.clock.jump_wall(jump_ms)
        assert await bench.store.work.reap() == 0
        assert await bench.store.work.beat([worker]) == []

    async def test_a_process_that_stood_still_expires_nobody(self, bench: Bench) -> None:
        worker, _ = await bench.held()
        await bench.store.work.reap()
        bench.clock.advance(100 * LEASE_MS)
        assert await bench.store.work.reap() == 0
        assert await bench.store.work.beat([worker]) == []
        await bench.pass_lease()
        assert await bench.store.work.reap() == 1, "only one period of grace"

    async def test_a_reaper_that_seldom_looks_expires_the_silent_all_the_same(
        self, bench: Bench
    ) -> None:
        await bench.held()
        patient = await bench.worker(lease_ms=20 * LEASE_MS)
        await bench.store.work.reap()
        bench.clock.advance(4 * LEASE_MS)
        assert await bench.store.work.reap() == 0
        bench.clock.advance(4 * LEASE_MS)
        assert await bench.store.work.reap() == 1
        assert await bench.store.work.beat([patient]) == []

    async def test_a_dead_process_is_noticed_at_the_first_look(self, bench: Bench) -> None:
        await bench.run(max_attempts=1)
        await bench.submit(1)
        process = bench.processes.start()
        claims = await bench.claim(await bench.worker(process=process))
        bench.processes.kill(process)
        assert await bench.store.work.reap() == 1
        attempt = await bench.attempt(claims[0].attempt_id, claims[0].rollout_id)
        assert attempt.status is AttemptStatus.UNRESPONSIVE
        assert await bench.counts() == {"requeuing": 1}, "and it does not count"

    async def test_a_process_out_of_sight_has_its_lease(self, bench: Bench) -> None:
        await bench.run()
        await bench.submit(1)
        process = bench.processes.start()
        bench.processes.hide(process)
        await bench.claim(await bench.worker(process=process))
        assert await bench.store.work.reap() == 0
        await bench.pass_lease()
        assert await bench.store.work.reap() == 1

    async def test_another_boot_is_the_end_of_all(self, bench: Bench) -> None:
        worker, _ = await bench.held()
        await bench.store.work.reap()
        bench.processes.reboot("boot-2")
        assert await bench.store.work.reap() == 1
        assert await bench.store.work.beat([worker]) == [worker]

    async def test_heartbeats_from_another_thread(self, bench: Bench) -> None:
        worker, _ = await bench.held()
        lost: list[WorkerId] = ["unset"]  # type: ignore[list-item]

        def beat() -> None:
            with asyncio.Runner() as runner:
                lost[:] = runner.run(bench.store.work.beat([worker]))

        bench.clock.advance(LEASE_MS)
        thread = threading.Thread(target=beat)
        thread.start()
        await asyncio.to_thread(thread.join)
        bench.clock.advance(LEASE_MS)
        assert (lost, await bench.store.work.reap()) == ([], 0)


class AdoptionContract(StoreCase):
    """One driver per run."""

    async def test_a_live_driver_is_not_replaced(self, bench: Bench) -> None:
        await bench.run()
        first = await bench.driver()
        process = bench.processes.start()
        second = await bench.worker("trainer", role=WorkerRole.TRAINER, process=process)
        with pytest.raises(RunActive) as refused:
            await bench.adopt(second)
        assert str(bench.processes.this().pid) in str(refused.value)
        assert (await bench.adopt(first)).trainer == first

    async def test_a_dead_driver_is_replaced_and_fenced(self, bench: Bench) -> None:
        await bench.run()
        old_process = bench.processes.start()
        old = await bench.driver(process=old_process)
        await bench.submit(2)
        await bench.claim(await bench.worker(process=old_process), 1)
        bench.processes.kill(old_process)
        new = await bench.driver()

        assert await bench.counts() == {"queuing": 1, "requeuing": 1}
        assert (await bench.store.runs.get(RUN)).trainer == new
        for write in (
            bench.store.runs.set_status(RUN, RunStatus.FAILED, trainer=old),
            bench.store.runs.book_time(RUN, trainer=old, active_s=1.0),
        ):
            with pytest.raises(LeaseLost):
                await write
        await bench.store.runs.set_status(RUN, RunStatus.FAILED, trainer=new)

    async def test_a_silent_driver_is_replaced(self, bench: Bench) -> None:
        await bench.run()
        await bench.driver()
        bench.clock.advance(LEASE_MS + 1)
        new = await bench.driver()
        assert (await bench.store.runs.get(RUN)).trainer == new

    async def test_a_stopped_run_goes_on_with_other_limits(self, bench: Bench) -> None:
        await bench.run(budget=Budget(rollouts=1))
        await bench.driver()
        await bench.store.runs.set_status(RUN, RunStatus.FAILED)
        trainer = await bench.worker("trainer", role=WorkerRole.TRAINER)
        run = await bench.adopt(trainer, budget=Budget(rollouts=9))
        assert (run.status, run.stop_reason) == (RunStatus.RUNNING, None)
        assert (run.budget, run.trainer) == (Budget(rollouts=9), trainer)

    async def test_a_final_run_is_not_driven(self, bench: Bench) -> None:
        await bench.run()
        await bench.store.runs.set_status(RUN, RunStatus.COMPLETED)
        with pytest.raises(IllegalTransition):
            await bench.driver()

    async def test_living_workers_keep_their_work(self, bench: Bench) -> None:
        _, claims = await bench.held()
        await bench.driver()
        await bench.store.work.complete(claims[0].attempt_id, success())

"""Part of the store suite: those who wait are woken."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tau.domain.ids import RunId
from tau.domain.run import RunStatus
from tau.domain.spend import Budget
from tau.testing.store_bench import RUN, Bench, StoreCase, evaluation, failure, rows, success

PROMPT_S = 30.0
"""Longer than any wake-up takes, even on a busy machine."""


class WaitingContract(StoreCase):
    """Those who wait are woken, at once."""

    async def _woken(self, wait: Awaitable[bool], act: Callable[[], Awaitable[object]]) -> bool:
        task = asyncio.ensure_future(wait)
        await asyncio.sleep(0.01)  # let it begin to wait; too short only makes the test easier
        await act()
        async with asyncio.timeout(PROMPT_S):
            return await task

    async def test_idle_waits_end(self, bench: Bench) -> None:
        await bench.run()
        assert await bench.store.work.wait_ready(timeout_s=0.01) is False
        assert await bench.store.queue.wait_settled(RUN, timeout_s=0.01) is False

    async def test_submitting_wakes(self, bench: Bench) -> None:
        await bench.run()
        assert await bench.claim(await bench.worker()) == []
        wait = bench.store.work.wait_ready(timeout_s=60)
        assert await self._woken(wait, lambda: bench.submit(1))

    async def test_what_was_submitted_before_is_not_missed(self, bench: Bench) -> None:
        await bench.run()
        await bench.claim(await bench.worker())
        await bench.submit(1)
        async with asyncio.timeout(PROMPT_S):
            assert await bench.store.work.wait_ready(timeout_s=60)

    @pytest.mark.parametrize("delay_s", [0.0, 30.0])
    async def test_a_retry_wakes_when_it_is_due(self, bench: Bench, delay_s: float) -> None:
        _, claims = await bench.held()

        async def fail_and_let_time_pass() -> None:
            await bench.store.work.complete(claims[0].attempt_id, failure(delay_s))
            bench.clock.advance(int(delay_s * 1000))

        wait = bench.store.work.wait_ready(timeout_s=60)
        assert await self._woken(wait, fail_and_let_time_pass)

    async def test_giving_back_and_resuming_wake(self, bench: Bench) -> None:
        _, claims = await bench.held()
        wait = bench.store.work.wait_ready(timeout_s=60)
        give_back = bench.store.work.release([claims[0].attempt_id])
        assert await self._woken(wait, lambda: give_back)
        await bench.store.runs.set_status(RUN, RunStatus.PAUSED)
        assert await bench.store.work.wait_ready(timeout_s=0.01) is False
        wait = bench.store.work.wait_ready(timeout_s=60)
        resume = bench.store.runs.set_status(RUN, RunStatus.RUNNING)
        assert await self._woken(wait, lambda: resume)

    async def test_what_a_budget_refuses_is_no_reason_to_wake(self, bench: Bench) -> None:
        await bench.run(budget=Budget(rollouts=1))
        await bench.submit(2)
        await bench.claim(await bench.worker())
        assert await bench.store.work.wait_ready(timeout_s=0.02) is False

    async def test_settling_wakes(self, bench: Bench) -> None:
        _, claims = await bench.held(2)
        await bench.store.queue.counts(RUN)
        wait = bench.store.queue.wait_settled(RUN, timeout_s=60)
        done = bench.store.work.complete(claims[0].attempt_id, success())
        assert await self._woken(wait, lambda: done)
        await bench.store.queue.counts(RUN)
        wait = bench.store.queue.wait_settled(RUN, timeout_s=60)
        cancel = bench.store.queue.cancel(RUN, in_flight=True)
        assert await self._woken(wait, lambda: cancel)

    async def test_a_cancelled_claim_leaves_nothing_behind(self, bench: Bench) -> None:
        await bench.run(RunId("run-2"))
        await bench.store.queue.submit(RunId("run-2"), [evaluation(row) for row in rows(20)])
        worker = await bench.worker()
        for _ in range(30):
            task = asyncio.ensure_future(bench.claim(worker, 1))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        await bench.store.work.beat([worker])  # the cancelled ones have been worked off
        async with asyncio.timeout(PROMPT_S):
            while (found := await bench.store.queue.counts(RunId("run-2"))).in_flight:
                await bench.store.work.beat([worker])
        assert found.waiting == 20

"""Part of the store suite: results that are known already settle rollouts at once."""

from dataclasses import replace

import pytest

from tau.domain.dataset import Split
from tau.domain.json import Json
from tau.domain.rollout import AttemptStatus, Outcome, Output, RolloutRequest, RolloutStatus
from tau.domain.spend import NANO, Budget, Spend
from tau.errors import LeaseLost
from tau.ports.insights import RolloutFilter
from tau.testing.store_bench import RUN, SEED, Bench, StoreCase, evaluation, rows, success


def _known(count: int) -> list[tuple[RolloutRequest, Outcome]]:
    return [
        (
            evaluation(row).request,
            Outcome(
                status=AttemptStatus.SUCCEEDED,
                output=Output(text=f"answer {n}", metadata={"reused_from": f"run-0-r{n}"}),
                score=n / 10,
                duration_ms=40 + n,
            ),
        )
        for n, row in enumerate(rows(count))
    ]


class ReuseContract(StoreCase):
    """`Queue.settle`."""

    async def test_known_results_settle_at_once_and_cost_nothing(self, bench: Bench) -> None:
        await bench.run(budget=Budget(rollouts=1))
        trainer = await bench.driver()
        await bench.adopt(trainer, budget=Budget(rollouts=1))
        queue = bench.store.queue
        await queue.settle(RUN, _known(3), trainer=trainer)

        ids = await bench.submit(4)
        told = await queue.collect(RUN, ids)
        assert [one and (one.score, one.attempts, one.duration_ms) for one in told] == [
            (0.0, 1, 40), (0.1, 1, 41), (0.2, 1, 42), None,
        ]  # fmt: skip
        assert all(one.reused and one.spent == Spend() for one in told if one)
        run = await bench.store.runs.get(RUN)
        assert (run.spent, run.reserved) == (Spend(), Spend())
        assert await bench.counts() == {"succeeded": 3, "queuing": 1}
        # The one rollout of the budget is still there to be spent.
        worker = await bench.worker()
        claims = await bench.claim(worker)
        assert [claim.rollout_id for claim in claims] == [ids[3]]
        await bench.store.work.complete(claims[0].attempt_id, success())
        assert (await bench.store.runs.get(RUN)).spent.rollouts == 1

    async def test_it_is_seen_which_were_reused(self, bench: Bench) -> None:
        await bench.run()
        trainer = await bench.driver()
        await bench.store.queue.settle(RUN, _known(2), trainer=trainer)
        await bench.submit(3)

        measured = await bench.store.insights.measurements(run=RUN)
        assert [one.reused for one in measured] == [True, True, False]
        assert await bench.store.insights.reused(RUN) == 2
        listed = await bench.store.insights.rollouts(RolloutFilter(run=RUN))
        assert [one.status for one in listed[:2]] == [RolloutStatus.SUCCEEDED] * 2

    async def test_what_is_there_keeps_its_rollout(self, bench: Bench) -> None:
        await bench.run()
        trainer = await bench.driver()
        (own,) = await bench.submit(1)
        for _ in range(2):
            await bench.store.queue.settle(RUN, _known(2), trainer=trainer)

        assert await bench.counts() == {"queuing": 1, "succeeded": 1}
        assert await bench.result(own) is None
        assert await bench.store.insights.reused(RUN) == 1

    async def test_only_the_driver_may(self, bench: Bench) -> None:
        await bench.run()
        await bench.driver()
        other = await bench.worker("other")
        with pytest.raises(LeaseLost):
            await bench.store.queue.settle(RUN, _known(1), trainer=other)
        assert await bench.counts() == {}

    async def test_costs_are_means_by_resources_and_split(self, bench: Bench) -> None:
        await bench.run()
        trainer, worker = await bench.driver(), await bench.worker()
        request, told = _known(1)[0]
        assert told.output is not None
        metadata: dict[str, Json] = {
            "reused_from": "run-0-r1",
            "reused_usd": 0.5,
            "output_tokens": 30,
        }
        paid = replace(told, output=Output(text="4", metadata=metadata))
        await bench.store.queue.settle(RUN, [(request, paid)], trainer=trainer)
        await bench.submit(4)
        claims = await bench.claim(worker)
        spent = Spend(calls=1, tokens=9, cost_nano_usd=NANO)
        for claim, tokens in zip(claims, (10, "many", None), strict=True):
            output = Output(text="4", metadata={} if tokens is None else {"output_tokens": tokens})
            done = replace(success(spent=spent), output=output, duration_ms=100)
            await bench.store.work.complete(claim.attempt_id, done)

        (found,) = await bench.store.insights.costs(RUN)
        assert (found.resources, found.split, found.rows) == (SEED.hash, Split.OPTIMIZE, 4)
        assert found.nano_usd == 3.5 * NANO / 4
        assert found.duration_ms == (300 + 40) / 4
        assert found.output_tokens == 20
        assert found.gated is False

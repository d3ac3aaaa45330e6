"""Part of the store suite: following what settles."""

from dataclasses import replace

from tau.domain.ids import RunId, rollout_key
from tau.domain.reward import SAFETY_HARD_GATE_TRIGGERED, Reward
from tau.domain.rollout import AttemptStatus, RolloutKind, RolloutStatus
from tau.domain.spend import Spend
from tau.testing.store_bench import RUN, SEED, Bench, StoreCase, failure, success


class SettledContract(StoreCase):
    """What settled, in the order of time, once each."""

    async def test_rows_come_in_order_with_what_they_cost(self, bench: Bench) -> None:
        await bench.run()
        ids = list(await bench.submit(4))
        worker = await bench.worker()
        claims = await bench.claim(worker, 3)
        spent = Spend(rollouts=1, calls=1, tokens=10, cost_nano_usd=7)
        await bench.store.work.complete(claims[1].attempt_id, failure(0.0, spent=spent))
        bench.clock.advance(1000)
        await bench.store.work.complete(claims[2].attempt_id, success(0.25, spent=spent))
        bench.clock.advance(1000)
        again = (await bench.claim(worker, 1))[0]
        await bench.store.work.complete(again.attempt_id, failure(spent=spent))
        found = await bench.store.insights.settled(RUN)

        assert [row.number for row in found] == [_number(ids[2]), _number(ids[1])]
        assert [row.status for row in found] == [RolloutStatus.SUCCEEDED, RolloutStatus.FAILED]
        assert [(row.score, row.failure) for row in found] == [(0.25, None), (None, "server")]
        assert [(row.attempts, row.calls, row.tokens) for row in found] == [(1, 1, 10), (2, 2, 20)]
        assert [row.cost_nano_usd for row in found] == [7, 14]
        assert {(row.kind, row.resources) for row in found} == {(RolloutKind.EVALUATE, SEED.hash)}
        assert found[0].updated_unix_ms + 1000 == found[1].updated_unix_ms

    async def test_a_place_in_time_is_gone_on_from(self, bench: Bench) -> None:
        await bench.run()
        await bench.run(RunId("run-2"))
        await bench.submit(3)
        await bench.submit(1, RunId("run-2"))
        for claim in await bench.claim(await bench.worker(), 4):
            await bench.store.work.complete(claim.attempt_id, success())
        whole = await bench.store.insights.settled(RUN)
        first = await bench.store.insights.settled(RUN, limit=2)
        at, number = first[-1].updated_unix_ms, first[-1].number
        rest = await bench.store.insights.settled(RUN, since_unix_ms=at, after=number)

        assert len(whole) == 3
        assert [*first, *rest] == list(whole)
        assert await bench.store.insights.settled(RUN, since_unix_ms=at + 1) == []

    async def test_a_hard_gate_is_told_and_no_text_can_feign_one(self, bench: Bench) -> None:
        await bench.run()
        await bench.submit(3)
        gate = Reward(name=SAFETY_HARD_GATE_TRIGGERED, score=0.0)
        feigned = Reward(name="kind", score=1.0, reason=f'"name":"{SAFETY_HARD_GATE_TRIGGERED}"')
        claims = await bench.claim(await bench.worker(), 3)
        for claim, rewards in zip(claims, [(gate,), (feigned,), ()], strict=True):
            outcome = replace(success(), rewards=rewards)
            await bench.store.work.complete(claim.attempt_id, outcome)
            bench.clock.advance(1)

        assert [row.gated for row in await bench.store.insights.settled(RUN)] == [
            True,
            False,
            False,
        ]

    async def test_stints_tell_who_worked_when(self, bench: Bench) -> None:
        await bench.run()
        await bench.run(RunId("run-2"))
        await bench.submit(3)
        await bench.submit(1, RunId("run-2"))
        began = bench.clock.unix_ms()
        failed, won, held, *_ = await bench.claim(await bench.worker("worker-a"), 4)
        bench.clock.advance(500)
        await bench.store.work.complete(failed.attempt_id, failure())
        bench.clock.advance(500)
        await bench.store.work.complete(won.attempt_id, success())
        found = await bench.store.insights.stints(RUN)
        newest = await bench.store.insights.stints(RUN, limit=1)

        assert [(one.rollout_id, one.n, one.worker_name) for one in found] == [
            (claim.rollout_id, 1, "worker-a") for claim in (failed, won, held)
        ]
        assert [(one.started_unix_ms - began, one.ended_unix_ms) for one in found] == [
            (0, began + 500), (0, began + 1000), (0, None),
        ]  # fmt: skip
        assert [one.status for one in found[:2]] == [AttemptStatus.FAILED, AttemptStatus.SUCCEEDED]
        assert [one.rollout_id for one in newest] == [won.rollout_id, held.rollout_id]


def _number(rollout: str) -> int:
    parts = rollout_key(rollout)
    assert parts is not None
    return parts[1]

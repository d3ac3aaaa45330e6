"""Part of the store suite: runs, submitting, claiming in order, completing once."""

import asyncio

import pytest

from tau.domain.dataset import Split
from tau.domain.failure import FailureClass
from tau.domain.ids import AttemptId, ResourcesHash, RolloutId, RunId, WorkerId, attempt_parts
from tau.domain.json import Json
from tau.domain.resources import Resources
from tau.domain.reward import Reward
from tau.domain.rollout import AttemptStatus, Outcome, Output, RolloutKind, RolloutStatus
from tau.domain.run import Run, RunStatus, StopReason
from tau.domain.spend import Budget, Spend
from tau.errors import Conflict, IllegalTransition, NotFound
from tau.testing.store_bench import (
    RUN,
    SEED,
    Bench,
    StoreCase,
    evaluation,
    failure,
    proposal,
    rows,
    success,
)

ODD_TEXTS = ["", "\x00", "é \U0001f600 \u202e", "a\r\nb", "\ud800 alone", "x" * 3_000_000]


class RunsContract(StoreCase):
    """Runs and their statuses."""

    async def test_a_run_comes_back_as_it_was_given(self, bench: Bench) -> None:
        budget = Budget(rollouts=5, calls=6, tokens=7, cost_nano_usd=8, seconds=9.5)
        bench.clock.advance(5)
        created = await bench.run(budget=budget, config={"a": [1, None, "ü"]})

        assert created == await bench.store.runs.get(RUN) == await bench.store.insights.run(RUN)
        assert (created.budget, created.seed, created.config) == (budget, 7, {"a": [1, None, "ü"]})
        assert created.created_unix_ms == created.updated_unix_ms == bench.clock.unix_ms()
        assert created.status is RunStatus.RUNNING

    async def test_an_id_is_taken_once(self, bench: Bench) -> None:
        await bench.run()

        with pytest.raises(Conflict, match="run-1"):
            await bench.run()

    async def test_unknown_runs(self, bench: Bench) -> None:
        nobody = RunId("nobody")
        for call in (
            bench.store.runs.get(nobody),
            bench.store.runs.set_status(nobody, RunStatus.PAUSED),
            bench.store.queue.submit(nobody, [evaluation(rows(1)[0])]),
            bench.store.queue.counts(nobody),
            bench.store.queue.collect(nobody, []),
            bench.store.queue.cancel(nobody),
            bench.store.queue.next_ready_ms(nobody),
            bench.store.queue.refused(nobody),
            bench.store.insights.run(nobody),
            bench.store.insights.counts(nobody),
            bench.store.insights.scores(nobody),
            bench.store.checkpoints.latest(nobody),
            bench.store.resources.publish(SEED, run_id=nobody),
        ):
            with pytest.raises(NotFound):
                await call

    async def test_runs_are_found_newest_first(self, bench: Bench) -> None:
        names = [RunId(f"run-{n}") for n in range(3)]
        for name in names:
            await bench.run(name)
        await bench.store.runs.set_status(names[1], RunStatus.PAUSED)

        def ids(found: "list[Run]") -> list[RunId]:
            return [run.id for run in found]

        assert ids(list(await bench.store.runs.find("config"))) == names[::-1]
        assert ids(list(await bench.store.runs.find("other"))) == []
        paused = await bench.store.insights.runs(status=RunStatus.PAUSED)
        assert ids(list(paused)) == [names[1]]
        assert ids(list(await bench.store.insights.runs(limit=1, offset=1))) == [names[1]]

    async def test_the_table_of_transitions_is_the_law(self, bench: Bench) -> None:
        await bench.run()
        runs = bench.store.runs
        paused = await runs.set_status(RUN, RunStatus.PAUSED, reason=StopReason.OPERATOR)
        assert (paused.status, paused.stop_reason) == (RunStatus.PAUSED, StopReason.OPERATOR)
        assert (await runs.set_status(RUN, RunStatus.PAUSED)).status is RunStatus.PAUSED
        await runs.set_status(RUN, RunStatus.FAILED, reason=StopReason.SIGNAL, detail="SIGINT")
        with pytest.raises(IllegalTransition):
            await runs.set_status(RUN, RunStatus.PAUSED)
        await runs.set_status(RUN, RunStatus.RUNNING)
        await runs.set_status(RUN, RunStatus.COMPLETED, reason=StopReason.FINISHED)
        for status in (RunStatus.RUNNING, RunStatus.CANCELLED):
            with pytest.raises(IllegalTransition):
                await runs.set_status(RUN, status)

    async def test_running_time_adds_up(self, bench: Bench) -> None:
        await bench.run()
        trainer = await bench.driver()
        for _ in range(2):
            await bench.store.runs.book_time(RUN, trainer=trainer, active_s=1.25)

        assert (await bench.store.runs.get(RUN)).active_s == 2.5

    async def test_a_report_is_marked_as_delivered_once_and_for_all(self, bench: Bench) -> None:
        runs = bench.store.runs
        made = await bench.run()
        assert not made.reported
        await runs.set_status(RUN, RunStatus.COMPLETED, reason=StopReason.FINISHED)
        assert not (await runs.get(RUN)).reported
        for _ in range(2):
            await runs.mark_reported(RUN)
            assert (await runs.get(RUN)).reported
        assert [run.reported for run in await runs.find(made.config_hash)] == [True]
        with pytest.raises(NotFound):
            await runs.mark_reported(RunId("run-nobody"))


class QueueContract(StoreCase):
    """Submitting, claiming in order, completing once."""

    async def test_claims_come_oldest_first_and_once(self, bench: Bench) -> None:
        await bench.run()
        submitted = await bench.submit(7)
        first, second = await bench.worker("a"), await bench.worker("b")
        claimed = [
            claim.rollout_id
            for worker in (first, second, first, second)
            for claim in await bench.claim(worker, 2)
        ]

        assert claimed == list(submitted)
        assert await bench.claim(first) == []
        assert await bench.counts() == {"running": 7}

    async def test_no_rollout_is_given_twice_to_a_crowd(self, bench: Bench) -> None:
        await bench.run()
        submitted = await bench.submit(60)
        crowd = [await bench.worker(f"w{n}") for n in range(12)]
        taken = await asyncio.gather(*(bench.claim(worker, 7) for worker in crowd))
        ids = [claim.rollout_id for claims in taken for claim in claims]

        assert sorted(ids) == sorted(submitted)

    async def test_a_claim_tells_everything_that_is_needed(self, bench: Bench) -> None:
        await bench.run()
        candidate = Resources(values={"system_prompt": "New."}, parent=SEED.hash)
        row = rows(1, Split.TEST)[0]
        reserve = Spend(rollouts=1, calls=2, tokens=30, cost_nano_usd=40)
        one = evaluation(row, resources=candidate, replicate=3, reserve=reserve)
        request: Json = {"b": [1.5, "é"], "a": None}
        ids = await bench.store.queue.submit(RUN, [one, proposal(request, slot=2)])
        worker = await bench.worker()
        evaluate, propose = await bench.claim(worker)

        assert evaluate.attempt_id == f"{ids[0]}:attempt-1"
        assert attempt_parts(evaluate.attempt_id) == (ids[0], 1)
        assert (evaluate.kind, evaluate.example, evaluate.replicate) == ("evaluate", row, 3)
        assert (evaluate.resources, evaluate.reserved) == (candidate.hash, reserve)
        assert (propose.kind, propose.example, propose.slot) == (RolloutKind.PROPOSE, None, 2)
        assert (propose.proposal, propose.run_id, propose.attempt) == (request, RUN, 1)
        stored = await bench.store.work.resources(evaluate.resources)
        assert (stored.values, stored.parent) == (candidate.values, SEED.hash)
        with pytest.raises(NotFound):
            await bench.store.work.resources(ResourcesHash("0" * 64))

    async def test_submitting_again_changes_nothing(self, bench: Bench) -> None:
        await bench.run()
        wave = [evaluation(row) for row in rows(3)] + [proposal({"x": 1, "y": 2})]
        ids = await bench.store.queue.submit(RUN, wave)
        worker = await bench.worker()
        first = (await bench.claim(worker, 1))[0]
        await bench.store.work.complete(first.attempt_id, success())
        more = [*wave, evaluation(rows(4)[3]), proposal({"y": 2, "x": 1}, slot=1), wave[0]]
        again = await bench.store.queue.submit(RUN, more)

        assert list(again[:4]) == list(ids)
        assert again[6] == ids[0]
        assert len(set(again)) == 6
        assert await bench.counts() == {"succeeded": 1, "queuing": 5}
        assert await bench.store.queue.submit(RUN, []) == []

    async def test_keys_tell_rollouts_apart(self, bench: Bench) -> None:
        await bench.run()
        await bench.run(RunId("run-2"))
        row = rows(1)[0]
        other = Resources(values={"system_prompt": "Other."})
        wave = [
            evaluation(row),
            evaluation(row, replicate=1),
            evaluation(row, resources=other),
            proposal({"q": 1}),
            proposal({"q": 1}, slot=1),
            proposal({"q": 2}),
            proposal({"q": 1}, resources=other),
        ]
        ids = await bench.store.queue.submit(RUN, wave)
        elsewhere = await bench.store.queue.submit(RunId("run-2"), wave)

        assert len(set(ids) | set(elsewhere)) == 14

    async def test_results_come_in_the_order_asked_for(self, bench: Bench) -> None:
        worker, claims = await bench.held(3)
        await bench.store.work.complete(claims[2].attempt_id, success(0.25))
        await bench.store.work.complete(claims[0].attempt_id, failure())
        asked = [claims[n].rollout_id for n in (2, 1, 0, 2)]
        found = await bench.store.queue.collect(RUN, asked)

        assert [result and result.status for result in found] == [
            "succeeded", None, "failed", "succeeded",
        ]  # fmt: skip
        scored, failed = found[0], found[2]
        assert scored is not None
        assert failed is not None
        assert scored.request.key == evaluation(rows(3)[2]).request.key
        assert (scored.score, scored.attempts, scored.duration_ms) == (0.25, 1, 5)
        assert scored.rewards == success(0.25).rewards
        assert failed.failure == failure().failure
        assert failed.missing
        assert worker in {each.id for each in await bench.store.insights.workers()}

    async def test_unknown_rollouts_and_attempts(self, bench: Bench) -> None:
        _, claims = await bench.held()
        for name in ("", "run-1", "run-1-r999", "run-2-r1", "run-1-r0"):
            with pytest.raises(NotFound):
                await bench.store.queue.collect(RUN, [RolloutId(name)])
            with pytest.raises(NotFound):
                await bench.store.insights.rollout(RolloutId(name))
        for name in ("", "run-1-r1", f"{claims[0].rollout_id}:attempt-2", "x-r1:attempt-1"):
            with pytest.raises(NotFound):
                await bench.store.work.complete(AttemptId(name), success())
            with pytest.raises(NotFound):
                await bench.store.work.append_spans(AttemptId(name), [])

    async def test_an_unscored_success_is_no_zero(self, bench: Bench) -> None:
        _, claims = await bench.held(2)
        await bench.store.work.complete(claims[0].attempt_id, success(None))
        await bench.store.work.complete(claims[1].attempt_id, success(0.0))
        unscored, zero = await bench.store.queue.collect(RUN, [c.rollout_id for c in claims])

        assert unscored is not None
        assert zero is not None
        assert (unscored.score, unscored.missing) == (None, True)
        assert (zero.score, zero.missing) == (0.0, False)

    @pytest.mark.parametrize("text", ODD_TEXTS, ids=["none", "nul", "wide", "crlf", "odd", "huge"])
    async def test_any_text_is_kept(self, bench: Bench, text: str) -> None:
        _, claims = await bench.held()
        outcome = Outcome(
            status=AttemptStatus.SUCCEEDED,
            output=Output(
                text=text,
                value={"deep": [text[:9], 1, 2.5, None, True]},
                reason_codes=("a.b",),
                blocked_events=2,
                metadata={"n": 1},
            ),
            rewards=(Reward(name="r", score=None, error=text[:50], metrics={"len": 0.1 + 0.2}),),
        )
        await bench.store.work.complete(claims[0].attempt_id, outcome)
        result = await bench.result(claims[0].rollout_id)

        assert result is not None
        assert result.output is not None
        assert outcome.output is not None
        # What no file can hold is replaced, everything else is kept.
        assert result.output.text == text.encode("utf-8", "replace").decode()
        assert result.output.reason_codes == ("a.b",)
        assert result.rewards[0].metrics == {"len": 0.1 + 0.2}

    @pytest.mark.parametrize("score", [float("nan"), float("inf")])
    async def test_a_score_is_a_number(self, bench: Bench, score: float) -> None:
        _, claims = await bench.held()

        with pytest.raises(ValueError, match="finite"):
            await bench.store.work.complete(claims[0].attempt_id, success(score))
        assert await bench.counts() == {"running": 1}

    async def test_counters_follow_every_step(self, bench: Bench) -> None:
        await bench.run()
        await bench.submit(5)
        worker = await bench.worker()
        claims = await bench.claim(worker, 4)
        work = bench.store.work
        await work.complete(claims[0].attempt_id, success())
        await work.complete(claims[1].attempt_id, failure())
        await work.complete(claims[2].attempt_id, failure(10.0))
        steps = {"succeeded": 1, "failed": 1, "requeuing": 1, "running": 1, "queuing": 1}
        assert await bench.counts() == steps
        assert await bench.store.queue.cancel(RUN) == 2
        assert await bench.counts() == {"succeeded": 1, "failed": 1, "running": 1, "cancelled": 2}
        assert (await bench.store.insights.counts()).total == 5

    async def test_cancelling_what_workers_hold(self, bench: Bench) -> None:
        _, claims = await bench.held(2)
        await bench.store.queue.submit(RUN, [proposal({})])

        assert await bench.store.queue.cancel(RUN, in_flight=True) == 3
        assert await bench.counts() == {"cancelled": 3}
        result = await bench.result(claims[0].rollout_id)
        assert result is not None
        assert result.status is RolloutStatus.CANCELLED
        assert result.failure is not None
        assert result.failure.kind is FailureClass.CANCELLED
        assert await bench.store.queue.cancel(RUN, in_flight=True) == 0

    async def test_failed_rollouts_get_another_chance(self, bench: Bench) -> None:
        worker, claims = await bench.held(2, max_attempts=1)
        for claim in claims:
            await bench.store.work.complete(claim.attempt_id, failure(0.0))
        assert await bench.counts() == {"failed": 2}
        ids = [claim.rollout_id for claim in claims]
        assert await bench.store.queue.requeue_failed(RUN, [ids[0], ids[0]]) == 1
        assert await bench.store.queue.requeue_failed(RUN, [ids[0]]) == 0
        assert await bench.result(ids[0]) is None
        again = await bench.claim(worker)
        assert [claim.attempt_id for claim in again] == [f"{ids[0]}:attempt-2"]
        await bench.store.work.complete(again[0].attempt_id, success())
        assert await bench.counts() == {"failed": 1, "succeeded": 1}

    async def test_only_running_runs_give_work(self, bench: Bench) -> None:
        await bench.run()
        await bench.run(RunId("run-2"))
        await bench.submit(2)
        worker = await bench.worker(str(WorkerId("w")))
        await bench.store.runs.set_status(RUN, RunStatus.PAUSED)
        assert await bench.claim(worker) == []
        await bench.submit(1, RunId("run-2"))
        assert [claim.run_id for claim in await bench.claim(worker)] == ["run-2"]
        await bench.store.runs.set_status(RUN, RunStatus.RUNNING)
        assert await bench.claim(worker, run_id=RunId("run-2")) == []
        assert len(await bench.claim(worker, run_id=RUN)) == 2

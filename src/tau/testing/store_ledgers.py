"""Part of the store suite: budgets, publications, spans, listings."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from tau.domain.dataset import Split
from tau.domain.failure import FailureClass
from tau.domain.ids import RolloutId, RunId
from tau.domain.resources import Resources
from tau.domain.reward import Reward
from tau.domain.rollout import Output, RolloutKind, RolloutStatus
from tau.domain.run import RunStatus
from tau.domain.spend import Budget, Spend
from tau.domain.worker import WorkerRole
from tau.errors import Conflict, LeaseLost, NotFound
from tau.ports.insights import RolloutFilter, RolloutRow
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
from tau.testing.store_leases import a_span

RESERVE = Spend(rollouts=1, calls=2, tokens=100, cost_nano_usd=1000)


class BudgetContract(StoreCase):
    """Nothing is handed out that a limit cannot cover."""

    async def _money(self, bench: Bench) -> tuple[Spend, Spend]:
        run = await bench.store.runs.get(RUN)
        return run.spent, run.reserved

    async def _assumed(self, bench: Bench) -> tuple[int, int]:
        spent = (await bench.store.runs.get(RUN)).spent
        return spent.assumed_tokens, spent.assumed_cost_nano_usd

    @pytest.mark.parametrize(
        ("budget", "covered", "name"),
        [
            (Budget(rollouts=3), 3, "rollouts"),
            (Budget(calls=5), 2, "calls"),
            (Budget(tokens=399), 3, "tokens"),
            (Budget(cost_nano_usd=1000), 1, "usd"),
            (Budget(calls=0), 0, "calls"),
        ],
    )
    async def test_limits(self, bench: Bench, budget: Budget, covered: int, name: str) -> None:
        await bench.run(budget=budget)
        ids = await bench.submit(6, reserve=RESERVE)
        worker = await bench.worker()
        first = await bench.claim(worker)

        assert [claim.rollout_id for claim in first] == list(ids[:covered])
        assert await bench.claim(worker) == []
        assert await bench.store.queue.refused(RUN) == (name,)

    async def test_nothing_overtakes_what_is_too_dear(self, bench: Bench) -> None:
        await bench.run(budget=Budget(calls=3))
        await bench.run(RunId("run-2"))
        dear, cheap = Spend(rollouts=1, calls=4), Spend(rollouts=1, calls=1)
        first, second = rows(2)
        await bench.store.queue.submit(
            RUN, [evaluation(first, reserve=dear), evaluation(second, reserve=cheap)]
        )
        await bench.submit(1, RunId("run-2"))
        claims = await bench.claim(await bench.worker())
        assert [claim.run_id for claim in claims] == ["run-2"]
        assert await bench.store.queue.refused(RunId("run-2")) == ()

    async def test_completing_settles_what_was_reserved(self, bench: Bench) -> None:
        await bench.run(budget=Budget(calls=4))
        await bench.submit(3, reserve=RESERVE)
        worker = await bench.worker()
        claims = await bench.claim(worker)
        assert await self._money(bench) == (Spend(), RESERVE + RESERVE)
        spent = Spend(calls=1, tokens=7, cost_nano_usd=3)
        await bench.store.work.complete(claims[0].attempt_id, success(spent=spent))
        assert await self._money(bench) == (spent + Spend(rollouts=1), RESERVE)
        assert await bench.claim(worker) == []
        await bench.store.work.complete(claims[1].attempt_id, success(spent=spent))
        assert len(await bench.claim(worker)) == 1, "what was not spent can be given again"

    async def test_a_retry_reserves_calls_but_no_rollout(self, bench: Bench) -> None:
        await bench.run(budget=Budget(rollouts=1, calls=4))
        await bench.submit(1, reserve=RESERVE)
        worker = await bench.worker()
        first = await bench.claim(worker)
        await bench.store.work.complete(first[0].attempt_id, failure(0.0, spent=Spend(calls=2)))
        second = await bench.claim(worker)
        assert second[0].reserved == RESERVE - Spend(rollouts=1)
        await bench.store.work.complete(second[0].attempt_id, success(spent=Spend(calls=2)))
        assert await self._money(bench) == (Spend(rollouts=1, calls=4), Spend())
        result = await bench.result(first[0].rollout_id)
        assert result is not None
        assert result.spent == Spend(rollouts=1, calls=4)

    async def test_giving_back_returns_the_money(self, bench: Bench) -> None:
        await bench.run(budget=Budget(rollouts=2))
        await bench.submit(2, reserve=RESERVE)
        worker = await bench.worker()
        claims = await bench.claim(worker)
        spent = Spend(calls=1, tokens=5)
        await bench.store.work.release([claim.attempt_id for claim in claims], spent=spent)
        assert await self._money(bench) == (spent, Spend())
        assert [claim.reserved for claim in await bench.claim(worker)] == [RESERVE, RESERVE]

    async def test_what_a_lost_attempt_reserved_stays_spent_until_it_tells(
        self, bench: Bench
    ) -> None:
        await bench.run()
        await bench.submit(1, reserve=RESERVE)
        claim = (await bench.claim(await bench.worker()))[0]
        await bench.pass_lease()
        await bench.store.work.reap()
        assert await self._money(bench) == (RESERVE, Spend())
        real = Spend(calls=1, tokens=40)
        for _ in range(2):  # and telling twice is telling once
            with pytest.raises(LeaseLost):
                await bench.store.work.complete(claim.attempt_id, success(spent=real))
            assert await self._money(bench) == (real + Spend(rollouts=1), Spend())
        attempt = await bench.attempt(claim.attempt_id, claim.rollout_id)
        assert (attempt.spent, attempt.late_spent) == (Spend(rollouts=1), real)

    async def test_what_nobody_told_is_marked_until_it_is_told(self, bench: Bench) -> None:
        await bench.run()
        await bench.submit(1, reserve=RESERVE)
        claim = (await bench.claim(await bench.worker()))[0]
        await bench.pass_lease()
        await bench.store.work.reap()
        assert await self._assumed(bench) == (100, 1000)
        with pytest.raises(LeaseLost):
            await bench.store.work.complete(
                claim.attempt_id, success(spent=Spend(calls=1, tokens=40, assumed_tokens=7))
            )
        assert await self._assumed(bench) == (7, 0)

    @pytest.mark.parametrize("succeeds", [True, False])
    async def test_what_an_outcome_assumes_is_summed_by_run(
        self, bench: Bench, succeeds: bool
    ) -> None:
        await bench.run(budget=Budget(tokens=1000))
        await bench.submit(3, reserve=RESERVE)
        spent = Spend(
            calls=2, tokens=90, cost_nano_usd=900, assumed_tokens=50, assumed_cost_nano_usd=500
        )
        first, second, third = await bench.claim(await bench.worker(), limit=3)
        work = bench.store.work
        ended = success(spent=spent) if succeeds else failure(spent=spent)
        await work.complete(first.attempt_id, ended)
        await work.complete(second.attempt_id, success(spent=Spend(calls=2, tokens=90)))
        await work.release([third.attempt_id], spent=spent)
        assert await self._assumed(bench) == (100, 1000)
        assert (await bench.store.runs.get(RUN)).spent.tokens == 270

    async def test_what_is_cancelled_in_flight_is_still_paid_for(self, bench: Bench) -> None:
        await bench.run()
        await bench.submit(1, reserve=RESERVE)
        claim = (await bench.claim(await bench.worker()))[0]
        await bench.store.queue.cancel(RUN, in_flight=True)
        with pytest.raises(LeaseLost):
            await bench.store.work.complete(claim.attempt_id, success(spent=Spend(calls=2)))
        assert await self._money(bench) == (Spend(rollouts=1, calls=2), Spend())

    async def test_what_a_run_brings_along_counts(self, bench: Bench) -> None:
        brought = Spend(rollouts=1, calls=2, tokens=30, cost_nano_usd=4)
        run = await bench.run(budget=Budget(calls=5))
        other = replace(run, id=RunId("run-2"), spent=brought, active_s=2.5)
        made = await bench.store.runs.create(other)
        assert (made.spent, made.active_s) == (brought, 2.5)
        found = await bench.store.runs.get(made.id)
        assert (found.spent, found.reserved, found.active_s) == (brought, Spend(), 2.5)
        assert (await bench.store.runs.get(RUN)).spent == Spend()

    async def test_a_crowd_does_not_overspend(self, bench: Bench) -> None:
        await bench.run(budget=Budget(rollouts=25, calls=50))
        await bench.submit(60, reserve=RESERVE)
        crowd = [await bench.worker(f"w{n}") for n in range(8)]
        taken = await asyncio.gather(*(bench.claim(worker, 7) for worker in crowd))
        assert sum(map(len, taken)) == 25


class ResourcesContract(StoreCase):
    """Publications."""

    async def test_publications_count_from_one(self, bench: Bench) -> None:
        await bench.run()
        ledger = bench.store.resources
        assert await ledger.latest() is None
        other = Resources(values={"system_prompt": "Other."}, parent=SEED.hash)
        first = await ledger.publish(SEED, run_id=None)
        second = await ledger.publish(other, run_id=RUN)
        assert [made.id for made in (first, second)] == ["resources-1", "resources-2"]
        assert (second.run_id, second.published_unix_ms) == (RUN, bench.clock.unix_ms())
        assert await ledger.latest() == second
        bench.clock.advance(1000)
        known = await ledger.publish(SEED, run_id=RUN)
        assert (known.number, known.latest, known.run_id) == (1, False, None)
        assert await ledger.latest() == second
        listed = await bench.store.insights.versions()
        assert [(v.number, v.latest) for v in listed] == [(2, True), (1, False)]
        assert (await ledger.version(2)).resources == other
        assert [v.number for v in await bench.store.insights.versions(limit=1, offset=1)] == [1]
        for number in (0, 3, -1):
            with pytest.raises(NotFound):
                await ledger.version(number)

    async def test_resources_by_prefix(self, bench: Bench) -> None:
        await bench.store.resources.publish(SEED, run_id=None)
        find = bench.store.insights.resources
        for digits in (1, 6, 63):
            assert await find(SEED.hash) == await find(SEED.hash[:digits]) == SEED
        for nothing in ("zzzzzz", "0" * 64, "", "%" * 6, SEED.hash + "0"):
            with pytest.raises(NotFound):
                await find(nothing)

    async def test_a_prefix_must_be_unique(self, bench: Bench) -> None:
        # Found by search: the hashes of these two share their first six digits.
        for number in (1051, 1684):
            await bench.store.resources.publish(Resources(values={"n": number}), run_id=None)
        shared = Resources(values={"n": 1051}).hash[:6]
        assert Resources(values={"n": 1684}).hash[:6] == shared
        with pytest.raises(Conflict):
            await bench.store.insights.resources(shared)


class InsightsContract(StoreCase):
    """Listings and views."""

    async def test_listings_filter_and_page(self, bench: Bench) -> None:
        await bench.run()
        await bench.run(RunId("run-2"))
        wave = [evaluation(row) for row in rows(2)]
        wave += [evaluation(row) for row in rows(2, Split.VALIDATE)] + [proposal({})]
        ids = list(await bench.store.queue.submit(RUN, wave))
        other = await bench.submit(1, RunId("run-2"))
        worker = await bench.worker()
        claims = await bench.claim(worker, 2)
        await bench.store.work.complete(claims[0].attempt_id, success(0.5))
        await bench.store.work.complete(claims[1].attempt_id, failure())

        async def listed(where: RolloutFilter, **page: int) -> list[RolloutId]:
            found = await bench.store.insights.rollouts(where, **page)  # type: ignore[arg-type]
            return [row.id for row in found]

        of_run = RolloutFilter(run=RUN)
        assert await listed(of_run) == ids
        assert await listed(of_run, newest_first=True, limit=2, offset=1) == ids[3:1:-1]
        assert await listed(of_run, offset=9) == []
        assert await listed(RolloutFilter()) == [*ids, *other]
        assert await listed(RolloutFilter(statuses=frozenset({RolloutStatus.FAILED}))) == [ids[1]]
        assert await listed(RolloutFilter(statuses=frozenset())) == []
        assert await listed(RolloutFilter(kinds=frozenset({RolloutKind.PROPOSE}))) == [ids[4]]
        validate = RolloutFilter(run=RUN, splits=frozenset({Split.VALIDATE}))
        assert await listed(validate) == ids[2:4]
        asked = (ids[3], RolloutId("run-1-r99"), ids[0], RolloutId("junk"), other[0])
        assert await listed(RolloutFilter(run=RUN, ids=asked)) == [ids[0], ids[3]]
        first = (await bench.store.insights.rollouts(of_run, limit=1))[0]
        assert first == RolloutRow(
            id=ids[0],
            run_id=RUN,
            kind=RolloutKind.EVALUATE,
            status=RolloutStatus.SUCCEEDED,
            split=Split.OPTIMIZE,
            attempts=1,
            score=0.5,
            failure=None,
            spent=Spend(rollouts=1),
            duration_ms=5,
            updated_unix_ms=bench.clock.unix_ms(),
        )

    async def test_scores_by_split_and_resources(self, bench: Bench) -> None:
        await bench.run()
        other = Resources(values={"system_prompt": "Other."})
        wave = [evaluation(row) for row in rows(4)]
        wave += [evaluation(row, resources=other) for row in rows(1, Split.TEST)] + [proposal({})]
        await bench.store.queue.submit(RUN, wave)
        claims = await bench.claim(await bench.worker())
        outcomes = [success(0.75), success(None), success(0.25), failure(), success(0.5)]
        for claim, outcome in reversed(list(zip(claims, outcomes, strict=False))):
            await bench.store.work.complete(claim.attempt_id, outcome)
        first, second = await bench.store.insights.scores(RUN)
        assert (first.split, first.resources, first.scores) == ("optimize", SEED.hash, (0.75, 0.25))
        assert len(first.examples) == 2
        assert (first.unscored, first.failed, first.cancelled) == (1, 1, 0)
        assert (second.split, second.resources, second.scores) == ("test", other.hash, (0.5,))
        assert await bench.store.insights.failures(RUN) == {"server": 1}

    async def test_shortfalls_are_counted_by_their_reason(self, bench: Bench) -> None:
        await bench.run()
        await bench.store.queue.submit(RUN, [*map(evaluation, rows(6)), proposal({})])
        claims = await bench.claim(await bench.worker())
        silent = Reward(name="exact", score=None, error="no \x00 reference")
        empty = Output(text="", reason_codes=("answer_empty", "answer_cut"))
        outcomes = [
            replace(success(None), rewards=(silent,)),
            replace(success(None), rewards=(silent,), output=empty),
            replace(success(None), rewards=(Reward(name="own", score=None, reason="skipped"),)),
            replace(success(None), rewards=()),
            replace(success(0.0), output=replace(empty, reason_codes=("answer_empty",))),
            failure(),
            success(1.0),
        ]
        for claim, outcome in zip(claims, outcomes, strict=True):
            await bench.store.work.complete(claim.attempt_id, outcome)
        settled = await bench.store.insights.settled(RUN)
        assert [row.why for row in sorted(settled)] == [
            "no \ufffd reference", "no \ufffd reference", "skipped", "", None, "it broke", None,
        ]  # fmt: skip
        codes = Counter(code for row in settled for code in row.codes)
        assert codes == {"answer_empty": 2, "answer_cut": 1}
        found = await bench.store.insights.shortfalls(RUN)
        assert found.unscored == {"no \ufffd reference": 2, "skipped": 1, "": 1}
        assert [(one.kind, one.failure, one.number) for one in found.failed] == [
            (RolloutKind.EVALUATE, "server", 1)
        ]
        assert found.answers == {"answer_empty": 2, "answer_cut": 1}
        measured = await bench.store.insights.measurements(run=RUN)
        assert [one.failure for one in measured] == [None] * 5 + [FailureClass.SERVER]

    async def test_spans_are_numbered_and_kept_for_every_attempt(self, bench: Bench) -> None:
        worker, claims = await bench.held()
        work, attempt = bench.store.work, claims[0].attempt_id
        await work.append_spans(attempt, [a_span(1, name="root"), a_span(2, 1)])
        await work.append_spans(attempt, [])
        await work.append_spans(attempt, [a_span(1, name="again"), a_span(5, 1), a_span(9, 5)])
        await work.complete(attempt, failure(0.0))
        second = (await bench.claim(worker))[0].attempt_id
        tree = (a_span(1, name="root"), a_span(2, 1, "é\x00\U0001f600"), a_span(3, 2))
        done = success()
        await work.complete(second, type(done)(status=done.status, spans=tree))
        view = await bench.store.insights.rollout(claims[0].rollout_id)
        numbers = [(span.sequence, span.parent, span.name) for span in view.attempts[0].spans]
        assert numbers == [
            (1, None, "root"), (2, 1, "chat"), (3, None, "again"), (4, 3, "chat"), (5, 4, "chat"),
        ]  # fmt: skip
        assert view.attempts[1].spans == tree

    async def test_a_view_tells_the_whole_story(self, bench: Bench) -> None:
        worker, claims = await bench.held()
        created = bench.clock.unix_ms()
        bench.clock.advance(10)
        await bench.store.work.complete(claims[0].attempt_id, failure(0.0, spent=Spend(calls=1)))
        again = (await bench.claim(worker))[0]
        bench.clock.advance(10)
        await bench.store.work.complete(again.attempt_id, success(spent=Spend(calls=2)))
        view = await bench.store.insights.rollout(again.rollout_id)
        assert view.result == await bench.result(again.rollout_id)
        assert (view.run_id, view.created_unix_ms) == (RUN, created)
        assert view.updated_unix_ms == created + 20
        assert [attempt.status for attempt in view.attempts] == ["failed", "succeeded"]
        assert [attempt.n for attempt in view.attempts] == [1, 2]
        assert view.attempts[0].failure == failure().failure
        assert view.attempts[1].started_unix_ms == created + 10
        assert view.attempts[1].ended_unix_ms == created + 20
        assert [attempt.spent.calls for attempt in view.attempts] == [1, 2]

    async def test_workers_and_facts(self, bench: Bench) -> None:
        worker, _ = await bench.held(2)
        trainer = await bench.driver()
        listed = await bench.store.insights.workers()
        assert [(each.id, each.role, each.in_flight) for each in listed] == [
            (worker, WorkerRole.WORKER, 2),
            (trainer, WorkerRole.TRAINER, 0),
        ]
        assert listed[0].process == bench.processes.this()
        host = await bench.store.work.register(
            name="tau-worker", role=WorkerRole.HOST, process=bench.processes.this(),
            lease_ms=60_000, offers=("executor:chat", "model:sim"),
        )  # fmt: skip
        assert host.offers == ("executor:chat", "model:sim")
        assert (await bench.store.insights.workers())[-1] == host
        facts = await bench.store.insights.facts()
        assert (facts.runs, facts.rollouts) == (1, 2)
        assert facts.schema_version >= 1

    async def test_seals_are_kept_by_name(self, bench: Bench) -> None:
        seals = bench.store.seals
        assert await seals.find("a file") is None
        await seals.keep("a file", "one")
        await seals.keep("another", "else")
        await seals.keep("a file", "two")
        assert await seals.find("a file") == "two"
        assert await seals.find("another") == "else"

    async def test_closing_twice(self, bench: Bench) -> None:
        await bench.run()
        await bench.store.runs.set_status(RUN, RunStatus.PAUSED)
        await bench.store.aclose()
        await bench.store.aclose()

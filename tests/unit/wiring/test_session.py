"""Sessions end to end in one process, against a provider on loopback."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tau.config import load
from tau.domain.rollout import RolloutStatus
from tau.domain.run import Run, RunStatus, StopReason
from tau.errors import InputError, TrainerTimeout
from tau.ports.insights import RolloutFilter
from tau.testing.provider import LoopbackProvider, ReceivedCall
from tau.trainer.progress import Progress
from tau.trainer.report import RunReport
from tau.trainer.stop import StopRequest
from tau.wiring.delivery import mark_delivered
from tau.wiring.session import SessionRequest, run_session
from tau.wiring.stores import open_store


class Watcher:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notices: list[str] = []
        self.seen: list[Progress] = []
        self.begun: list[tuple[bool, int | None]] = []

    def started(self, run: Run, *, resumed: bool, total: int | None) -> None:
        self.begun.append((resumed, total))

    def progress(self, progress: Progress) -> None:
        self.seen.append(progress)

    def notice(self, text: str) -> None:
        self.notices.append(text)


class Place:
    """A folder with a config and a store, and the provider its model calls."""

    def __init__(self, folder: Path, provider: LoopbackProvider) -> None:
        self.folder = folder
        self.provider = provider
        self.watcher = Watcher()
        self.stop = StopRequest()

    @property
    def store(self) -> str:
        return str(self.folder / "store.sqlite")

    async def run(
        self,
        *,
        run_id: str | None = None,
        new: bool = False,
        delivered: bool = True,
        **fields: Any,  # noqa: ANN401
    ) -> RunReport:
        rows = [{"prompt": f"q{n}", "expected": f"q{n}"} for n in range(20)]
        document = {
            "model": {"name": "openai/echo", "base_url": self.provider.base_url},
            "optimize": rows[:10],
            "validate": rows[10:],
            "worker_concurrency": 2,
            "retries": {"backoff_ms": 1, "max_backoff_ms": 5},
            **fields,
        }
        path = self.folder / "config.json"
        path.write_text(json.dumps(document))
        config = load(path, environ={"OPENAI_API_KEY": "sk-test-canary-key"})
        request = SessionRequest(config=config, store=self.store, run_id=run_id, new=new)
        self.stop = StopRequest()
        report = await run_session(request, observer=self.watcher, stop=self.stop)
        if delivered:
            await mark_delivered(self.store, report)
        return report

    def status(self) -> Mapping[str, Any]:
        found = json.loads((self.folder / "status.json").read_text())
        assert isinstance(found, dict)
        return found

    async def statuses(self) -> dict[RolloutStatus, int]:
        store = await open_store(self.store, read_only=True)
        async with store:
            rows = await store.insights.rollouts(RolloutFilter(), limit=1000)
        found: dict[RolloutStatus, int] = {}
        for row in rows:
            found[row.status] = found.get(row.status, 0) + 1
        return found


async def test_a_run_is_executed_graded_and_reported(tmp_path: Path) -> None:
    async with LoopbackProvider() as provider:
        place = Place(tmp_path, provider)
        report = await place.run(resources={"system_prompt": "Echo."})
        assert report.status is RunStatus.COMPLETED
        assert report.stop_reason is StopReason.FINISHED
        assert [(split.split, split.mean) for split in report.splits] == [
            ("optimize", 1.0),
            ("validate", 1.0),
        ]
        assert report.best_version == "resources-1"
        assert report.spent.calls == provider.calls == 20
        assert place.watcher.begun == [(False, 20)]
        assert place.watcher.seen[-1].counts.settled == 20
        assert place.status()["run_state"] == "completed"
        first = provider.seen[0].body["messages"]
        assert first[0] == {"role": "system", "content": "Echo."}


async def test_a_finished_run_is_followed_by_a_new_one_that_keeps_the_old(tmp_path: Path) -> None:
    async with LoopbackProvider() as provider:
        place = Place(tmp_path, provider)
        one = await place.run(resources={"system_prompt": "Echo."})
        two = await place.run(resources={"system_prompt": "Echo."})
        assert one.run_id != two.run_id
        assert (one.best_version, two.best_version) == ("resources-1", "resources-1")
        assert two.counts.total == 20
        assert await place.statuses() == {RolloutStatus.SUCCEEDED: 40}
        with pytest.raises(InputError, match="is completed; it cannot go on"):
            await place.run(resources={"system_prompt": "Echo."}, run_id=one.run_id)
        with pytest.raises(InputError, match="another configuration"):
            await place.run(resources={"system_prompt": "Other."}, run_id=one.run_id)
        with pytest.raises(InputError, match="no run 'run-x'"):
            await place.run(run_id="run-x")


async def test_a_run_whose_report_nobody_got_is_reported_again_and_runs_nothing(
    tmp_path: Path,
) -> None:
    async with LoopbackProvider() as provider:
        place = Place(tmp_path, provider)
        first = await place.run(delivered=False)
        (tmp_path / "status.json").write_text('{"schema_version": 1, "run_state": "running"}')
        again = await place.run(delivered=False)
        named = await place.run(run_id=first.run_id)
        assert provider.calls == 20
        assert place.status()["run_state"] == "completed"
        assert place.status()["run_id"] == first.run_id
        after = await place.run(delivered=False)
        anew = await place.run(new=True)
        assert provider.calls == 60

    assert again.run_id == named.run_id == first.run_id
    for told in (again, named):
        assert told.resumed
        assert (told.counts, told.splits, told.spent) == (first.counts, first.splits, first.spent)
        assert (told.status, told.stop_reason) == (first.status, first.stop_reason)
        assert (told.best_hash, told.evidence) == (first.best_hash, first.evidence)
    assert any("--new" in notice for notice in place.watcher.notices)
    assert len({first.run_id, after.run_id, anew.run_id}) == 3


async def test_only_the_newest_run_of_the_same_configuration_is_reported_again(
    tmp_path: Path,
) -> None:
    async with LoopbackProvider() as provider:
        place = Place(tmp_path, provider)
        first = await place.run(delivered=False)
        other = await place.run(seed=7)
        anew = await place.run(new=True)
        last = await place.run()
        assert provider.calls == 80
    assert len({first.run_id, other.run_id, anew.run_id, last.run_id}) == 4


async def test_a_budget_is_never_exceeded_and_a_larger_one_goes_on(tmp_path: Path) -> None:
    async with LoopbackProvider(faults=["1-3=status:status=500"]) as provider:
        place = Place(tmp_path, provider)
        short = await place.run(budget={"calls": 8})
        assert provider.calls == 8
        assert (short.status, short.stop_reason) == (RunStatus.FAILED, StopReason.BUDGET)
        assert short.resumable
        assert short.stop_detail == "the budget of calls is used up"
        again = await place.run(budget={"calls": 8})
        assert provider.calls == 8
        assert again.run_id == short.run_id
        whole = await place.run(budget={"calls": 100})
        assert whole.run_id == short.run_id
        assert whole.status is RunStatus.COMPLETED
        assert provider.calls == whole.spent.calls == 20 + 3


async def test_a_budget_of_rollouts_counts_rollouts_not_attempts(tmp_path: Path) -> None:
    async with LoopbackProvider(faults=["1-5=status:status=500"]) as provider:
        place = Place(tmp_path, provider)
        report = await place.run(budget={"rollouts": 7})
        assert report.spent.rollouts == 7
        assert report.counts[RolloutStatus.SUCCEEDED] == 7
        assert provider.calls == 12


async def test_a_budget_of_money_stops_before_it_is_spent(tmp_path: Path) -> None:
    async with LoopbackProvider() as provider:
        place = Place(tmp_path, provider)
        model = {"name": "openai/gpt-4o-mini", "base_url": provider.base_url}
        report = await place.run(
            model=model, params={"max_tokens": 10}, budget={"usd": 0.00002}, worker_count=1
        )
        assert report.stop_reason is StopReason.BUDGET
        assert 0 < report.spent.cost_usd <= 0.00002
        assert 0 < provider.calls < 20


async def test_a_literal_timeout_leaves_nothing_running_and_can_go_on(tmp_path: Path) -> None:
    async with LoopbackProvider(latency_s=30) as provider:
        place = Place(tmp_path, provider)
        with pytest.raises(TrainerTimeout, match="trainer timeout waiting for rollouts"):
            await place.run(completion_timeout_secs=1)
        assert await place.statuses() == {RolloutStatus.QUEUING: 16, RolloutStatus.REQUEUING: 4}
        status = place.status()
        assert (status["run_state"], status["stop_reason"]) == ("failed", "time_limit")
        provider.latency_s = 0
        report = await place.run(completion_timeout_secs=20)
        assert report.resumed
        assert report.counts[RolloutStatus.SUCCEEDED] == 20


async def test_a_provider_that_is_down_leaves_nothing_scored(tmp_path: Path) -> None:
    async with LoopbackProvider(faults=["all=status:status=500"]) as provider:
        place = Place(tmp_path, provider)
        report = await place.run(retries={"max_attempts": 2, "backoff_ms": 1, "max_backoff_ms": 2})
        assert report.status is RunStatus.FAILED
        assert report.stop_reason is StopReason.NOTHING_SCORED
        assert not report.resumable
        assert "20 failed: " in (report.stop_detail or "")
        assert report.counts[RolloutStatus.FAILED] == 20
        assert report.failures == {"server": 20}
        assert provider.calls == 40
        assert [(split.mean, split.failed) for split in report.splits] == [(None, 10), (None, 10)]


async def test_a_provider_that_is_overloaded_for_ever_does_not_drag_the_run_out(
    tmp_path: Path,
) -> None:
    async with LoopbackProvider(faults=["all=status:status=503"]) as provider:
        place = Place(tmp_path, provider)
        report = await asyncio.wait_for(place.run(), 30)
        assert report.failures == {"overloaded": 20}
        assert provider.calls == 100


async def test_a_refused_key_stops_a_run_that_wants_to_fail_fast(tmp_path: Path) -> None:
    async with LoopbackProvider(key="another") as provider:
        place = Place(tmp_path, provider)
        report = await place.run(fail_fast=True)
        assert (report.status, report.stop_reason) == (RunStatus.FAILED, StopReason.ERROR)
        assert report.resumable
        assert "rollouts in a row failed" in (report.stop_detail or "")
        assert provider.calls < 20
        assert "canary" not in json.dumps(place.status())


async def test_a_stop_keeps_what_is_in_flight(tmp_path: Path) -> None:
    async with LoopbackProvider(latency_s=0.1) as provider:
        place = Place(tmp_path, provider)

        def answer(call: ReceivedCall) -> str:
            if call.n == 6:
                place.stop.set(StopReason.SIGNAL, "SIGINT")
            return call.prompt

        provider.answer = answer
        report = await place.run()
        assert (report.status, report.stop_reason) == (RunStatus.PAUSED, StopReason.SIGNAL)
        assert report.counts[RolloutStatus.SUCCEEDED] == provider.calls
        assert provider.broken == 0
        provider.answer = lambda call: call.prompt
        rest = await place.run()
        assert rest.run_id == report.run_id
        assert provider.calls == 20


async def test_a_run_paused_in_the_store_waits_and_goes_on(tmp_path: Path) -> None:
    async with LoopbackProvider(latency_s=0.05) as provider:
        place = Place(tmp_path, provider)
        called = asyncio.Event()

        def answer(call: ReceivedCall) -> str:
            called.set()
            return call.prompt

        provider.answer = answer
        running = asyncio.ensure_future(place.run())
        await asyncio.wait_for(called.wait(), 60)
        store = await open_store(place.store)
        async with store:
            [run] = await store.insights.runs()
            await store.runs.set_status(run.id, RunStatus.PAUSED, reason=StopReason.OPERATOR)
            while (await store.queue.counts(run.id)).in_flight:
                await store.queue.wait_settled(run.id, timeout_s=0.1)
            asked = provider.calls
            await store.queue.wait_settled(run.id, timeout_s=0.3)
            assert provider.calls == asked < 20
            await store.runs.set_status(run.id, RunStatus.RUNNING)
        report = await asyncio.wait_for(running, 60)
        assert report.status is RunStatus.COMPLETED
        assert provider.calls == 20


async def test_a_run_cancelled_in_the_store_ends(tmp_path: Path) -> None:
    async with LoopbackProvider(latency_s=0.05) as provider:
        place = Place(tmp_path, provider)
        called = asyncio.Event()

        def answer(call: ReceivedCall) -> str:
            called.set()
            return call.prompt

        provider.answer = answer
        running = asyncio.ensure_future(place.run())
        await asyncio.wait_for(called.wait(), 60)
        store = await open_store(place.store)
        async with store:
            [run] = await store.insights.runs()
            await store.runs.set_status(run.id, RunStatus.CANCELLED, reason=StopReason.OPERATOR)
        report = await asyncio.wait_for(running, 60)
        assert (report.status, report.stop_reason) == (RunStatus.CANCELLED, StopReason.OPERATOR)
        assert report.counts[RolloutStatus.SUCCEEDED] == provider.calls
        assert report.counts.settled == report.counts.total


async def test_a_failing_grader_leaves_rows_unscored(tmp_path: Path) -> None:
    async with LoopbackProvider() as provider:
        place = Place(tmp_path, provider)
        rows = [{"prompt": "q", "expected": "1"}, {"prompt": "q"}, {"no": "prompt"}]
        report = await place.run(optimize=rows, validate=[], graders=["number"])
        [split] = report.splits
        assert (split.scored, split.unscored, split.failed) == (1, 1, 1)
        assert split.mean == 0.0
        assert report.failures == {"example": 1}


async def test_a_wave_of_many_parts_is_queued_whole_and_in_order(tmp_path: Path) -> None:
    rows = [{"prompt": f"q{n}", "expected": f"q{n}"} for n in range(5_200)]
    async with LoopbackProvider() as provider:
        place = Place(tmp_path, provider)
        report = await place.run(optimize=rows, validate=[], budget={"rollouts": 5})
        assert report.counts.total == len(rows)
        assert set(provider.prompts) == {f"q{n}" for n in range(5)}
        again = await place.run(optimize=rows, validate=[], budget={"rollouts": 5})
        assert again.counts.total == len(rows), "submitting again adds nothing"


async def test_a_recorded_run_is_repeated_without_the_model(tmp_path: Path) -> None:
    async with LoopbackProvider() as provider:
        place = Place(tmp_path, provider)
        model = {"name": "openai/echo", "base_url": provider.base_url, "record": "said.jsonl"}
        first = await place.run(model=model)
        asked = provider.calls
        again = await place.run(model=f"replay/{tmp_path / 'said.jsonl'}")
        assert provider.calls == asked == 20
    assert (tmp_path / "said.jsonl").stat().st_mode & 0o777 == 0o600
    assert "canary" not in (tmp_path / "said.jsonl").read_text()
    assert again.run_id != first.run_id
    assert [split.mean for split in again.splits] == [split.mean for split in first.splits]
    assert again.spent.tokens == first.spent.tokens > 0

"""Retention: what ended runs did is gone, what they were stays, and the store is whole."""

from pathlib import Path

import pytest

from tau.domain.run import RunStatus, StopReason
from tau.errors import InputError, NotFound
from tau.stores.sqlite import SqliteStore, maintenance
from tau.stores.sqlite.pruning import prune
from tau.testing.clock import ManualClock, ManualProcesses
from tau.testing.store_bench import RUN
from unit.stores.stores import fill


async def _ended(path: Path) -> None:
    await fill(path)
    async with await SqliteStore.open(path, clock=ManualClock(), processes=ManualProcesses()) as s:
        await s.queue.cancel(RUN, in_flight=True)
        await s.runs.set_status(RUN, RunStatus.CANCELLED, reason=StopReason.OPERATOR)


async def test_rollouts_go_and_the_run_stays(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    await _ended(path)
    async with await SqliteStore.open(path, read_only=True) as store:
        before = await store.insights.run(RUN)
    shown = prune(path, runs=[RUN])
    async with await SqliteStore.open(path, read_only=True) as store:
        assert (await store.insights.counts(RUN)).total == 9
    done = prune(path, runs=[RUN], dry_run=False)
    async with await SqliteStore.open(path, read_only=True) as store:
        assert (await store.insights.counts(RUN)).total == 0
        assert await store.insights.run(RUN) == before
        assert len(await store.insights.versions()) == 1
        assert await store.insights.settled(RUN) == []
    assert [one.rollouts for one in shown] == [one.rollouts for one in done] == [9]
    assert maintenance.verify(path).problems == ()


async def test_by_age_only_what_ended_before(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    await _ended(path)
    now = ManualClock().unix_ms()
    assert prune(path, before_unix_ms=now - 1) == []
    assert [one.id for one in prune(path, before_unix_ms=now + 10_000)] == [RUN]


async def test_runs_that_go_on_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    await fill(path)
    with pytest.raises(InputError, match="has not ended"):
        prune(path, runs=[RUN], dry_run=False)
    with pytest.raises(NotFound, match="there is no run 'none'"):
        prune(path, runs=[RUN, "none"], dry_run=False)
    assert prune(path, before_unix_ms=2**60) == []
    async with await SqliteStore.open(path, read_only=True) as store:
        assert (await store.insights.counts(RUN)).total == 9

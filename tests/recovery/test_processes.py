"""Processes that stop, die, or share one store."""

import asyncio
import signal
from pathlib import Path

import apsw
import pytest

from machinery.workload import RUN, Workload
from recovery.audit import faults, missing, reading
from recovery.nursery import PATIENCE_S, Child, nursery
from recovery.test_storm import doubled
from tau.domain.ids import attempt_id
from tau.domain.rollout import AttemptStatus, ClaimedRollout, RolloutStatus
from tau.domain.worker import WorkerRole
from tau.ports.insights import RolloutFilter
from tau.ports.processes import SystemProcesses
from tau.stores.sqlite import SqliteStore

LEASE_MS = 400


async def queued(store: SqliteStore, rollouts: int) -> Workload:
    """A run with some rollouts, and nobody to drive it."""
    workload = Workload(width=rollouts)
    await store.runs.create(workload.run())
    await store.queue.submit(RUN, workload.submissions(0))
    return workload


@pytest.mark.storm
async def test_a_worker_stopped_past_its_lease_is_refused_everything(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with nursery(tmp_path) as started:
        async with await SqliteStore.open(path) as store:
            workload = await queued(store, 1)
            child = started.start("hold", path=str(path), lease_ms=LEASE_MS)
            held = child.wait_for("holding").split()[1]
            await stop_at_rest(child, path)

            claim = await reassigned(store)
            child.send(signal.SIGCONT)
            told = [child.wait_for(f"refused {name}") for name in ("spans", "status", "adopt")]
            await store.work.complete(claim.attempt_id, workload.outcome(claim))
            assert child.wait(PATIENCE_S)

        assert told
        assert held == attempt_id(claim.rollout_id, 1)
        assert claim.attempt == 2
        accepted = [line for line in child.lines if line.startswith("accepted")]
        assert accepted == []
    async with await SqliteStore.open(path, read_only=True) as store:
        view = await store.insights.rollout(claim.rollout_id)
        first, second = view.attempts
        assert (first.status, first.spans) == (AttemptStatus.TIMEOUT, ())
        assert first.late_spent == workload.outcome(claim).spent, "what it cost is known"
        assert second.status is AttemptStatus.SUCCEEDED
        assert await store.checkpoints.latest(RUN) is None
    with reading(path) as connection:
        assert faults(connection) == []


async def stop_at_rest(child: Child, path: Path) -> None:
    """Stop the process, but not while it holds the lock for writing: nobody could go on then."""
    while True:
        child.send(signal.SIGSTOP)
        connection = apsw.Connection(str(path))
        connection.set_busy_timeout(200)
        try:
            connection.execute("BEGIN IMMEDIATE; ROLLBACK")
        except apsw.BusyError:
            child.send(signal.SIGCONT)
            await asyncio.sleep(0.01)
        else:
            return
        finally:
            connection.close()


async def reassigned(store: SqliteStore) -> ClaimedRollout:
    """The rollout of a worker whose lease runs out, claimed by another."""
    while not await store.work.reap():  # noqa: ASYNC110  (time must pass)
        await asyncio.sleep(0.02)
    worker = await store.work.register(
        name="next", role=WorkerRole.WORKER, process=SystemProcesses().this(), lease_ms=60_000
    )
    (claim,) = await store.work.claim(worker.id, limit=5)
    return claim


@pytest.mark.storm
async def test_work_of_a_killed_process_is_claimed_anew_without_waiting(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    async with await SqliteStore.open(path) as store:
        await queued(store, 1)
    with nursery(tmp_path) as started:
        # An hour's lease: only the death of the process can free the rollout.
        dead = started.start("hold", path=str(path), lease_ms=3_600_000)
        held = dead.wait_for("holding").split()[1]
        dead.kill()

        heir = started.start("claim_first", path=str(path))
        claimed = heir.wait_for("claimed").split()[1]

        assert heir.wait(PATIENCE_S)
    assert (held[-1], claimed) == ("1", held[:-1] + "2")


@pytest.mark.storm
@pytest.mark.timeout(300)
async def test_engines_share_a_store_and_survive_each_other(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    shape = {"path": str(path), "waves": 40, "width": 30, "lease_ms": 1500}
    acknowledged: list[str] = []
    with nursery(tmp_path) as started:
        driver = started.start("workload", **shape)
        driver.wait_for("submitted")
        helpers = [started.start("help", **shape) for _ in range(2)]
        for helper in helpers:
            helper.wait_for("claimed")
        seen = await read_along(path)
        helpers[0].kill()
        driver.kill()
        assert "ended" not in helpers[0].lines + driver.lines, "both were at work"
        acknowledged += driver.lines
        driver = started.start("workload", **shape)

        assert driver.wait(PATIENCE_S)
        assert helpers[1].wait(PATIENCE_S)
        acknowledged += [*driver.lines, *helpers[0].lines, *helpers[1].lines]
    assert seen
    said = [line for line in acknowledged if line not in ("helping", "ended")]
    with reading(path) as connection:
        assert faults(connection) == []
        assert missing(connection, said) == []
        (status,) = connection.execute("SELECT status FROM run").fetchall()
        assert status == ("completed",)
    ends = [line for line in said if line.startswith("completed")]
    assert doubled(ends) == []


async def read_along(path: Path) -> int:
    """Read while others write; what is settled stays, and counters agree with the rows."""
    settled = 0
    async with await SqliteStore.open(path, read_only=True) as store:
        for _ in range(8):
            where = RolloutFilter(run=RUN, statuses=frozenset({RolloutStatus.SUCCEEDED}))
            rows = await store.insights.rollouts(where, limit=1000)
            counts = await store.queue.counts(RUN)
            assert settled <= len(rows) <= counts[RolloutStatus.SUCCEEDED]
            settled = len(rows)
            await asyncio.sleep(0.01)
    return settled

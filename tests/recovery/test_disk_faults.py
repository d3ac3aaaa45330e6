"""A disk that is full or fails at its k-th effect, for every k: refused is not done, done stays."""

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import apsw
import pytest

from machinery.disk import Faults, HookedVfs
from machinery.workload import RUN, Workload, span
from recovery.audit import faults, missing, reading
from tau.domain.checkpoint import Checkpoint
from tau.domain.ids import WorkerId
from tau.domain.rollout import RolloutStatus
from tau.domain.run import Run
from tau.domain.spend import Budget
from tau.domain.worker import WorkerRole
from tau.errors import StoreError, StoreFull
from tau.ports.processes import SystemProcesses
from tau.stores.sqlite import SqliteStore

T = TypeVar("T")
WORKLOAD = Workload(seed=7, waves=1, width=4)
NEVER = 1 << 60


class Stubborn:
    """Asks again, once the disk is well, for what was refused; nothing else may be answered."""

    def __init__(self, disk: Faults) -> None:
        self._disk = disk
        self.refusals = 0

    async def __call__(self, ask: Callable[[], Awaitable[T]]) -> T:
        try:
            return await ask()
        except StoreFull:
            self.refusals += 1
        # Full is full: it is refused again, and at once, until there is space.
        if self._disk.last == NEVER:
            with pytest.raises(StoreFull):
                await ask()
        self._disk.heal()
        return await ask()


async def opened(path: Path, vfs: HookedVfs, disk: Faults) -> SqliteStore:
    """Open, and once more where the disk failed in between."""
    try:
        return await SqliteStore.open(path, vfs=vfs.vfs_name)
    except StoreError:
        disk.heal()
        return await SqliteStore.open(path, vfs=vfs.vfs_name)


async def work(store: SqliteStore, sure: Stubborn) -> list[str]:
    """A small run, one call after the other; what was acknowledged."""
    process = SystemProcesses().this()

    async def register(role: WorkerRole) -> WorkerId:
        ask = partial(store.work.register, name=role, role=role, process=process, lease_ms=60_000)
        return (await sure(ask)).id

    run = Run(
        id=RUN, config_hash="c", model_ref="m", seed=1, algorithm="a", config={}, max_attempts=2
    )
    await sure(lambda: store.runs.create(run))
    trainer, worker = await register(WorkerRole.TRAINER), await register(WorkerRole.WORKER)
    await sure(lambda: store.runs.adopt(RUN, trainer, budget=Budget(rollouts=100), max_attempts=2))
    ids = await sure(lambda: store.queue.submit(RUN, WORKLOAD.submissions(0)))
    said = ["created", "submitted " + " ".join(ids)]
    claims = await sure(lambda: store.work.claim(worker, limit=10))
    assert len(claims) == len(ids)
    for claim in claims:
        outcome = WORKLOAD.outcome(claim)
        await sure(partial(store.work.append_spans, claim.attempt_id, [span(1)]))
        await sure(partial(store.work.complete, claim.attempt_id, outcome))
        said.append(f"completed {claim.attempt_id} {outcome.status}")
    resources = WORKLOAD.resources(0)
    checkpoint = Checkpoint(
        run_id=RUN, algorithm="a", waves=1, rollouts=4, state={"x": 1}, best=resources
    )
    await sure(lambda: store.checkpoints.save(checkpoint, trainer=trainer, publish=resources))
    said.append("checkpoint 1")
    counts = await store.queue.counts(RUN)
    assert counts[RolloutStatus.RUNNING] == 0
    return said


async def one_fault(path: Path, disk: Faults) -> int:
    """Do the work on a disk with this fault, look at what is left; how often it was refused."""
    vfs = HookedVfs(disk, wait=False)
    try:
        store = await opened(path, vfs, disk)
        async with store:
            sure = Stubborn(disk)
            said = await work(store, sure)
    finally:
        vfs.unregister()
    with reading(path) as connection:
        assert faults(connection) == [], disk
        assert missing(connection, said) == [], disk
        assert connection.execute("SELECT count(*) FROM resources_version").fetchall() == [(1,)]
    return sure.refusals


@pytest.mark.storm
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("error", "lasting"), [(apsw.FullError, True), (apsw.IOError, False)])
async def test_a_disk_failing_at_any_effect_loses_nothing(
    tmp_path: Path, error: type[apsw.Error], lasting: bool
) -> None:
    whole = Faults(apsw.FullError, NEVER, NEVER)  # only counts
    assert await one_fault(tmp_path / "whole.sqlite", whole) == 0

    refusals = 0
    for k in range(1, whole.seen + 1):
        disk = Faults(error, k, NEVER if lasting else k)
        refusals += await one_fault(tmp_path / f"{k}.sqlite", disk)

    assert refusals > whole.seen / 4, "most effects belong to writes that were refused"

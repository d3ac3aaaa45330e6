"""Flipped bits, changed contents, full disks: noticed, told, and nothing acknowledged lost."""

import shutil
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from machinery.disk import Faults, HookedVfs
from tau.domain.draws import below
from tau.errors import NotFound, StoreDamaged, StoreError, StoreFull
from tau.ports.insights import RolloutFilter
from tau.stores.sqlite import SqliteStore
from tau.stores.sqlite.maintenance import verify
from tau.testing.clock import ManualClock, ManualProcesses
from tau.testing.store_bench import RUN, SEED, Bench, success
from unit.stores.stores import fill

FLIPS = 150


@pytest.fixture
async def store_path(tmp_path: Path) -> Path:
    path = tmp_path / "store.sqlite"
    await fill(path)
    return path


def change(path: Path, statement: str) -> None:
    """What a careless hand with a database tool does."""
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute(statement)


async def read_everything(path: Path) -> None:
    async with await SqliteStore.open(path, read_only=True) as store:
        for row in await store.insights.rollouts(RolloutFilter()):
            await store.insights.rollout(row.id)
        await store.checkpoints.latest(RUN)
        await store.insights.versions()
        await store.runs.get(RUN)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE result SET output = replace(output, 'forty', 'fifty')",
        "UPDATE result SET rewards = '[]' || ' '",
        "UPDATE rollout SET score = 0.5 WHERE score IS NOT NULL",
        "UPDATE rollout SET failure = replace(failure, 'broke', 'break')",
        "UPDATE rollout SET proposal = replace(proposal, 'more', 'less')",
        "UPDATE example SET content = replace(content, '0', '1')",
        "UPDATE example SET split = 'test'",
        "UPDATE span_block SET data = zeroblob(length(data))",
        "UPDATE span_block SET first = 7",
        "DROP TRIGGER resources_stay; UPDATE resources SET content = '{}'",
        "UPDATE checkpoint SET waves = waves + 1",
        "UPDATE checkpoint SET state = zeroblob(10)",
        "UPDATE run SET config = '{}'",
    ],
)
async def test_changed_contents_are_noticed_when_read_and_verified(
    store_path: Path, statement: str
) -> None:
    await read_everything(store_path)
    assert verify(store_path).ok
    change(store_path, statement)

    assert verify(store_path).problems
    with pytest.raises(StoreDamaged, match="damaged"):
        await read_everything(store_path)


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE tally SET succeeded = 2", "counters of a run"),
        ("UPDATE tally SET reserved_calls = 2", "reserved"),
        ("UPDATE tally SET spent_rollouts = 9", "spent"),
        ("UPDATE rollout SET status = 'succeeded' WHERE status = 'failed'", "succeeded without"),
        ("DELETE FROM result", "no result"),
        ("UPDATE attempt SET n = 2 WHERE status = 'failed'", "numbered"),
        ("UPDATE worker SET state = 'lost'", "given up"),
        ("UPDATE rollout SET status = 'queuing', live = NULL WHERE live = 1", "in flight"),
        ("DELETE FROM tally", "counters"),
    ],
)
async def test_broken_promises_are_found_by_the_recount(
    store_path: Path, statement: str, told: str
) -> None:
    change(store_path, statement)

    assert any(told in problem for problem in verify(store_path).problems)


async def test_an_older_checkpoint_stands_in_for_a_damaged_one(store_path: Path) -> None:
    change(
        store_path,
        "INSERT INTO checkpoint SELECT 99, run, algorithm, waves + 1, rollouts, state, best,"
        " saved_unix_ms, hash FROM checkpoint",
    )
    async with await SqliteStore.open(store_path, read_only=True) as store:
        found = await store.checkpoints.latest(RUN)
    assert found is not None
    assert found.waves == 1


async def test_flipped_bits_never_pass_for_content(store_path: Path, tmp_path: Path) -> None:
    whole = store_path.read_bytes()
    verdicts = set()
    for n in range(FLIPS):
        position = below(len(whole), 1, "position", n)
        bit = 1 << below(8, 1, "bit", n)
        image = bytearray(whole)
        image[position] ^= bit
        path = tmp_path / f"flip-{n}.sqlite"
        path.write_bytes(image)
        verdicts.add(await verdict(path))
    assert {"fine", "found"} <= verdicts, "some flips hit free space, some hit content"


async def verdict(path: Path) -> str:
    """Whether damage was found; reading may only ever fail cleanly."""
    try:
        found = not verify(path).ok
    except StoreError:
        return "found"
    try:
        await read_everything(path)
    except (StoreDamaged, NotFound):  # an index may name a row that is not there
        assert found, "what reading notices, verifying must too"
    return "found" if found else "fine"


class Disk:
    """A store on a disk that can be made to fail."""

    def __init__(self, path: Path, error: type[apsw.Error]) -> None:
        self.path = path
        self.faults = Faults(error, first=0, last=-1)
        self.vfs = HookedVfs(self.faults)

    async def open(self) -> Bench:
        clock, processes = ManualClock(), ManualProcesses()
        store = await SqliteStore.open(
            self.path, clock=clock, processes=processes, vfs=self.vfs.vfs_name
        )
        return Bench(store, clock, processes)

    def fail(self) -> None:
        self.faults.first, self.faults.last = 0, 1 << 60


@pytest.fixture(params=[apsw.FullError, apsw.IOError])
async def disk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Disk]:
    made = Disk(tmp_path / "store.sqlite", request.param)
    yield made
    made.vfs.unregister()


async def test_a_full_disk_refuses_loses_nothing_and_goes_on(disk: Disk) -> None:
    bench = await disk.open()
    async with bench.store:
        _, claims = await bench.held(3)
        await bench.store.work.complete(claims[0].attempt_id, success(0.5))
        disk.fail()
        for _ in range(3):
            with pytest.raises(StoreFull, match="could not be written"):
                await bench.store.work.complete(claims[1].attempt_id, success())
        assert await bench.counts() == {"succeeded": 1, "running": 2}, "reading goes on"
        disk.faults.heal()
        await bench.store.work.complete(claims[1].attempt_id, success(0.25))
        await bench.store.resources.publish(SEED, run_id=RUN)

    copy = Path(shutil.copy(disk.path, disk.path.with_name("copy.sqlite")))
    assert verify(copy).ok
    async with await SqliteStore.open(copy, read_only=True) as store:
        found = await store.queue.collect(RUN, [claim.rollout_id for claim in claims])
    assert [result and result.score for result in found] == [0.5, 0.25, None]

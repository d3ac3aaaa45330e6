"""Power loss at 10,000 points of one run: what was acknowledged is there, the file is whole."""

from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from machinery.disk import Effect, Event, HookedVfs, Trace
from machinery.powerloss import Image, images
from machinery.workload import Workload
from recovery.audit import faults, final_state, missing, reading
from tau.ports.processes import SystemProcesses
from tau.stores.sqlite import SqliteStore
from tau.testing.clock import ManualProcesses

WORKLOAD = Workload(seed=3, waves=3, width=12)


async def recorded(
    path: Path, *, sync: bool = True, synchronous: str = "FULL", exclusive: bool = False
) -> list[Event]:
    """The effects of a run on the disk, with its acknowledgements among them.

    The store is closed and opened again before the last wave.
    """
    trace = Trace()
    vfs = HookedVfs(trace.add, sync=sync, wait=False)
    process = SystemProcesses().this()
    try:
        for part in (replace(WORKLOAD, waves=WORKLOAD.waves - 1, complete=False), WORKLOAD):
            store = await SqliteStore.open(
                path, vfs=vfs.vfs_name, synchronous=synchronous, exclusive=exclusive
            )
            async with store:
                await part.go(store, process, trace.note)
    finally:
        vfs.unregister()
    return trace.events


def lost(trace: list[Event], *, points: int, seed: int) -> list[str]:
    """The first promise that an image breaks, with everything needed to see it again."""
    for image in images(trace, points=points, seed=seed):
        broken = check(image)
        if broken:
            where = f"seed {seed}, image {image.variant} ({image.loss}), event {image.position}"
            return [where, *broken]
    return []


def check(image: Image) -> list[str]:
    """What is wrong with a database found after a power loss."""
    try:
        with image.connection() as connection:
            return faults(connection, thorough=False) + missing(
                connection, [str(note) for note in image.notes]
            )
    except apsw.Error as error:
        return [f"{type(error).__name__}: {error}"]


@pytest.mark.storm
@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
async def test_2500_power_losses_lose_nothing(tmp_path: Path, seed: int) -> None:
    trace = await recorded(tmp_path / "store.sqlite")

    assert lost(trace, points=2500, seed=seed) == []


@pytest.mark.storm
async def test_a_store_found_after_a_power_loss_can_be_finished(tmp_path: Path) -> None:
    trace = await recorded(tmp_path / "store.sqlite")
    with reading(tmp_path / "store.sqlite") as connection:
        expected = final_state(connection)
    for image in images(trace, points=25, seed=5):
        path = tmp_path / f"{image.variant}.sqlite"
        for suffix, content in image.files.items():
            path.with_name(path.name + suffix).write_bytes(content)
        here = SystemProcesses().this().host
        restarted = ManualProcesses(boot_id="after the power loss", host=here)
        async with await SqliteStore.open(path, processes=restarted, synchronous="OFF") as store:
            await WORKLOAD.go(store, restarted.this(), lambda line: None)
        with reading(path) as connection:
            assert faults(connection) == [], image
            assert missing(connection, [str(note) for note in image.notes]) == [], image
            assert final_state(connection) == expected, image


@pytest.mark.parametrize("synchronous", ["NORMAL", "OFF"])
async def test_less_than_full_synchronization_would_be_noticed(
    tmp_path: Path, synchronous: str
) -> None:
    trace = await recorded(tmp_path / "store.sqlite", synchronous=synchronous)

    assert lost(trace, points=1000, seed=1)


async def test_a_disk_that_does_not_sync_would_be_noticed(tmp_path: Path) -> None:
    trace = await recorded(tmp_path / "store.sqlite", sync=False)

    assert lost(trace, points=1000, seed=1)


async def test_one_skipped_fsync_of_the_log_would_be_noticed(tmp_path: Path) -> None:
    trace = await recorded(tmp_path / "store.sqlite")
    skipped = [
        i
        for i, event in enumerate(trace[:-1])
        if event == Event(Effect.SYNC, "-wal") and str(trace[i + 1].label).startswith("completed")
    ]
    # What is told right after a sync may be what the sync before it was for.
    traces = (trace[:i] + trace[i + 1 : i + 3] for i in skipped)

    assert any(lost(short, points=len(short) * 5, seed=1) for short in traces)

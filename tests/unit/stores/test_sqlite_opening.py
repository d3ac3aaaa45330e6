"""What can be wrong with the path, the file and its version: one clear error each."""

import asyncio
import os
import shutil
import sys
from asyncio.subprocess import PIPE
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from tau.errors import StoreDamaged, StoreError, StoreUnavailable, StoreVersion
from tau.stores.sqlite import SqliteStore
from tau.stores.sqlite.location import file_system
from tau.stores.sqlite.maintenance import verify
from tau.testing.clock import ManualClock, ManualProcesses
from tau.testing.store_bench import LEASE_MS, RUN, Bench
from unit.stores.stores import fill

IMAGES = sorted((Path(__file__).parents[2] / "data" / "sqlite").glob("*.db"))


@pytest.fixture
async def store_path(tmp_path: Path) -> Path:
    path = tmp_path / "store.sqlite"
    await fill(path)
    return path


async def open_and_close(path: Path, *, read_only: bool = False) -> None:
    async with await SqliteStore.open(path, read_only=read_only) as store:
        await store.insights.counts()


async def test_missing_folders_are_made_private(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "store.sqlite"
    await open_and_close(path)

    assert (path.parent.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o600)


async def test_what_sqlite_puts_beside_the_file_is_private_too(tmp_path: Path) -> None:
    async with await SqliteStore.open(tmp_path / "store.sqlite"):
        modes = {entry.name: entry.stat().st_mode & 0o777 for entry in tmp_path.iterdir()}
    assert modes == dict.fromkeys(("store.sqlite", "store.sqlite-wal", "store.sqlite-shm"), 0o600)
    assert [entry.name for entry in tmp_path.iterdir()] == ["store.sqlite"]


async def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="is a folder") as refused:
        await open_and_close(tmp_path)
    assert refused.value.where == str(tmp_path)


async def test_a_parent_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable):
        await open_and_close(tmp_path / "file" / "store.sqlite")


async def test_reading_needs_a_store(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="no store"):
        await open_and_close(tmp_path / "store.sqlite", read_only=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content", [b"x", b"hello world" * 50, b"SQLite format 3\x00", b"\x00" * 4096]
)
async def test_what_is_no_database_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "store.sqlite"
    path.write_bytes(content)
    with pytest.raises(StoreDamaged, match="not a Tau store"):
        await open_and_close(path)
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mode", ["wal", "delete"])
async def test_another_programs_database_is_left_alone(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "store.sqlite"
    with closing(apsw.Connection(str(path))) as connection:
        connection.pragma("journal_mode", mode)
        connection.execute("CREATE TABLE precious (x); INSERT INTO precious VALUES (1)")
    before = path.read_bytes()
    for read_only in (True, False):
        with pytest.raises(StoreDamaged, match="another program"):
            await open_and_close(path, read_only=read_only)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


async def test_a_creation_that_was_cut_short_is_begun_again(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with closing(apsw.Connection(str(path))) as connection:
        connection.pragma("journal_mode", "wal")
    assert path.stat().st_size > 0
    await open_and_close(path)
    assert verify(path).ok


async def test_a_newer_schema_is_refused_and_left_alone(store_path: Path) -> None:
    with closing(apsw.Connection(str(store_path))) as connection:
        connection.pragma("user_version", 999)
    before = store_path.read_bytes()
    for read_only in (True, False):
        with pytest.raises(StoreVersion, match="newer Tau"):
            await open_and_close(store_path, read_only=read_only)
    assert store_path.read_bytes() == before


async def test_a_missing_table_is_damage(store_path: Path) -> None:
    with closing(apsw.Connection(str(store_path))) as connection:
        connection.execute("DROP TABLE result")
    with pytest.raises(StoreDamaged, match="no table result"):
        await open_and_close(store_path)


async def test_a_network_file_system_is_refused_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "new" / "store.sqlite"
    with pytest.raises(StoreUnavailable, match="nfs4") as refused:
        await SqliteStore.open(path, file_system=lambda _: "nfs4")
    assert refused.value.fix == "keep it on a local disk"
    assert not path.parent.exists()


async def test_two_machines_are_refused_with_the_reason(tmp_path: Path) -> None:
    """Whoever comes second, and however: by opening it, registering, or looking for the dead."""
    path, clock = tmp_path / "store.sqlite", ManualClock()
    here, there = ManualProcesses(), ManualProcesses(boot_id="boot-2", host="elsewhere")
    async with (
        await SqliteStore.open(path, clock=clock, processes=here) as store,
        await SqliteStore.open(path, clock=clock, processes=there) as early,
    ):
        bench = Bench(store, clock, here)
        await bench.held(1)
        for late in (
            SqliteStore.open(path, clock=clock, processes=there),
            early.work.reap(),
            Bench(early, clock, there).worker(),
        ):
            with pytest.raises(StoreUnavailable, match="another machine") as refused:
                await late
            assert "SQLite store belongs to one machine" in str(refused.value)
            assert "PostgreSQL" in str(refused.value.fix)
        assert await bench.counts() == {"running": 1}
        clock.advance(LEASE_MS + 1)
        assert await early.work.reap() == 1, "the other machine is gone"


def test_the_type_of_a_real_file_system_is_known() -> None:
    assert file_system(Path("/proc")) == "proc"


async def test_writing_to_what_was_opened_for_reading(store_path: Path) -> None:
    async with await SqliteStore.open(store_path, read_only=True) as store:
        assert (await store.runs.get(RUN)).id == RUN
        with pytest.raises(StoreUnavailable, match="reading only"):
            await store.queue.cancel(RUN)


READ_IT = """
import asyncio, os, sys
from tau.errors import StoreUnavailable
from tau.stores.sqlite import SqliteStore

async def main():
    os.setuid(65534)
    async with await SqliteStore.open(sys.argv[1], read_only=True) as store:
        print((await store.insights.counts()).total)
    try:
        await SqliteStore.open(sys.argv[1])
    except StoreUnavailable as error:
        print(error.fix)

asyncio.run(main())
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody without rights")
async def test_a_file_and_folder_that_may_only_be_read(store_path: Path) -> None:
    shared = Path("/tmp") / f"tau-read-only-{os.getpid()}"
    shared.mkdir(mode=0o755)
    try:
        copy = shutil.copy(store_path, shared / "store.sqlite")
        Path(copy).chmod(0o444)
        shared.chmod(0o555)
        reader = await asyncio.create_subprocess_exec(
            sys.executable, "-c", READ_IT, copy, stdout=PIPE, stderr=PIPE
        )
        told, complaints = await reader.communicate()
    finally:
        shared.chmod(0o755)
        shutil.rmtree(shared)
    assert told.decode().splitlines() == [
        "9",
        "check that the file and its folder exist and that you may write to both",
    ], complaints.decode()


async def test_a_lock_that_is_not_given_back(store_path: Path) -> None:
    with closing(apsw.Connection(str(store_path))) as other:
        store = await SqliteStore.open(store_path, busy_timeout_ms=50)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked") as refused:
            await store.queue.cancel(RUN)
        assert "tau doctor" in (refused.value.fix or "")
        assert (await store.insights.counts()).total == 9, "reading goes on"
        other.execute("ROLLBACK")
        assert await store.queue.cancel(RUN) == 6
        await store.aclose()


@pytest.mark.parametrize("replace", [False, True])
async def test_a_file_removed_or_replaced_under_our_feet(store_path: Path, replace: bool) -> None:
    copy = store_path.with_name("copy")
    shutil.copy(store_path, copy)
    async with await SqliteStore.open(store_path) as store:
        await store.queue.cancel(RUN)
        if replace:
            copy.rename(store_path)
        else:
            store_path.unlink()
        with pytest.raises(StoreUnavailable, match="removed or replaced"):
            await store.queue.cancel(RUN)
        with pytest.raises(StoreUnavailable, match="removed or replaced"):
            await store.insights.counts()


async def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "store.sqlite")
    await store.aclose()
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.insights.counts()
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.queue.cancel(RUN)


async def opened_cleanly(path: Path) -> str:
    """How opening, reading and verifying went: "fine", or the name of a clean error."""
    try:
        await open_and_close(path)
        return "fine" if verify(path).ok else "problems"
    except StoreError as error:
        return type(error).__name__ if error.what else "no explanation"


def test_there_are_images() -> None:
    assert len(IMAGES) >= 12


@pytest.mark.parametrize("image", IMAGES, ids=lambda path: path.stem)
async def test_foreign_and_damaged_images(tmp_path: Path, image: Path) -> None:
    path = Path(shutil.copy(image, tmp_path / "store.sqlite"))
    assert await opened_cleanly(path) == "StoreDamaged"
    assert path.read_bytes() == image.read_bytes()

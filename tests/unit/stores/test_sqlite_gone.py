"""Files of a store that are deleted, replaced or emptied under its feet, and what can be done."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from acceptance import programs
from tau.errors import StoreDamaged, StoreError, StoreUnavailable
from tau.stores.sqlite import SqliteStore

Fault = Callable[[Path], None]


def deleted(*suffixes: str) -> Fault:
    def fault(path: Path) -> None:
        for suffix in suffixes:
            Path(f"{path}{suffix}").unlink()

    return fault


def replaced(suffix: str) -> Fault:
    def fault(path: Path) -> None:
        file = Path(f"{path}{suffix}")
        file.rename(f"{file}.old")
        file.write_bytes(Path(f"{file}.old").read_bytes())

    return fault


def emptied(path: Path) -> None:
    os.truncate(path, 0)


FAULTS: dict[str, Fault] = {
    "log": deleted("-wal"),
    "index": deleted("-shm"),
    "log and index": deleted("-wal", "-shm"),
    "main": deleted(""),
    "all": deleted("", "-wal", "-shm"),
    "main emptied": emptied,
    "log replaced": replaced("-wal"),
    "index replaced": replaced("-shm"),
    "main replaced": replaced(""),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_whatever_goes_away_is_noticed_by_the_next_write_and_the_way_out_is_named(
    tmp_path: Path, fault: str
) -> None:
    path = tmp_path / "store.sqlite"
    async with await SqliteStore.open(path) as store:
        await store.seals.keep("name", "value")
        FAULTS[fault](path)
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="while it was open") as told:
                await store.seals.keep("name", "lost")
            assert "tau db recover" in (told.value.fix or "")


@pytest.mark.parametrize("fault", ["log", "index", "log and index"])
async def test_what_was_acknowledged_before_the_log_went_away_is_saved_at_the_end(
    tmp_path: Path, fault: str
) -> None:
    path = tmp_path / "store.sqlite"
    async with await SqliteStore.open(path) as store:
        await store.seals.keep("name", "value")
        FAULTS[fault](path)
        with pytest.raises(StoreError):
            await store.seals.keep("name", "lost")
    async with await SqliteStore.open(path, read_only=True) as store:
        assert await store.seals.find("name") == "value"


async def test_a_log_without_its_store_is_kept_not_thrown_away(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    async with await SqliteStore.open(path) as store:
        await store.seals.keep("name", "value")
        log = Path(f"{path}-wal").read_bytes()
    for there in (False, True):
        path.unlink()
        Path(f"{path}-wal").write_bytes(log)
        if there:
            path.touch()
        for read_only in (False, True):
            with pytest.raises(StoreDamaged, match="its log is still there") as told:
                await SqliteStore.open(path, read_only=read_only)
            assert "tau db recover" in (told.value.fix or "")
        assert Path(f"{path}-wal").read_bytes() == log
        path.touch()


@pytest.mark.parametrize("damage", ["main gone", "main emptied", "log lost", "garbage"])
def test_a_broken_store_is_set_aside_and_the_run_goes_on_from_its_checkpoint_file(
    tmp_path: Path, damage: str
) -> None:
    config = programs.config(tmp_path)
    run = ("run", config, "--model", "sim/rules", "--store", "s.sqlite", "--json")
    first = programs.run("tau", *run, cwd=tmp_path).json()
    store = tmp_path / "s.sqlite"
    whole = store.read_bytes()
    match damage:
        case "main gone":
            store.unlink()
            Path(f"{store}-wal").write_bytes(whole[:8000])
        case "main emptied":
            store.write_bytes(b"")
            Path(f"{store}-wal").write_bytes(whole[:8000])
        case "log lost":
            store.write_bytes(whole[:4096])
        case _:
            store.write_bytes(whole[:100] + b"x" * (len(whole) - 100))
    assert programs.inside("doctor", "--store", "s.sqlite", cwd=tmp_path).code == 1
    done = programs.inside("db", "recover", "--store", "s.sqlite", cwd=tmp_path)
    assert done.code == 0, done.err
    assert f"brings back run {first['run_id']}" in done.out
    assert not store.exists()
    kept = [file.name for file in tmp_path.iterdir() if file.name.endswith(".aside-1")]
    assert kept
    assert programs.inside("doctor", "--store", "s.sqlite", cwd=tmp_path).code == 0
    assert programs.inside(*run, cwd=tmp_path).code == 0
    again = programs.inside("db", "recover", "--store", "s.sqlite", cwd=tmp_path)
    assert "nothing to recover" in again.out
    assert sorted(kept) == sorted(f.name for f in tmp_path.iterdir() if ".aside-" in f.name)


def test_a_store_that_goes_away_under_a_run_is_a_failed_run_in_its_status(tmp_path: Path) -> None:
    (tmp_path / "grade.py").write_text(
        "import pathlib\n"
        "def gone(example, output):\n"
        "    pathlib.Path('s.sqlite').unlink(missing_ok=True)\n"
        "    return 1.0\n"
    )
    config = programs.config(tmp_path, graders=[{"type": "python", "function": "grade.py:gone"}])
    ended = programs.inside(
        "run", config, "--model", "sim/rules", "--store", "s.sqlite", cwd=tmp_path
    )
    assert ended.code == 1
    assert "tau db recover" in ended.err
    status = json.loads((tmp_path / "status.json").read_text())
    assert status["run_state"] == "failed"
    assert "while it was open" in status["stop_detail"]

"""Stores whose place or name cannot hold one are refused with what is wrong and the way out."""

import os
from pathlib import Path

import pytest

from acceptance import programs
from tau.errors import StoreUnavailable
from tau.stores.sqlite import SqliteStore


@pytest.mark.parametrize("length", [248, 251, 253, 255, 300])
async def test_a_name_too_long_for_its_log_is_refused(tmp_path: Path, length: int) -> None:
    for name in ("x" * length, "ü" * (length // 2 + 1)):
        with pytest.raises(StoreUnavailable, match="name is too long") as told:
            await SqliteStore.open(tmp_path / name)
        assert "247" in (told.value.why or "")
        assert told.value.fix
    assert not list(tmp_path.iterdir())


async def test_the_longest_name_works(tmp_path: Path) -> None:
    async with await SqliteStore.open(tmp_path / ("x" * 247)) as store:
        await store.seals.keep("a", "b")


async def test_a_name_that_is_not_utf8_is_refused_and_can_be_printed(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/store-\xff.sqlite"))
    with pytest.raises(StoreUnavailable, match="not UTF-8") as told:
        await SqliteStore.open(path)
    assert "\\xff" in str(told.value).encode().decode()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "kind", ["virtiofs", "fuse.sshfs", "fuse", "fuse.juicefs", "fuse.somethingnew", "nfs4", "9p"]
)
async def test_what_may_be_a_network_is_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(StoreUnavailable, match="network file system"):
        await SqliteStore.open(tmp_path / "s", file_system=lambda _: kind)


@pytest.mark.parametrize("kind", ["ext4", "fuseblk", "fuse.fuse-overlayfs", "overlay", "tmpfs", ""])
async def test_what_is_on_this_machine_is_used(tmp_path: Path, kind: str) -> None:
    async with await SqliteStore.open(tmp_path / "s", file_system=lambda _: kind):
        pass


@pytest.mark.parametrize("store", [":memory:", "sqlite://:memory:"])
def test_a_run_is_not_kept_in_memory(tmp_path: Path, store: str) -> None:
    config = programs.config(tmp_path)
    ended = programs.inside("run", config, "--model", "sim/rules", "--store", store, cwd=tmp_path)
    assert ended.code in (1, 2)
    assert "':memory:'" in ended.err

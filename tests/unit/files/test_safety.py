"""A planted link is refused by name, and whatever it points at stays as it was."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from acceptance import programs
from tau.errors import FileError, StoreUnavailable, TauError
from tau.files.atomic import append_line, atomic_write
from tau.files.lock import FileLock
from tau.files.safety import make_folder
from tau.lifecycle.audit import AuditTrail
from tau.stores.sqlite import SqliteStore

VICTIM = b"somebody else's\n"


def lock(path: Path) -> None:
    FileLock(path).acquire(b"note")


def held(path: Path) -> None:
    with FileLock(path).held(timeout_s=1):
        pass


def torn(path: Path) -> None:
    AuditTrail(path)._set_aside_torn_line()


WRITERS: list[Callable[[Path], None]] = [
    lambda path: atomic_write(path, b"new"),
    lambda path: append_line(path, b"line"),
    lock,
    held,
]


@pytest.mark.parametrize("dangling", [False, True])
@pytest.mark.parametrize("write", WRITERS)
def test_no_writer_follows_a_link(
    tmp_path: Path, write: Callable[[Path], None], dangling: bool
) -> None:
    victim, link = tmp_path / "victim", tmp_path / "folder" / "planted"
    link.parent.mkdir()
    link.symlink_to("../victim")
    if not dangling:
        victim.write_bytes(VICTIM)
    with pytest.raises(FileError, match=f"'{link}' is a symbolic link") as refused:
        write(link)
    assert refused.value.fix
    assert victim.exists() is not dangling
    assert dangling or victim.read_bytes() == VICTIM
    assert [path.name for path in link.parent.iterdir()] == ["planted"]


def test_a_torn_line_is_not_cut_off_through_a_link(tmp_path: Path) -> None:
    victim, link = tmp_path / "victim", tmp_path / "audit.jsonl"
    victim.write_bytes(b'{"action": "pause"}\nhalf')
    link.symlink_to(victim)
    with pytest.raises(FileError, match="symbolic link"):
        torn(link)
    assert victim.read_bytes() == b'{"action": "pause"}\nhalf'


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", "-journal"])
@pytest.mark.parametrize("dangling", [False, True])
async def test_no_file_of_a_store_is_a_link(tmp_path: Path, suffix: str, dangling: bool) -> None:
    path, victim = tmp_path / "store.sqlite", tmp_path / "victim"
    if suffix:
        async with await SqliteStore.open(path):
            pass
    if not dangling:
        victim.write_bytes(b"")
    Path(f"{path}{suffix}").symlink_to(victim)
    with pytest.raises(StoreUnavailable, match="symbolic link"):
        await SqliteStore.open(path)
    assert victim.exists() is not dangling
    assert dangling or victim.read_bytes() == b""


@pytest.mark.parametrize(
    "name",
    ["run.lock", "control.lock", "control-audit.jsonl", "control-state.json", "status.json",
     "policy-checkpoint.json", "store.sqlite", "store.sqlite-wal"],
)  # fmt: skip
def test_a_run_never_writes_through_a_planted_link(tmp_path: Path, name: str) -> None:
    config, victim = programs.config(tmp_path), tmp_path / "victim"
    victim.write_bytes(VICTIM)
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / name).symlink_to(victim)
    ended = programs.inside(
        "run", config, "--model", "sim/rules", "--store", "s/store.sqlite", cwd=tmp_path
    )
    assert victim.read_bytes() == VICTIM
    assert name in ended.err
    assert "symbolic link" in ended.err or name == "control-state.json"  # what it reads is wrong


def test_an_export_never_writes_through_a_planted_link(tmp_path: Path) -> None:
    config, victim = programs.config(tmp_path), tmp_path / "victim"
    victim.write_bytes(VICTIM)
    (tmp_path / "report.html").symlink_to(victim)
    place = ("--store", "s.sqlite")
    programs.inside("run", config, "--model", "sim/rules", *place, cwd=tmp_path)
    ended = programs.inside(
        "export", "--to", "html", "--output", "report.html", *place, cwd=tmp_path
    )
    assert (ended.code, victim.read_bytes()) == (1, VICTIM)
    assert "report.html' is a symbolic link" in ended.err


def test_folders_are_made_for_this_user_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        make_folder(tmp_path / "a" / "b" / "c")
        atomic_write(tmp_path / "d" / "e" / "file", b"")
    finally:
        os.umask(before)
    for folder in ("a", "a/b", "a/b/c", "d", "d/e"):
        assert stat.S_IMODE((tmp_path / folder).stat().st_mode) == 0o700, folder


def test_a_folder_that_is_a_link_of_ours_is_used_and_one_to_nothing_is_refused(
    tmp_path: Path,
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "ours").symlink_to("real")
    atomic_write(tmp_path / "ours" / "file", b"x")
    assert (tmp_path / "real" / "file").read_bytes() == b"x"
    (tmp_path / "nowhere").symlink_to("missing")
    for write in WRITERS:
        with pytest.raises(TauError, match="symbolic link to nothing"):
            write(tmp_path / "nowhere" / "file")
    assert not (tmp_path / "missing").exists()


def test_a_folder_that_is_a_link_of_somebody_else_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "planted").symlink_to("real")
    if os.geteuid() == 0:
        os.chown(tmp_path / "planted", 1234, 1234, follow_symlinks=False)
    else:
        me = os.geteuid()
        monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    with pytest.raises(FileError, match="another user"):
        atomic_write(tmp_path / "planted" / "file", b"x")
    assert not list((tmp_path / "real").iterdir())

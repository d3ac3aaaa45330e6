"""Files survive kill -9 at every effect, and power loss between any two of them."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from tau.files.atomic import append_line, atomic_write, clean_orphans

CHILD = Path(__file__).with_name("atomic_child.py")
OLD, NEW = "old" * 2000, "new" * 3000


def run_child(kind: str, path: Path, data: str, effect: int = 0, moment: str = "") -> list[str]:
    """The effects completed, as lines of name, first argument and result."""
    done = subprocess.run(
        [sys.executable, CHILD, kind, path, data, str(effect), moment],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == (-signal.SIGKILL if effect else 0), done.stderr
    return done.stdout.splitlines()


@pytest.mark.storm
def test_a_replaced_file_is_old_or_new_after_kill_9_at_every_effect(tmp_path: Path) -> None:
    effects = run_child("atomic_write", tmp_path / "x" / "whole", NEW)
    outcomes = set()
    for effect, moment in product(range(1, len(effects) + 1), ("before", "half", "after")):
        path = tmp_path / f"{effect}-{moment}" / "status.json"
        atomic_write(path, OLD.encode())
        run_child("atomic_write", path, NEW, effect, moment)

        outcomes.add(path.read_text())
        assert path.read_text() in (OLD, NEW), (effect, moment)
        assert clean_orphans(path.parent) <= 1
        assert [entry.name for entry in path.parent.iterdir()] == [path.name]

    assert outcomes == {OLD, NEW}, "some kills must come before the rename and some after"


@pytest.mark.storm
def test_an_appended_file_keeps_its_lines_after_kill_9_at_every_effect(tmp_path: Path) -> None:
    whole = tmp_path / "whole.jsonl"
    append_line(whole, OLD.encode())
    effects = run_child("append_line", whole, NEW)
    for effect, moment in product(range(1, len(effects) + 1), ("before", "half", "after")):
        path = tmp_path / f"{effect}-{moment}.jsonl"
        append_line(path, OLD.encode())
        run_child("append_line", path, NEW, effect, moment)

        first, _, rest = path.read_text().partition("\n")
        assert first == OLD
        assert (NEW + "\n").startswith(rest)


def test_replacing_a_file_survives_power_loss_between_any_two_effects(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    path.write_text(OLD)
    effects = run_child("atomic_write", path, NEW)

    for length in range(len(effects) + 1):
        for content in after_power_loss(effects[:length]):
            assert content in ("old", "new"), effects[:length]
    assert set(after_power_loss(effects)) == {"new"}, "what was acknowledged stays"


@pytest.mark.parametrize("skipped", ["file", "folder"])
def test_a_skipped_fsync_would_be_noticed(tmp_path: Path, skipped: str) -> None:
    path = tmp_path / "status.json"
    path.write_text(OLD)
    effects = run_child("atomic_write", path, NEW)
    syncs = [i for i, line in enumerate(effects) if line.startswith("fsync")]
    del effects[syncs[0 if skipped == "file" else -1]]

    found = {
        content
        for length in range(len(effects) + 1)
        for content in after_power_loss(effects[:length])
    }

    assert "torn" in found if skipped == "file" else "old" in after_power_loss(effects)


def after_power_loss(effects: list[str]) -> Iterator[str]:
    """What the file may hold: old, new or torn.

    Until its fsync the new file's content may be missing; until that of the folder the rename may
    be, and whether a rename waits for the content is up to the file system: here it does not.
    """
    names = [line.split()[0] for line in effects]
    renamed = names.index("rename") if "rename" in names else len(names)
    content_safe = "fsync" in names[:renamed]
    rename_safe = "fsync" in names[renamed:]
    if renamed < len(names):
        yield "new" if content_safe else "torn"
    if not rename_safe:
        yield "old"

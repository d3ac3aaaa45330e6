"""Copies of folders that a command is given."""

from pathlib import Path

import pytest

from tau.domain.resources import Resources
from tau.domain.text_source import TextSource
from tau.errors import ExecutorFailed
from tau.executors.folders import copied_folders

SOURCES = {"pdf/a/SKILL.md": TextSource(path="skills/pdf/a/SKILL.md", folder="skills/pdf")}
NEW = Resources(values={"pdf/a/SKILL.md": "new"})


def folder(base: Path) -> Path:
    found = base / "skills" / "pdf"
    (found / "a").mkdir(parents=True)
    (found / "a" / "SKILL.md").write_text("old")
    (found / "run.sh").write_bytes(b"\0binary")
    (found / "run.sh").chmod(0o755)
    return found


def test_a_copy_has_the_texts_and_everything_else(tmp_path: Path) -> None:
    original = folder(tmp_path)
    copies = copied_folders(SOURCES, NEW, base_dir=tmp_path, into=tmp_path / "into")
    copy = Path(copies["pdf"])
    assert (copy / "a" / "SKILL.md").read_text() == "new"
    assert (copy / "run.sh").read_bytes() == b"\0binary"
    assert (copy / "run.sh").stat().st_mode & 0o111
    assert (original / "a" / "SKILL.md").read_text() == "old"


@pytest.mark.parametrize("way", ["link", "link to a folder", "gone"])
def test_what_cannot_be_copied_is_told(tmp_path: Path, way: str) -> None:
    found = folder(tmp_path)
    if way == "link":
        (found / "key").symlink_to(tmp_path / "secret")
    elif way == "link to a folder":
        (found / "key").symlink_to("../..")
    else:
        (tmp_path / "skills").rename(tmp_path / "elsewhere")
    with pytest.raises(ExecutorFailed, match="cannot be copied"):
        copied_folders(SOURCES, NEW, base_dir=tmp_path, into=tmp_path / "into")

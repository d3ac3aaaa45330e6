"""Prompts back in the files that they came from."""

import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau.domain.json_pointer import strings_at, with_string
from tau.domain.resources import Resources
from tau.domain.text_source import TextSource
from tau.errors import InputError
from tau.reports.source_files import _with_strings, file_changes, patch

TOOLS = '{"tools": [\n  {"name" : "a",  "description":"old \\u00e9"} ], "n": 1.0}\n'
SOURCES = {
    "text": TextSource(path="my skills/SKILL.md", folder="my skills"),
    "tools": TextSource(path="tools.json", pointers=("/tools/0/description",)),
}


def folder(path: Path) -> Path:
    (path / "my skills").mkdir()
    (path / "my skills" / "SKILL.md").write_bytes(b"one\r\ntwo")
    (path / "tools.json").write_text(TOOLS)
    return path


BEFORE = Resources(values={"text": "one\r\ntwo", "tools": json.loads(TOOLS)})
AFTER = Resources(
    values={
        "text": "one\r\nthree\n",
        "tools": with_string(json.loads(TOOLS), "/tools/0/description", "new \u00e9"),
    }
)


def test_a_patch_is_taken_by_git(tmp_path: Path) -> None:
    changes = file_changes(SOURCES, BEFORE, AFTER, folder(tmp_path))
    command = ["git", "apply", "--whitespace=nowarn", "-"]
    subprocess.run(command, cwd=tmp_path, input=patch(changes).encode(), check=True)
    assert (tmp_path / "my skills" / "SKILL.md").read_bytes() == b"one\r\nthree\n"
    assert (tmp_path / "tools.json").read_text() == TOOLS.replace("old", "new")
    assert file_changes(SOURCES, BEFORE, AFTER, tmp_path) == ()


@pytest.mark.parametrize("path", ["my skills/SKILL.md", "tools.json"])
@pytest.mark.parametrize("way", ["changed", "deleted", "linked"])
def test_a_file_that_is_not_what_was_read_is_refused(tmp_path: Path, path: str, way: str) -> None:
    file = folder(tmp_path) / path
    content = file.read_bytes()
    file.unlink()
    if way == "changed":
        file.write_bytes(content.replace(b"o", b"0"))
    elif way == "linked":
        (tmp_path / "other").write_bytes(content)
        file.symlink_to(tmp_path / "other")
    said = {"changed": "has changed", "deleted": "does not exist", "linked": "symbolic link"}[way]
    with pytest.raises(InputError, match=said):
        file_changes(SOURCES, BEFORE, AFTER, tmp_path)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(document=_JSON, text=st.text(), pretty=st.booleans(), plain=st.booleans())
def test_only_the_strings_named_change(
    document: object, text: str, pretty: bool, plain: bool
) -> None:
    written = json.dumps(document, indent=2 if pretty else None, ensure_ascii=plain)
    for pattern in ("/*", "/*/*", "/*/*/*"):
        for pointer in strings_at(document, pattern):  # type: ignore[arg-type]
            found = json.loads(_with_strings(written, {pointer: text}))
            assert found == with_string(document, pointer, text)  # type: ignore[arg-type]

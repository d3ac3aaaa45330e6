"""Resources that are read from files, folders and JSON documents."""

import json
from pathlib import Path

import pytest

from tau.config.loading import load
from tau.config.run_settings import RunConfig
from tau.domain.json import Json
from tau.errors import ConfigError

SKILL = "---\nname: pdf\ndescription: Reads files.\n---\n# PDF\n\u00e9\r\n"


def loaded(folder: Path, resources: dict[str, Json]) -> RunConfig:
    path = folder / "tau.json"
    value = {
        "resources": resources,
        "executor": {"type": "command", "command": ["true"]},
        "optimize": [{"prompt": "1", "expected": "2"}],
    }
    path.write_text(json.dumps(value))
    return load(path, environ={"PATH": "/usr/bin:/bin"})


def refusal(folder: Path, value: Json) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(folder, {"it": value})
    return str(caught.value)


def test_files_become_texts_under_their_names(tmp_path: Path) -> None:
    (tmp_path / "skills" / "pdf").mkdir(parents=True)
    (tmp_path / "skills" / "pdf" / "SKILL.md").write_bytes(SKILL.encode())
    (tmp_path / "AGENTS.md").write_text("Be brief.\n")
    (tmp_path / "tools.json").write_text('{"tools": [{"name": "a", "description": "b"}]}')
    config = loaded(
        tmp_path,
        {
            "agents": {"file": "AGENTS.md"},
            "pdf": {"folder": "skills/pdf", "edit": ["*.md"]},
            "tools": {"json": "tools.json", "edit": ["/tools/*/description"]},
            "plain": "text",
        },
    )
    assert dict(config.resources.values) == {
        "agents": "Be brief.\n",
        "pdf/SKILL.md": SKILL,
        "tools": {"tools": [{"name": "a", "description": "b"}]},
        "plain": "text",
    }
    assert config.sources["pdf/SKILL.md"].path == "skills/pdf/SKILL.md"
    assert config.sources["tools"].pointers == ("/tools/0/description",)
    assert not config.warnings


def test_a_changed_file_is_another_run(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("one")
    first = loaded(tmp_path, {"it": {"file": "a.md"}})
    (tmp_path / "a.md").write_text("two")
    assert loaded(tmp_path, {"it": {"file": "a.md"}}).config_hash != first.config_hash


@pytest.mark.parametrize("value", ["text", [{"role": "user", "content": "x"}], {"other": 1}, 3])
def test_values_that_stand_for_themselves_stay(tmp_path: Path, value: Json) -> None:
    config = loaded(tmp_path, {"it": value})
    assert config.resources.values["it"] == value
    assert "sources" not in config.semantic


def test_an_unknown_field_of_a_source_is_told(tmp_path: Path) -> None:
    config = loaded(tmp_path, {"it": {"file": "a.md", "chekc": ["true"]}})
    assert "'chekc' is no field" in config.warnings[0].message


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"file": "none.md"}, "does not exist"),
        ({"file": "none.md", "check": []}, "does not exist"),
        ({"file": 3}, "'file' must be a path"),
        ({"file": "binary.md"}, "zero bytes"),
        ({"file": "latin.md"}, "not UTF-8"),
        ({"file": "empty.md"}, "is empty"),
        ({"file": "large.md"}, "larger than"),
        ({"file": "link.md"}, "symbolic link"),
        ({"file": "good.md", "check": ["no-such-checker"]}, "was not found"),
        ({"file": "good.md", "check": "true"}, "list of texts"),
        ({"file": "good.md", "check": ["true"], "check_limit_s": 0}, "check_limit_s"),
        ({"folder": "nowhere"}, "is no folder"),
        ({"folder": "skill"}, "no file 'SKILL.md'"),
        ({"folder": "skill", "edit": ["../good.md"]}, "leads out of the folder"),
        ({"folder": "skill", "edit": ["out.md"]}, "leads out of"),
        ({"folder": "skill", "edit": ["sub/good.md"]}, "symbolic link"),
        ({"json": "good.md", "edit": ["/a"]}, "is not JSON"),
        ({"json": {"a": 1}, "edit": ["/a"]}, "names no string"),
        ({"json": {"a": "b"}, "edit": ["a"]}, "names no string"),
        ({"json": {"a": "b"}}, "'edit' must name"),
        ({"json": 3, "edit": ["/a"]}, "must be an object"),
    ],
)
def test_what_cannot_be_read_is_told_clearly(tmp_path: Path, value: Json, said: str) -> None:
    (tmp_path / "good.md").write_text("good")
    (tmp_path / "binary.md").write_bytes(b"a\0b")
    (tmp_path / "latin.md").write_bytes("\u00e9".encode("latin-1"))
    (tmp_path / "empty.md").write_text(" \n")
    (tmp_path / "large.md").write_text("x" * 300_000)
    (tmp_path / "link.md").symlink_to("good.md")
    (tmp_path / "skill").mkdir()
    (tmp_path / "skill" / "out.md").symlink_to("../good.md")
    (tmp_path / "skill" / "sub").symlink_to("..")
    assert said in refusal(tmp_path, value)

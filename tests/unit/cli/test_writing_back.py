"""Prompts that came from files, optimized and written back."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tau.cli.commands.group import tau_group
from tau.cli.surface import Surface, program

Ask = Callable[..., tuple[int, str, str]]
SKILL = "---\nname: pdf\ndescription: Reads files.\n---\nold\n"
APP = "def run(example, resources):\n    return example['prompt'] * ('new' in resources['pdf/SKILL.md'])\n"  # noqa: E501


@pytest.fixture
def ask(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Ask:
    def call(*words: str) -> tuple[int, str, str]:
        capfd.readouterr()
        store = ["--store", str(tmp_path / "store.sqlite")]
        code = program(tau_group, Surface(program="tau"), [*words, *store])
        return (code, *capfd.readouterr())

    return call


def written(folder: Path, better: str, **skill: object) -> str:
    (folder / "skills").mkdir()
    (folder / "skills" / "SKILL.md").write_text(SKILL)
    (folder / "skills" / "SKILL.md").chmod(0o640)
    (folder / "app.py").write_text(APP)
    config = {
        "resources": {"pdf": {"folder": "skills", **skill}},
        "executor": {"type": "python", "function": "app.py:run"},
        "model": "sim/rules",
        "algorithm": {"type": "select", "prompts": [{"pdf/SKILL.md": better}]},
        "optimize": [{"prompt": f"q{number}", "expected": f"q{number}"} for number in range(30)],
    }
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    return str(path)


def test_a_better_skill_is_written_back_where_it_came_from(ask: Ask, tmp_path: Path) -> None:
    better = SKILL.replace("old", "new")
    file = tmp_path / "skills" / "SKILL.md"
    code, _, said = ask("optimize", written(tmp_path, better))
    assert code == 0, said
    root = ["--root", str(tmp_path)]

    code, patch, _ = ask("export", "--to", "patch", *root)
    assert code == 0
    assert "--- a/skills/SKILL.md\n+++ b/skills/SKILL.md\n" in patch
    assert "-old\n+new\n" in patch
    assert file.read_text() == SKILL

    code, said, _ = ask("export", "--to", "files", *root)
    assert (code, file.read_text(), file.stat().st_mode & 0o777) == (0, better, 0o640)
    assert "SKILL.md" in said

    code, _, said = ask("export", "--to", "files", *root)
    assert code != 0
    assert "nothing to write" in said

    file.write_text("mine")
    code, _, said = ask("export", "--to", "files", *root)
    assert (code != 0, file.read_text()) == (True, "mine")
    assert "has changed since the run read it" in said


def test_nothing_to_write_is_no_success(ask: Ask, tmp_path: Path) -> None:
    ask("optimize", written(tmp_path, SKILL.replace("old", "older")))
    code, _, said = ask("export", "--to", "files", "--root", str(tmp_path))
    assert code != 0
    assert "recommends what it began with" in said


def test_a_run_does_not_begin_with_a_text_that_its_checker_refuses(
    ask: Ask, tmp_path: Path
) -> None:
    check = ["sh", "-c", "echo 'never good'; exit 1"]
    code, _, said = ask("optimize", written(tmp_path, SKILL, check=check))
    assert code == 2
    assert "never good" in said


def test_a_prompt_to_compare_must_pass_too(ask: Ask, tmp_path: Path) -> None:
    better = SKILL.replace("old", "new")
    check = ["sh", "-c", "! grep -n new {file}"]
    code, _, said = ask("optimize", written(tmp_path, better, check=check))
    assert code == 2
    assert "refuses it: 5:new" in said

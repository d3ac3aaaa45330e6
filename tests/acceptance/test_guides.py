"""Every command of the guides works as it stands there."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from acceptance import programs

ROOT = Path(__file__).parents[2]
ANSWERS = {"What is 2 + 2?": "4", "What is 3 + 3?": "6"}

_FILE = re.compile(r"^`([^`\n]+)`:\n\n```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL)
_PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
_COMMANDS = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)


def follow(guide: Path, folder: Path, env: dict[str, str]) -> list[str]:
    """Write the guide's files, then run its commands in order in one shell each block."""
    text = guide.read_text(encoding="utf-8")
    for name, content in _FILE.findall(text):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    blocks = [str(block) for block in _COMMANDS.findall(text)]
    scripts = Path(programs.script("tau")).parent
    path = f"{scripts}{os.pathsep}{os.environ['PATH']}"
    for block in blocks:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", block],
            cwd=folder, env={**programs.environment(env), "PATH": path},
            capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
    return blocks


@pytest.mark.timeout(300)
def test_the_optimizing_guide_can_be_followed_literally(tmp_path: Path) -> None:
    blocks = follow(ROOT / "docs/guides/optimizing.md", tmp_path, {})

    assert len(blocks) >= 6
    assert (tmp_path / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "order clerk" in (tmp_path / "prompt.txt").read_text(encoding="utf-8")


@pytest.mark.timeout(300)
def test_the_example_of_the_python_guide_runs(tmp_path: Path) -> None:
    text = (ROOT / "docs/guides/python-api.md").read_text(encoding="utf-8")
    code = "\n".join(_PYTHON.findall(text))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path, env=programs.environment({}), capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "promote" in done.stdout
    assert (tmp_path / "report.html").exists()


@pytest.mark.timeout(300)
def test_the_agents_guide_can_be_followed_literally(tmp_path: Path) -> None:
    guide = ROOT / "docs/guides/agents.md"
    blocks = follow(guide, tmp_path, {})
    assert len(blocks) == 2
    code = [one for one in _PYTHON.findall(guide.read_text("utf-8")) if "tau.evaluate" in one]
    done = subprocess.run(
        [sys.executable, "-c", *code],
        cwd=tmp_path, env=programs.environment({}), capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    shown = subprocess.run(
        [programs.script("tau"), "rollouts", "show", "r1", "--store", "agent.sqlite"],
        cwd=tmp_path, env=programs.environment({}), capture_output=True, text=True, timeout=60,
        check=True,
    ).stdout  # fmt: skip
    assert "writer, call 1 of 2" in shown
    assert "checker, call 2 of 2" in shown


@pytest.mark.timeout(300)
def test_both_guides_can_be_followed_literally_in_one_folder(tmp_path: Path) -> None:
    with programs.provider(tmp_path, ANSWERS) as provider:
        operations = follow(ROOT / "docs/guides/operations.md", tmp_path, provider.env)
        recovery = follow(ROOT / "docs/guides/recovery.md", tmp_path, provider.env)
    assert len(operations) >= 7
    assert len(recovery) >= 6
    assert (tmp_path / "backup.sqlite").stat().st_size > 0
    state = json.loads((tmp_path / ".tau/prompt-optimization/status.json").read_text())
    assert (state["run_state"], state["succeeded"]) == ("completed", 2)


@pytest.mark.timeout(300)
def test_the_plugin_guide_can_be_followed_literally(tmp_path: Path) -> None:
    # pip warns of parts of its own.
    env = {"PYTHONWARNINGS": "default"}
    blocks = follow(ROOT / "docs/guides/custom-plugins.md", tmp_path, env)

    assert len(blocks) == 2
    assert (tmp_path / ".tau").exists(), "the run left its store"


@pytest.mark.timeout(300)
def test_the_guide_to_judges_can_be_followed_literally(tmp_path: Path) -> None:
    options = ("--default", '{"reason": "it does", "verdict": "yes"}')
    with programs.provider(tmp_path, {}, *options) as provider:
        blocks = follow(ROOT / "docs/guides/judges.md", tmp_path, provider.env)
        assert provider.counts()["calls"] == 6, "two answers, and two verdicts on each"
    assert len(blocks) == 1

"""What is proposed after a limit has ended a run: a command that would really go on."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path

import pytest

from tau.cli.commands.group import tau_group
from tau.cli.surface import Surface, program

ROWS = [{"prompt": f"what is {n}?", "expected": "x"} for n in range(40)]


def config(folder: Path, budget: Mapping[str, float]) -> str:
    path = folder / "config.json"
    value = {
        "model": "sim/rules", "resources": {"system_prompt": "Answer."}, "budget": budget,
        "validate": ROWS, "optimize": [{**row, "prompt": f"so, {row['prompt']}"} for row in ROWS],
    }  # fmt: skip
    path.write_text(json.dumps(value), encoding="utf-8")
    return str(path)


def ended(capfd: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    capfd.readouterr()
    code = program(tau_group, Surface(program="tau"), list(words))
    return code, capfd.readouterr().out


def proposed(output: str) -> list[str]:
    after = output.partition("\n next ")[2].splitlines()
    first = next(line.strip() for line in after if line.strip().startswith("tau "))
    words = shlex.split(first, comments=True)
    assert words[0] == "tau"
    return words[1:]


@pytest.mark.parametrize("budget", [{"tokens": 4000}, {"calls": 50, "tokens": 10_000_000}])
def test_an_optimization_is_proposed_with_a_larger_limit_and_goes_on(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], budget: dict[str, float]
) -> None:
    store = str(tmp_path / "store.sqlite")
    name, limit = next(iter(budget.items()))
    code, output = ended(capfd, "optimize", config(tmp_path, budget), "--store", store)
    words = proposed(output)

    assert code == 4
    assert float(words[words.index(f"--budget-{name}") + 1]) >= 2 * limit
    assert ("--budget-tokens" in words) == (name == "tokens"), "only what ended it is raised"
    before = json.loads(ended(capfd, "export", "--to", "json", "--store", store)[1])
    ended(capfd, *words)
    after = json.loads(ended(capfd, "export", "--to", "json", "--store", store)[1])
    assert after["run_id"] == before["run_id"]
    assert after["calls"] > before["calls"]


def test_a_run_is_told_which_limit_its_configuration_has_to_raise(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    store = str(tmp_path / "store.sqlite")
    code, output = ended(capfd, "run", config(tmp_path, {"rollouts": 7}), "--store", store)

    assert code == 4
    assert "has a larger limit: budget.rollouts 14" in output
    assert proposed(output)[0] == "run"

"""The next request to the reflection model, printed and not sent."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from tau.cli.commands.group import tau_group
from tau.cli.demonstration import configuration
from tau.cli.surface import Surface, program
from tau.domain.dataset import Split
from tau.sim.world import World

Ask = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ask(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Ask:
    def call(*words: str) -> tuple[int, str, str]:
        capfd.readouterr()
        store = ["--store", str(tmp_path / "store.sqlite")]
        code = program(tau_group, Surface(program="tau"), [*words, *store])
        return (code, *capfd.readouterr())

    return call


def written(folder: Path, **fields: Any) -> str:  # noqa: ANN401  (JSON)
    rows = {split.value: list(World(1).examples(split, 40)) for split in Split}
    path = folder / "config.json"
    path.write_bytes(
        orjson.dumps({**configuration(), **rows, "purpose": "Books orders.", **fields})
    )
    return str(path)


def test_before_a_run_it_is_made_of_stand_ins_and_nothing_is_written(
    ask: Ask, tmp_path: Path
) -> None:
    code, said, _ = ask("optimize", written(tmp_path), "--show-proposal")

    assert code == 0
    assert "for a run that is not begun yet. Nothing was" in said
    assert "This is what it is for: Books orders." in said
    assert "(what the application answers will stand here)" in said
    assert not (tmp_path / "store.sqlite").exists()


def test_of_an_interrupted_run_it_is_the_next_one_of_what_was_measured(
    ask: Ask, tmp_path: Path
) -> None:
    path = written(tmp_path)
    code, _, _ = ask("optimize", path, "--budget-tokens", "9000")
    assert code == 4
    code, said, _ = ask("optimize", path, "--budget-tokens", "900000", "--show-proposal", "--json")

    found = json.loads(said)
    assert code == 0
    assert found["run_id"] is not None
    assert found["model_ref"] == "sim/rules"
    assert [one["role"] for one in found["messages"]] == ["user"]
    assert "It does well on" in found["messages"][0]["content"]


def test_an_algorithm_that_asks_for_nothing_is_told(ask: Ask, tmp_path: Path) -> None:
    path = written(tmp_path, algorithm={"type": "evaluate"})
    code, _, complaint = ask("optimize", path, "--show-proposal")

    assert code == 1
    assert "asks for no proposal" in complaint

"""Comparing what is stored of different models: only when asked, and said."""

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

OLD, NEW = "sim/rules?noise=0", "sim/rules?noise=3"
Ask = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one prompt measured on two models, and another on the new model only."""
    place = tmp_path_factory.mktemp("models")
    rows = list(World(4).examples(Split.VALIDATE, 30))
    base = {k: v for k, v in configuration().items() if k not in ("optimize", "test", "budget")}
    for name, model, prompt, grader in (
        ("old", OLD, "Write a booking line.", "sim"),
        ("new", NEW, "Write a booking line.", "sim"),
        ("other", NEW, "Write one short booking line.", "sim"),
        ("graded", NEW, "Write a booking line.", {"type": "length", "max": 1}),
    ):
        value = {
            **base, "validate": rows, "model": model, "algorithm": "evaluate",
            "resources": {"system_prompt": prompt}, "graders": [grader],
        }  # fmt: skip
        (place / f"{name}.json").write_bytes(orjson.dumps(value))
        words = ["run", str(place / f"{name}.json"), "--store", str(place / "store.sqlite")]
        assert program(tau_group, Surface(program="tau"), words) == 0
    return place


@pytest.fixture
def runs(folder: Path, ask: Ask) -> list[str]:
    """The runs in the order in which they were made."""
    return [one["run_id"] for one in reversed(json.loads(ask("runs", "--json")[1]))]


@pytest.fixture
def ask(folder: Path, capfd: pytest.CaptureFixture[str]) -> Ask:
    def call(*words: str) -> tuple[int, str, str]:
        capfd.readouterr()
        store = ["--store", str(folder / "store.sqlite")]
        code = program(tau_group, Surface(program="tau"), [*words, *store])
        return (code, *capfd.readouterr())

    return call


def compared(ask: Ask, *words: str) -> Any:  # noqa: ANN401
    code, out, err = ask("compare", *words, "--json")
    assert code == 0, err
    return json.loads(out)


def test_one_prompt_is_compared_on_two_models_when_asked(ask: Ask, runs: list[str]) -> None:
    old, new = runs[:2]

    found = compared(ask, old, new, "--across-models")

    assert found["shared_examples"] == 30
    assert found["across_models"]
    assert found["first_hash"] == found["second_hash"]
    assert (found["first_model"], found["second_model"]) == (OLD, NEW)
    assert any(OLD in note and NEW in note for note in found["notes"])
    assert found["difference"] is not None
    shown = ask("compare", old, new, "--across-models")[1]
    assert "across models" in shown


def test_without_being_asked_models_are_not_compared(ask: Ask, runs: list[str]) -> None:
    old, new, other, _ = runs

    code, _, err = ask("compare", old, new)
    assert code == 2
    assert "--across-models" in err
    found = compared(ask, old, other)
    assert found["verdict"] == "cannot tell"
    assert found["shared_examples"] == 0
    assert any("--across-models" in note for note in found["notes"])
    assert compared(ask, old, other, "--across-models")["shared_examples"] == 30


def test_other_graders_are_never_compared(ask: Ask, runs: list[str]) -> None:
    old, graded = runs[0], runs[3]

    found = compared(ask, old, graded, "--across-models")

    assert found["verdict"] == "cannot tell"
    assert not found["across_models"]


def test_two_prompts_of_one_model_stay_within_it(ask: Ask, runs: list[str]) -> None:
    new, other = runs[1:3]

    asked, plain = compared(ask, new, other, "--across-models"), compared(ask, new, other)

    assert not asked["across_models"]
    assert asked["difference"] == plain["difference"]

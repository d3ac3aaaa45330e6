"""A search whose reflection model never answered is no result."""

import json
from pathlib import Path

import orjson
import pytest

import tau
from tau.cli.commands.group import tau_group
from tau.cli.demonstration import configuration
from tau.cli.surface import Surface, program
from tau.domain.dataset import Split
from tau.errors import RunError
from tau.sim.world import START_PROMPT, World

DEAD = {"name": "openai-compatible/gone", "base_url": "http://127.0.0.1:9/v1"}
FAST = {"max_attempts": 1}


def test_it_ends_as_failed_with_the_cause(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = {split.value: list(World(1).examples(split, 20)) for split in Split}
    path, store = tmp_path / "config.json", str(tmp_path / "store.sqlite")
    algorithm = {"type": "reflect", "reflection_model": DEAD, "proposals": 3}
    path.write_bytes(
        orjson.dumps({**configuration(), **rows, "algorithm": algorithm, "retries": FAST})
    )

    code = program(
        tau_group, Surface(program="tau"), ["optimize", str(path), "--store", store, "--json"]
    )

    found = json.loads(capfd.readouterr().out)
    assert code == 1
    assert found["stop_reason"] == "not_searched"
    assert found["decision"] is None
    assert found["resumable"] is False
    assert "no connection to openai-compatible/gone" in found["stop_detail"]


def test_from_python_it_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="nothing was searched"):
        tau.optimize(
            lambda row, prompt: "wrong",
            prompt=START_PROMPT,
            data=list(World(1).examples(Split.OPTIMIZE, 40)),
            graders=["exact_match"],
            algorithm={"type": "reflect", "proposals": 2, "reflection_model": DEAD},
            retries=0,
            store=tmp_path / "store.sqlite",
        )

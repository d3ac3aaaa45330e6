"""Claims and groups as a user meets them: commands on configurations, with the simulated model."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from acceptance import programs

LONG = "You are an order clerk. Write the booking line for the order you are given."


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's rows, each with a customer of five rows."""
    folder = tmp_path_factory.mktemp("claims")
    assert programs.run("tau", "demo", "demo", cwd=folder).code == 0
    demo = folder / "demo"
    for split in ("optimize", "validate", "test"):
        path = demo / f"{split}.jsonl"
        rows = [json.loads(text) for text in path.read_text().splitlines()]
        made = [{**row, "customer": f"{split} {n // 5}"} for n, row in enumerate(rows)]
        path.write_text("".join(json.dumps(row) + "\n" for row in made))
    (demo / "store.sqlite").unlink()
    return demo


def optimized(world: Path, tmp_path: Path, *options: str, **fields: Any) -> Any:  # noqa: ANN401
    """The JSON of a run in a folder of its own, which keeps its store between calls."""
    folder = tmp_path / "run"
    if not folder.exists():
        folder.mkdir()
        for path in world.glob("*.jsonl"):
            if path.stem in ("optimize", "validate", "test"):
                shutil.copy(path, folder)
    config = json.loads((world / "prompt-optimization.json").read_text()) | fields
    (folder / "config.json").write_text(json.dumps(config))
    found = programs.run(
        "tau", "optimize", "config.json", "--store", "store.sqlite", "--json", *options, cwd=folder
    )
    assert found.code == 0, found.err
    return found.json()


def test_a_claim_on_groups_says_how_many_and_by_how_much_they_widen_it(
    world: Path, tmp_path: Path
) -> None:
    found = optimized(world, tmp_path, group="customer")

    assert found["gain"]["groups"] == 16
    assert found["gain"]["design_effect"] > 0
    assert found["plan"]["certification_groups"] == 16
    assert found["plan"]["independent_rows"] < found["plan"]["certification_rows"]
    assert found["best_resources"]["system_prompt"] != LONG


def test_the_shortest_prompt_that_is_not_worse_is_recommended_with_its_text(
    world: Path, tmp_path: Path
) -> None:
    found = optimized(
        world,
        tmp_path,
        resources={"system_prompt": LONG + " Be careful and polite." * 20},
        algorithm={"type": "select", "prompts": [LONG, LONG + " Be careful and polite." * 10]},
        objective={"minimize": "prompt_length", "not_worse": 0.1},
    )

    assert found["decision"] == "promote"
    assert found["best_resources"] == {"system_prompt": LONG}
    assert found["cost"]["ratio"] < 0.5
    assert len(found["front"]) >= 1
    assert "flatter" in found["comparison_note"]


def test_another_seed_and_another_column_do_not_make_used_rows_fresh(
    world: Path, tmp_path: Path
) -> None:
    first = optimized(world, tmp_path)
    for path in (tmp_path / "run").glob("*.jsonl"):
        rows = [json.loads(text) | {"note": "new"} for text in path.read_text().splitlines()]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    again = optimized(world, tmp_path, seed=7)

    assert 1 - again["gain"]["level"] == pytest.approx((1 - first["gain"]["level"]) / 2)
    assert [one for one in again["caveats"] if "carried a claim once before" in one]

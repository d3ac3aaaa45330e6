"""The demo's rows are those of the world, and its prompt is worth improving."""

from pathlib import Path

import orjson
import pytest

from tau.domain.dataset import Split
from tau.sim.oracle import expected_score
from tau.sim.world import World

DEMO = Path(__file__).parents[3] / "examples" / "demo"


@pytest.mark.parametrize("split", [Split.OPTIMIZE, Split.VALIDATE])
def test_rows_are_those_of_the_world(split: Split) -> None:
    lines = (DEMO / f"{split}.jsonl").read_bytes().splitlines()

    assert tuple(map(orjson.loads, lines)) == World(4).examples(split, 40)


def test_the_prompt_is_neither_hopeless_nor_perfect() -> None:
    config = orjson.loads((DEMO / "prompt-optimization.json").read_bytes())
    home = World(4)
    score = expected_score(home, config["resources"]["system_prompt"])

    assert 0.3 < score < expected_score(home, home.full_prompt()) - 0.2

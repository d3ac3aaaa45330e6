"""Searches ask for the same waves, candidate by candidate, and come to the same as ever."""

import orjson
import pytest

from unit.algorithms.golden import (
    PATH,
    TUNING_SEEDS,
    Scenario,
    scenarios,
    sequence,
    world_scenarios,
)

KEPT = orjson.loads(PATH.read_bytes())
QUICK = dict((*scenarios(), *world_scenarios(range(1))))
LONG = dict(world_scenarios(TUNING_SEEDS))


def test_every_scenario_is_kept() -> None:
    assert KEPT.keys() == (QUICK | LONG).keys()


@pytest.mark.parametrize("name", QUICK)
def test_the_sequence_is_the_kept_one(name: str) -> None:
    assert sequence(QUICK[name]) == KEPT[name]


@pytest.mark.acceptance
@pytest.mark.parametrize("scenario", LONG.values(), ids=LONG)
def test_on_the_tuning_seeds_the_sequence_is_the_kept_one(
    scenario: Scenario, request: pytest.FixtureRequest
) -> None:
    assert sequence(scenario) == KEPT[request.node.callspec.id]

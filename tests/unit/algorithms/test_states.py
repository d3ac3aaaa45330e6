"""States: frozen values, read by type; those of the version before are refused, untouched."""

from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any

import orjson
import pytest

from tau import plugins
from tau.domain.json import canonical
from tau.ports.algorithm import Algorithm
from unit.algorithms.pretended import answering, learning, problem

BEFORE = orjson.loads((Path(__file__).parents[2] / "data" / "search_states_v4.json").read_bytes())
SEARCHES = ("reflect", "apo", "gepa", "few_shot", "select")
SETTINGS: dict[str, dict[str, object]] = {
    "reflect": {
        "evaluations": 70,
        "proposals": 8,
        "block": 3,
        "width": 2,
        "certification": 8,
        "demonstrations": 4,
    },
    "apo": {"evaluations": 70, "proposals": 14, "minibatch": 4, "rounds": 2, "certification": 8},
    "gepa": {"evaluations": 60, "proposals": 8, "certification": 8},
    "select": {"prompts": ("Mention apples.", "Mention figs.", "Hm."), "certification": 8},
    "few_shot": {"evaluations": 60, "sets": 4, "bootstrap": 4, "certification": 8},
    "evaluate": {"replicates": 2},
}


def built(name: str, waves: int = 0) -> Any:  # noqa: ANN401  (also asked for more than the port)
    plugin = plugins.load(plugins.ALGORITHMS, name)
    algorithm: Algorithm = plugin.build(
        plugin.Settings(**SETTINGS[name]), problem(12, 6, 8, seed=3)
    )
    answer = answering(learning(1))
    for _ in range(waves):
        if wave := algorithm.ask():
            algorithm.tell([answer(request) for request in wave])
    return algorithm


@pytest.mark.parametrize("name", SEARCHES)
def test_a_state_of_the_version_before_is_refused_with_what_to_do(name: str) -> None:
    algorithm = built(name, waves=1)
    before = canonical(algorithm.state_dict())
    with pytest.raises(ValueError, match="another version of Tau") as refused:
        algorithm.load_state_dict(BEFORE[name])

    assert "format is 4, this version reads 5" in str(refused.value)
    assert "finish the run with the version that began it, or begin a new one (--new)" in str(
        refused.value
    )
    assert canonical(algorithm.state_dict()) == before


def test_a_state_of_evaluate_of_the_version_before_is_carried_over() -> None:
    algorithm = built("evaluate")
    algorithm.load_state_dict(BEFORE["evaluate"])
    assert not algorithm.ask()
    assert algorithm.best() == built("evaluate", waves=1).best()


@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.parametrize("waves", [0, 1, 3])
def test_every_field_is_needed_and_none_is_overlooked(name: str, waves: int) -> None:
    algorithm = built(name, waves)
    state = orjson.loads(canonical(algorithm.state_dict()))
    for place in (state, state["search"], state["pool"]):
        for key in list(place):
            kept = place.pop(key)
            with pytest.raises(ValueError, match=r"\w"):
                algorithm.load_state_dict(state)
            place[key] = kept
    algorithm.load_state_dict(state)
    assert canonical(algorithm.state_dict()) == canonical(state)


@pytest.mark.parametrize("name", SEARCHES)
def test_states_are_frozen_values_that_a_step_replaces(name: str) -> None:
    algorithm = built(name, waves=1)
    held = (algorithm.state, algorithm.own)
    for value in held:
        with pytest.raises(FrozenInstanceError):
            setattr(value, fields(value)[0].name, None)
    before = [{one.name: getattr(value, one.name) for one in fields(value)} for value in held]
    text = canonical(algorithm.state_dict())
    answer = answering(learning(1))
    while wave := algorithm.ask():
        algorithm.tell([answer(request) for request in wave])

    after = [{one.name: getattr(value, one.name) for one in fields(value)} for value in held]
    assert after == before
    algorithm.state, algorithm.own = held
    assert canonical(algorithm.state_dict()) == text


def test_a_state_with_another_baseline_is_refused() -> None:
    algorithm = built("gepa", waves=1)
    state = orjson.loads(canonical(algorithm.state_dict()))
    state["pool"]["candidates"] = state["pool"]["candidates"][1:]
    with pytest.raises(ValueError, match="other resources"):
        algorithm.load_state_dict(state)

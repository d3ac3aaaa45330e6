"""Killed at every effect and resumed, every algorithm finds the same candidates and result.

An effect is a settled rollout or a saved checkpoint. What is settled is kept by key, as in a
store, and never made again.
"""

from collections.abc import Mapping
from dataclasses import replace

import orjson
import pytest

from tau import plugins
from tau.domain.draws import uniform
from tau.domain.ids import ResourcesHash
from tau.domain.json import Json, canonical
from tau.domain.rollout import RolloutRequest, RolloutResult
from tau.ports.algorithm import Algorithm, EarlierScores, Recommendation
from unit.algorithms.pretended import answering, learning, problem

SETTINGS: Mapping[str, Mapping[str, object]] = {
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


class Killed(Exception):
    """The process died here."""


class Place:
    """Results by key and the last checkpoint: what a crash leaves. Dies before effect `dies`."""

    def __init__(self, dies: int | None = None) -> None:
        self.results: dict[object, RolloutResult] = {}
        self.checkpoint: bytes | None = None
        self.effects = 0
        self.dies = dies
        self.answer = answering(learning(1))

    def settle(self, request: RolloutRequest) -> RolloutResult:
        known = self.results.get(request.key)
        if known is None:
            self._effect()
            known = self.results[request.key] = self.answer(request)
        return known

    def save(self, state: Mapping[str, Json]) -> None:
        self._effect()
        self.checkpoint = canonical(state)

    def _effect(self) -> None:
        if self.effects == self.dies:
            self.dies = None
            raise Killed
        self.effects += 1


def build(name: str, earlier: EarlierScores) -> Algorithm:
    plugin = plugins.load(plugins.ALGORITHMS, name)
    given = replace(problem(12, 6, 8, seed=3), earlier=earlier)
    algorithm: Algorithm = plugin.build(plugin.Settings(**SETTINGS[name]), given)
    return algorithm


def measured() -> EarlierScores:
    """What another prompt did on every row before."""
    other = ResourcesHash("0" * 64)
    rows = [row for part in problem(12, 6, 8).examples.values() for row in part]
    return {row.content: {other: uniform(7, "measured", row.content)} for row in rows}


def fit(name: str, place: Place) -> Recommendation:
    """What has become of earlier runs by the time of a resumption does not matter."""
    algorithm = build(name, measured() if place.checkpoint is None else {})
    if place.checkpoint is not None:
        algorithm.load_state_dict(orjson.loads(place.checkpoint))
    while wave := algorithm.ask():
        algorithm.tell([place.settle(request) for request in wave])
        place.save(algorithm.state_dict())
    return algorithm.best()


@pytest.mark.parametrize("name", SETTINGS)
def test_the_result_does_not_depend_on_where_it_was_killed(name: str) -> None:
    whole = Place()
    expected = fit(name, whole)
    assert whole.effects > 20

    for effect in range(whole.effects):
        place = Place(dies=effect)
        with pytest.raises(Killed):
            fit(name, place)
        assert fit(name, place) == expected
        assert list(place.results) == list(whole.results), "another sequence of rollouts"
        assert place.checkpoint == whole.checkpoint


@pytest.mark.parametrize("name", SETTINGS)
def test_killed_at_every_third_effect_it_still_ends(name: str) -> None:
    whole, place = Place(), Place(dies=2)
    expected = fit(name, whole)
    for _ in range(whole.effects):
        try:
            found = fit(name, place)
        except Killed:
            place.dies = place.effects + 3
        else:
            break
    else:
        pytest.fail("it did not end")

    assert found == expected
    assert place.results.keys() == whole.results.keys()

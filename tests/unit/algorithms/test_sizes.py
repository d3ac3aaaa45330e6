"""Search stays small: the state is bounded, and survives JSON."""

import orjson

from tau.algorithms.reflect import Reflect, ReflectSettings
from tau.domain.json import canonical
from unit.algorithms.pretended import answering, learning, problem


def test_the_state_does_not_grow_with_the_number_of_candidates() -> None:
    settings = ReflectSettings(evaluations=6_000, proposals=400, block=6, certification=10)
    algorithm = Reflect.build(settings, problem(60, 10, 10))
    answer, sizes = answering(learning(1)), []
    while wave := algorithm.ask():
        algorithm.tell([answer(request) for request in wave])
        sizes.append(len(canonical(algorithm.state_dict())))

    assert algorithm.state.pool.tried >= 200
    early = max(sizes[: len(sizes) // 4])
    # Of a candidate that is gone only sixteen digits of its hash stay.
    assert max(sizes) < 2 * early + algorithm.state.pool.tried * 20
    assert max(sizes) < 300_000


def test_a_state_survives_json() -> None:
    algorithm = Reflect.build(ReflectSettings(evaluations=200), problem())
    answer = answering(learning(1))
    for _ in range(5):
        algorithm.tell([answer(request) for request in algorithm.ask()])
    state = canonical(algorithm.state_dict())
    other = Reflect.build(ReflectSettings(evaluations=200), problem())
    other.load_state_dict(orjson.loads(state))
    assert canonical(other.state_dict()) == state

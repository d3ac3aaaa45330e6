"""Search stays small and quick: the state is bounded, asking costs nothing."""

import time

import orjson

from tau.algorithms.reflect import Reflect, ReflectSettings
from tau.algorithms.select import Select, SelectSettings
from tau.domain.json import canonical
from tau.domain.rollout import RolloutKind, RolloutRequest, RolloutResult
from unit.algorithms.pretended import answering, drive, learning, noisy, problem, settled


def quickest(call: object, times: int = 5) -> float:
    """Seconds of the fastest of several calls: the machine has other work, too."""
    assert callable(call)
    best = float("inf")
    for _ in range(times):
        began = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - began)
    return best


def test_asking_at_a_thousand_candidates_takes_milliseconds() -> None:
    prompts = tuple(f"Prompt number {n}." for n in range(1_000))
    settings = SelectSettings(prompts=prompts, evaluations=20_000)
    algorithm = Select.build(settings, problem(40, 0, 20))
    algorithm.tell([answering(noisy(1))(request) for request in algorithm.ask()])

    assert quickest(algorithm.ask) < 0.005


def test_a_round_of_a_search_that_finds_nothing_takes_less_than_a_second() -> None:
    def answer(request: RolloutRequest) -> RolloutResult:
        if request.kind is RolloutKind.PROPOSE:
            return settled(request, "```\nYou answer questions.\nBe brief.\n```")
        return settled(request, "said", noisy(1)(request))

    began = time.perf_counter()
    waves = drive(Reflect.build(ReflectSettings(), problem(100, 40, 40)), answer)
    assert (time.perf_counter() - began) / len(waves) < 1


def test_the_state_does_not_grow_with_the_number_of_candidates() -> None:
    settings = ReflectSettings(evaluations=6_000, proposals=400, block=6, certification=10)
    algorithm = Reflect.build(settings, problem(60, 10, 10))
    answer, sizes = answering(learning(1)), []
    while wave := algorithm.ask():
        algorithm.tell([answer(request) for request in wave])
        sizes.append(len(canonical(algorithm.state_dict())))

    assert algorithm.pool.tried >= 400
    early = max(sizes[: len(sizes) // 4])
    # Of a candidate that is gone only sixteen digits of its hash stay.
    assert max(sizes) < 2 * early + algorithm.pool.tried * 20
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

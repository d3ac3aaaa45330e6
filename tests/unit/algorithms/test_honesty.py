"""Nothing is claimed where nothing is better, and what is better is found to be so."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tau.algorithms.gepa import Gepa
from tau.algorithms.reflect import Reflect, ReflectSettings
from tau.algorithms.select import Select, SelectSettings
from tau.domain.decision import Decision
from tau.domain.draws import uniform
from tau.domain.reward import SAFETY_HARD_GATE_TRIGGERED, Reward
from tau.domain.rollout import RolloutKind, RolloutRequest, RolloutResult
from tau.ports.algorithm import AlgorithmPlugin, Recommendation
from unit.algorithms.pretended import START, answering, drive, noisy, problem, settled


def reported_gain(best: Recommendation) -> float:
    certificate = best.evidence["certificate"]
    assert isinstance(certificate, dict)
    found = certificate["comparison"]
    return float(found["difference"]) if isinstance(found, dict) else 0.0


@pytest.mark.parametrize(("rows", "runs"), [(20, 200), (50, 200), (100, 80)])
def test_proposals_that_change_nothing_are_rarely_promoted(rows: int, runs: int) -> None:
    found = []
    for seed in range(runs):
        settings = ReflectSettings(evaluations=2 * rows + 100, proposals=8, certification=rows)
        algorithm = Reflect.build(settings, problem(40, 12, rows, seed=seed))
        drive(algorithm, answering(noisy(seed)))
        found.append(algorithm.best())

    error = (0.05 * 0.95 * runs) ** 0.5
    promoted = sum(best.decision is Decision.PROMOTE for best in found)
    assert promoted <= 0.05 * runs + 2 * error
    tried = [best for best in found if reported_gain(best)]
    assert len(tried) > runs / 2, "the search did not even try"
    # Four standard errors of the mean gain of coins: the report is not optimistic.
    error = 4 * (0.5 / rows / runs) ** 0.5
    assert abs(sum(map(reported_gain, found)) / runs) < error


def better(fixed: float, broken: float, seed: int) -> Callable[[RolloutRequest], float]:
    """The given prompt fixes and breaks such shares of examples; half of the rest are right."""

    def score(request: RolloutRequest) -> float:
        draw = uniform(seed, "example", request.subject)
        new = request.resources.values["system_prompt"] != START
        if draw < fixed:
            return float(new)
        if draw < fixed + broken:
            return float(not new)
        return float(draw < fixed + broken + (1 - fixed - broken) / 2)

    return score


def test_a_gain_of_15_points_with_a_tenth_broken_is_promoted_nine_times_in_ten() -> None:
    runs, promoted = 60, 0
    for seed in range(runs):
        settings = SelectSettings(prompts=("Better.",), certification=200)
        algorithm = Select.build(settings, problem(30, 0, 200, seed=seed))
        drive(algorithm, answering(better(0.25, 0.10, seed)))
        promoted += algorithm.best().decision is Decision.PROMOTE

    assert promoted >= 0.9 * runs


def test_the_winner_meets_the_baseline_on_rows_that_nothing_else_saw() -> None:
    given = problem(30, 20, 40)
    algorithm = Reflect.build(ReflectSettings(evaluations=260), given)
    waves = drive(algorithm, answering(better(0.6, 0.0, 1)))

    certified = {one.example.id for one in waves[-1] if one.example}
    before = {one.example.id for wave in waves[:-1] for one in wave if one.example}
    assert certified
    assert all(one.startswith("test:") for one in certified)
    assert not certified & before
    assert len(waves[-1]) == 2 * len(certified), "both prompts, every row, once"


@pytest.mark.parametrize("score", [None, 1.0])
@pytest.mark.parametrize("plugin", [Reflect, Gepa], ids=["reflect", "gepa"])
def test_nothing_to_learn_and_nothing_measured_are_told_apart(
    plugin: AlgorithmPlugin, score: float | None
) -> None:
    search = plugin.build(plugin.Settings(), problem(30, 20, 40))
    drive(search, lambda request: settled(request, "no", score))

    unmeasured = "no evaluation could be scored"
    assert (search.best().evidence["stopped"] == unmeasured) == (score is None)


def test_a_candidate_that_trips_a_safety_gate_cannot_win() -> None:
    plain = answering(better(0.9, 0.0, 1))

    def answer(request: RolloutRequest) -> RolloutResult:
        result = plain(request)
        changed = request.resources.values["system_prompt"] != START
        if request.kind is RolloutKind.EVALUATE and changed:
            gate = Reward(name=SAFETY_HARD_GATE_TRIGGERED, score=0.0, passed=False)
            return replace(result, rewards=(*result.rewards, gate))
        return result

    given = problem(30, 20, 40)
    algorithm = Reflect.build(ReflectSettings(evaluations=260), given)
    drive(algorithm, answer)

    assert algorithm.best().resources == given.seed_resources
    assert algorithm.best().decision is Decision.KEEP_BASELINE


def test_the_evidence_says_what_was_found_and_what_it_took() -> None:
    algorithm = Reflect.build(ReflectSettings(evaluations=260), problem(30, 20, 40))
    waves = drive(algorithm, answering(better(0.6, 0.0, 1)))
    best = algorithm.best()

    assert best.decision is Decision.PROMOTE
    evidence = best.evidence
    assert evidence["stopped"]
    assert evidence["candidates"]
    assert evidence["certification_rows"] == 32
    assert evidence["phase"] == "finished"
    assert evidence["planned"] == {"evaluations": 260, "proposals": 8}
    spent = evidence["spent"]
    assert isinstance(spent, dict)
    assert spent["rollouts"] == sum(map(len, waves))

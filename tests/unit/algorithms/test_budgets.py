"""Never more is asked for than the budget holds, and too small a budget is said at once."""

from dataclasses import replace

import pytest

from tau import plugins
from tau.algorithms.select import Select, SelectSettings
from tau.algorithms.turn import Turn
from tau.domain.dataset import Split
from tau.domain.rollout import RolloutRequest, RolloutResult
from tau.domain.spend import Budget, Spend
from tau.errors import InputError
from tau.ports.algorithm import Algorithm, Problem
from unit.algorithms.pretended import answering, drive, evaluations, learning, problem, proposals

NAMES = ("reflect", "apo", "gepa", "few_shot", "select")


def build(name: str, given: Problem, **options: object) -> Algorithm:
    plugin = plugins.load(plugins.ALGORITHMS, name)
    if name == "select":
        options["prompts"] = ("One.", "Two.", "Three.")
    algorithm: Algorithm = plugin.build(plugin.Settings(**options), given)
    return algorithm


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("limit", [130, 173, 240])
def test_rollouts_are_never_exceeded(name: str, limit: int) -> None:
    given = problem(30, 16, 20, budget=Budget(rollouts=limit))
    waves = drive(build(name, given), answering(learning(1)))
    assert sum(map(len, waves)) <= limit


@pytest.mark.parametrize("name", NAMES)
def test_calls_are_never_exceeded(name: str) -> None:
    limit = 400
    given = replace(problem(30, 16, 20, budget=Budget(calls=limit)), calls_per_evaluation=3)
    waves = drive(build(name, given), answering(learning(1)))
    assert 3 * evaluations(waves) + proposals(waves) <= limit


@pytest.mark.parametrize("name", NAMES)
def test_evaluations_without_calls_leave_them_to_proposals(name: str) -> None:
    given = replace(problem(30, 16, 20, budget=Budget(calls=5)), calls_per_evaluation=0)
    waves = drive(build(name, given, evaluations=200), answering(learning(1)))
    assert evaluations(waves) > 60
    assert proposals(waves) <= 5
    assert proposals(waves) > 0 or name in ("select", "few_shot")


@pytest.mark.parametrize("name", NAMES)
def test_retries_are_paid_from_the_same_budget(name: str) -> None:
    plain = answering(learning(1))
    spent = 0

    def answer(request: RolloutRequest) -> RolloutResult:
        nonlocal spent
        spent += 2
        return replace(plain(request), spent=Spend(rollouts=2, calls=2), attempts=2)

    limit = 300
    given = problem(30, 16, 20, budget=Budget(rollouts=limit))
    algorithm = build(name, given)
    while wave := algorithm.ask():
        assert spent + len(wave) <= limit, "more is asked for than is left"
        algorithm.tell([answer(request) for request in wave])


@pytest.mark.parametrize("name", ["reflect", "apo", "gepa", "few_shot"])
def test_settings_bound_evaluations_and_proposals(name: str) -> None:
    algorithm = build(name, problem(30, 16, 20), evaluations=150, proposals=5)
    waves = drive(algorithm, answering(learning(1)))
    assert evaluations(waves) <= 150
    assert proposals(waves) <= 5


@pytest.mark.parametrize("name", ["reflect", "apo", "gepa", "few_shot"])
def test_a_budget_too_small_for_a_few_children_is_refused_at_once(name: str) -> None:
    with pytest.raises(InputError, match="too small") as refused:
        build(name, problem(30, 16, 20, budget=Budget(rollouts=12)))
    assert refused.value.fix


@pytest.mark.parametrize("name", NAMES)
def test_the_plan_is_kept(name: str) -> None:
    given = problem(30, 16, 20, budget=Budget(rollouts=200))
    plugin = plugins.load(plugins.ALGORITHMS, name)
    options = {"prompts": ("One.", "Two.")} if name == "select" else {}
    plan = plugin.plan(plugin.Settings(**options), given)
    waves = drive(plugin.build(plugin.Settings(**options), given), answering(learning(1)))
    assert plan.rollouts <= 200
    assert evaluations(waves) <= plan.evaluations
    assert proposals(waves) <= plan.proposals
    assert plan.certification == 20
    assert plan.detectable is not None


def test_too_few_rows_to_certify_are_told_in_the_plan() -> None:
    plugin = plugins.load(plugins.ALGORITHMS, "reflect")
    plan = plugin.plan(plugin.Settings(), problem(30, 16, 3))
    assert plan.detectable is None
    assert any("nothing can be proved" in caveat for caveat in plan.caveats)


def test_tokens_end_the_search_in_time() -> None:
    plain = answering(learning(1))

    def answer(request: RolloutRequest) -> RolloutResult:
        return replace(plain(request), spent=Spend(rollouts=1, calls=1, tokens=100))

    given = problem(30, 16, 20, budget=Budget(tokens=20_000))
    waves = drive(build("reflect", given), answer)
    assert 100 * sum(map(len, waves)) <= 20_000


@pytest.mark.parametrize("name", ["reflect", "apo", "gepa", "few_shot"])
@pytest.mark.parametrize("rows", [(30, 0, 0), (30, 20, 0), (80, 60, 100), (12, 5, 40)])
def test_a_budget_that_is_accepted_lets_candidates_be_tried(
    name: str, rows: tuple[int, int, int]
) -> None:
    refused = 0
    for limit in range(20, 300, 7):
        given = problem(*rows, budget=Budget(rollouts=limit))
        try:
            algorithm = build(name, given)
        except InputError:
            refused += 1
            continue
        drive(algorithm, answering(learning(1)))
        tried = algorithm.best().evidence["candidates"]
        assert isinstance(tried, int)
        assert tried > 0, f"{limit} rollouts were spent on the baseline alone"
    assert refused < 35, "a few hundred rollouts are enough"


@pytest.mark.parametrize("limit", [61, 62, 63, 75])
def test_every_candidate_gets_the_same_rows_where_the_budget_ends(limit: int) -> None:
    given = problem(60, 60, 20, budget=Budget(rollouts=limit))
    select = Select.build(SelectSettings(prompts=("One.", "Two."), certification=8), given)
    names = list(select.state.pool.members)
    turn = Turn(select.setup, select.state)
    left = turn.budget_left
    assert not turn.evaluate(names, [row.id for row in given.examples[Split.VALIDATE]])

    due = turn.ended().due
    assert left - len(names) < len(due) <= left
    met = [{one.example for one in due if one.candidate == name} for name in names]
    assert len(met) == 3
    assert met[0] == met[1] == met[2]
    assert len(met[0]) >= 10

"""Certification where rows are few: each is evaluated as often as the budget allows."""

from collections import Counter
from dataclasses import replace

import pytest

from tau.algorithms.reflect import Reflect, ReflectSettings
from tau.domain.rollout import RolloutKind
from unit.algorithms.pretended import answering, drive, evaluations, learning, problem


@pytest.mark.parametrize(("varying", "times"), [(True, 4), (False, 1)])
def test_few_rows_are_evaluated_more_often_where_the_budget_leaves_room(
    varying: bool, times: int
) -> None:
    given = replace(problem(20, 20, 0), varying=varying)
    algorithm = Reflect.build(ReflectSettings(evaluations=900, proposals=6), given)
    waves = drive(algorithm, answering(learning(1)))

    certifying = [one for wave in waves for one in wave if not one.reusable]
    evaluated = [one for one in certifying if one.kind is RolloutKind.EVALUATE]
    assert Counter(one.replicate for one in evaluated) == dict.fromkeys(range(times), 20)
    assert algorithm.state.claimed.replicates == times


def test_no_more_is_evaluated_than_the_budget_leaves() -> None:
    algorithm = Reflect.build(
        ReflectSettings(evaluations=70, proposals=6, block=3, width=2), problem(20, 20, 0)
    )
    waves = drive(algorithm, answering(learning(1)))

    assert evaluations(waves) <= 70

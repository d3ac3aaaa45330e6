"""The truth about a prompt, without sampling: for tests and reports, never for optimizers."""

from collections.abc import Sequence
from functools import lru_cache
from math import prod

from tau.domain.dataset import Split
from tau.sim.reading import chances, demonstrated, read
from tau.sim.world import Case, World

TEST_CASES = 2000
"""Cases of the test split that stand for the whole distribution."""


def case_score(case: Case, rule_chances: Sequence[float]) -> float:
    """The probability of the right answer."""
    return (1 - case.slip) * prod(rule_chances[field.rule] for field in case.fields)


def expected_score(
    world: World,
    prompt: str,
    *,
    cases: Sequence[Case] | None = None,
    demonstrations: Sequence[Case] = (),
) -> float:
    """The exact mean score of `prompt` over `cases` (the test set unless given).

    `demonstrations` are cases shown beside the prompt with their right answers. The prompt is
    what precedes the input: a system message, or the instruction above the case.
    """
    if cases is None:
        cases = _test_cases(world)
    if not cases:
        raise ValueError("no cases to score a prompt on")
    applied = chances(world, read(prompt), demonstrated(demonstrations))
    return sum(case_score(case, applied) for case in cases) / len(cases)


@lru_cache(maxsize=64)
def _test_cases(world: World) -> tuple[Case, ...]:
    return world.cases(Split.TEST, TEST_CASES)

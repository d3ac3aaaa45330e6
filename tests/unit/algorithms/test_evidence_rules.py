"""What a proposer saw neither selects nor certifies; what a child was made from cannot raise it."""

from tau.algorithms.parts import divide
from tau.algorithms.pool import CandidatePool, child
from tau.algorithms.standing import strengths
from tau.domain.dataset import Split, examples
from tau.domain.json import Json
from tau.domain.resources import Resources
from tau.domain.rollout import RolloutKind, RolloutRequest
from tau.ports.algorithm import Problem
from unit.algorithms.pretended import problem, settled


def rows(*numbers: int) -> list[Json]:
    return [{"prompt": f"question {n}"} for n in numbers]


def given(optimize: list[Json], validate: list[Json], test: list[Json]) -> Problem:
    return Problem(
        seed_resources=Resources(values={"system_prompt": "x"}),
        examples={
            Split.OPTIMIZE: examples(Split.OPTIMIZE, optimize),
            Split.VALIDATE: examples(Split.VALIDATE, validate),
            Split.TEST: examples(Split.TEST, test),
        },
    )


def test_rows_that_leak_into_later_splits_are_left_out_and_told() -> None:
    parts = divide(given(rows(1, 2, 3), rows(3, 4), rows(1, 4, 5, 6, 7, 8, 9, 10)), alpha=0.05)

    assert [one.prompt for one in parts.select] == ["question 4"]
    assert {one.prompt for one in parts.certify} == {f"question {n}" for n in range(5, 11)}
    assert len(parts.caveats) == 2
    assert "1 rows for selecting" in parts.caveats[0]
    assert "2 rows for certifying" in parts.caveats[1]


def test_without_a_test_split_half_of_validate_is_set_aside_equal_rows_together() -> None:
    validate = rows(*range(10, 30)) * 2
    parts = divide(given(rows(1, 2), validate, []), alpha=0.05)

    certify = {one.prompt for one in parts.certify}
    select = {one.prompt for one in parts.select}
    assert len(parts.certify) == len(parts.select) == 20
    assert not certify & select


def test_the_division_depends_on_content_not_on_order() -> None:
    validate = rows(*range(10, 30))
    one = divide(given(rows(1, 2), validate, []), alpha=0.05)
    two = divide(given(rows(2, 1), validate[::-1], []), alpha=0.05)
    assert one.certify == two.certify
    assert one.feedback == two.feedback


def test_what_a_child_was_made_from_does_not_raise_it() -> None:
    rows_known = problem(12, 0, 0).examples[Split.OPTIMIZE]
    pool = CandidatePool.of(Resources(values={"system_prompt": "x"}))
    baseline = pool[pool.baseline]
    shown = [one.id for one in rows_known[:6]]
    made = Resources(values={"system_prompt": "y"})
    memoriser = child(baseline, made, origin="reflect", seen_examples=shown, generation=1)
    pool = pool.adding(memoriser)
    for candidate in (baseline, memoriser):
        pool = pool.recording(
            [
                settled(
                    RolloutRequest(
                        kind=RolloutKind.EVALUATE, resources=candidate.resources, example=row
                    ),
                    "said",
                    float(candidate is memoriser and row.id in shown),
                )
                for row in rows_known
            ]
        )

    found = strengths(pool, list(pool.members), {}, weight=4.0)
    assert found[memoriser.hash] == found[baseline.hash] == 0

"""Rows that belong together: parts never divide them, and claims count them as they were used."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tau.algorithms.certification import Certification
from tau.algorithms.parts import ExampleParts, divide, parted
from tau.algorithms.search_settings import SearchSettings
from tau.algorithms.select import Select, SelectSettings
from tau.domain.claim import BETTER
from tau.domain.dataset import Example, Split, examples
from tau.domain.decision import Decision
from tau.domain.draws import uniform
from tau.domain.resources import Resources
from tau.domain.rollout import RolloutRequest, RolloutStatus
from tau.ports.algorithm import Problem
from unit.algorithms.pretended import START, answering, drive, problem, settled

SPLITS = (Split.OPTIMIZE, Split.VALIDATE, Split.TEST)
GROUPS = st.lists(st.one_of(st.none(), st.integers(0, 8)), max_size=40)


def rows(split: Split, groups: Sequence[int | None], first: int = 0) -> tuple[Example, ...]:
    made = examples(split, [{"prompt": f"{split} {first + n}"} for n in range(len(groups))])
    return tuple(
        replace(row, group=None if group is None else f"doc {group}")
        for row, group in zip(made, groups, strict=True)
    )


def problem_of(splits: dict[Split, tuple[Example, ...]], **fields: object) -> Problem:
    return Problem(
        seed_resources=Resources(values={"system_prompt": START}),
        examples=splits,
        **fields,  # type: ignore[arg-type]
    )


def units(part: Sequence[Example]) -> set[str]:
    return {row.unit for row in part}


@given(GROUPS, GROUPS, GROUPS, st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_no_part_divides_a_group_whatever_the_splits_and_the_seed(
    optimize: list[int | None], validate: list[int | None], test: list[int | None], seed: int
) -> None:
    given_rows = (optimize, validate, test)
    if not (optimize or validate):
        return
    splits = {split: rows(split, groups) for split, groups in zip(SPLITS, given_rows, strict=True)}
    parts = divide(problem_of(splits, seed=seed), alpha=0.05)

    assert not units(parts.feedback) & units(parts.select)
    assert not units(parts.certify) & (units(parts.feedback) | units(parts.select))


@given(GROUPS.filter(lambda one: len(one) > 1), st.sampled_from([0.35, 0.5]), st.randoms())
@settings(max_examples=60, deadline=None)
def test_a_part_set_aside_holds_whole_groups_in_any_order_of_the_rows(
    groups: list[int | None], share: float, order: object
) -> None:
    made = rows(Split.VALIDATE, groups)
    rest, part = parted(made, share)
    mixed = sorted(made, key=lambda row: uniform(id(order) % 7, "mixed", row.id))
    _, again = parted(mixed, share)

    assert not units(rest) & units(part)
    assert len(rest) + len(part) == len(made)
    assert units(again) == units(part)
    if len(units(made)) > 1:
        assert rest
        assert part


def test_the_rows_that_certify_are_the_same_for_every_seed_and_nearly_with_one_more() -> None:
    made = rows(Split.VALIDATE, [None] * 60)
    splits = {Split.OPTIMIZE: rows(Split.OPTIMIZE, [None] * 10), Split.VALIDATE: made}
    sets = {
        tuple(row.id for row in divide(problem_of(splits, seed=seed), alpha=0.05).certify)
        for seed in range(4)
    }
    more = {**splits, Split.VALIDATE: (*made, *rows(Split.VALIDATE, [None], first=60))}
    with_more = divide(problem_of(more), alpha=0.05).certify

    [one] = sets
    assert len(one) == 30
    assert len({row.id for row in with_more} & set(one)) >= 29


def test_equal_rows_are_one_group_however_often_they_stand_there() -> None:
    repeated = examples(Split.TEST, [{"prompt": f"{n % 10}"} for n in range(100)])
    splits = {Split.OPTIMIZE: rows(Split.OPTIMIZE, [None] * 10), Split.TEST: repeated}
    parts = divide(problem_of(splits), alpha=0.05)
    chosen = planned(parts)

    assert (len(parts.certify), len(units(parts.certify))) == (100, 10)
    assert "only 10 groups" in " ".join(parts.caveats)
    assert (chosen.groups, chosen.independent) == (10, 10)


def planned(parts: ExampleParts) -> Certification:
    return Certification.planned(
        parts, SearchSettings(certification=100), evaluations=1_000, search=10, terms=BETTER
    )


def test_ten_rows_ten_times_do_not_promote_what_changes_nothing() -> None:
    """With a model that always says the same, chance has ten rows, not a hundred."""
    repeated = examples(Split.TEST, [{"prompt": f"test {n % 10}"} for n in range(100)])
    promoted = 0
    for seed in range(12):
        splits = {Split.OPTIMIZE: rows(Split.OPTIMIZE, [None] * 12), Split.TEST: repeated}
        algorithm = Select.build(
            SelectSettings(prompts=(f"Other {seed}",), certification=100, evaluations=250),
            problem_of(splits),
        )

        def score(request: RolloutRequest, seed: int = seed) -> float:
            assert request.example is not None
            if request.example.split is not Split.TEST:
                return float("Other" in str(request.resources.values))
            text = (request.resources.hash, request.example.content)
            return float(uniform(seed, "same answer", *text) < 0.5)

        drive(algorithm, answering(score))
        promoted += algorithm.best().decision is Decision.PROMOTE
    assert promoted <= 2, "as independent rows, a quarter and more would be promoted"


def test_rows_of_a_used_group_come_last_and_lower_the_level_by_the_most_used() -> None:
    test = rows(Split.TEST, [0, 0, 1, 1, 2, 2] * 8)
    splits = {Split.OPTIMIZE: rows(Split.OPTIMIZE, [None] * 10), Split.TEST: test}
    used = {key: 2 for row in test[:1] for key in row.row_keys}
    parts = divide(problem_of(splits, certified=used), alpha=0.05)

    assert parts.certify[-1].unit == test[0].unit
    assert parts.used(parts.certify) == 2
    assert parts.used(parts.certify[:32]) == 0
    assert planned(parts).level.alpha == pytest.approx(0.05 / 4)


def test_a_row_is_known_again_when_a_column_is_added_that_the_model_never_sees() -> None:
    [plain] = examples(Split.TEST, [{"prompt": "a"}])
    [noted] = examples(Split.TEST, [{"prompt": "a", "note": "new"}])
    plain, noted = replace(plain, given="f" * 32), replace(noted, given="f" * 32)

    assert set(plain.row_keys) & set(noted.row_keys)
    assert plain.unit == noted.unit


def test_a_certification_that_a_limit_cuts_off_decides_nothing() -> None:
    settings = SelectSettings(prompts=("Better",), certification=20, evaluations=120)
    algorithm = Select.build(settings, problem(20, 20, 20))

    def score(request: RolloutRequest) -> float:
        return float("Better" in str(request.resources.values))

    state = algorithm.state_dict()
    while wave := algorithm.ask():
        certifying = any(one.example and one.example.split is Split.TEST for one in wave)
        results = [settled(request, "said", score(request)) for request in wave]
        if certifying:
            state = algorithm.state_dict()
            results[-3:] = [
                replace(one, status=RolloutStatus.CANCELLED, output=None, score=None, rewards=())
                for one in results[-3:]
            ]
        algorithm.tell(results)
        if certifying:
            break
    cut = algorithm.best()
    again = Select.build(settings, problem(20, 20, 20))
    again.load_state_dict(state)
    again.tell([settled(request, "said", score(request)) for request in again.ask()])

    assert cut.decision is None
    assert "3 of 40 evaluations to come" in cut.caveats[0]
    assert "certificate" not in cut.evidence
    assert again.best().decision is Decision.PROMOTE

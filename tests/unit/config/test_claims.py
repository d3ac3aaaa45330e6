"""The sections that say what is claimed, and which rows belong together."""

from typing import Any

import pytest

from tau.config.grouping import notes
from tau.domain.claim import Aim, CostMeasure
from tau.domain.dataset import Split
from unit.config.conftest import Load, Problems

ROWS = [{"prompt": f"p{n}", "expected": "x", "doc": f"d{n // 5}"} for n in range(40)]
GRADERS = ["exact_match", {"type": "length", "name": "brief", "max": 10}]


def test_nothing_said_claims_better(load: Load) -> None:
    assert load().claim.words() == "better"


def test_claims_are_read(load: Load) -> None:
    worse = load({"claim": {"kind": "not_worse", "margin": 0.02}}).claim
    cheap = load({"objective": {"minimize": "usd", "not_worse": 0.03}}).claim
    guarded = load({"graders": GRADERS, "guards": [{"grader": "brief", "margin": 0.1}]}).claim

    assert (worse.aim, worse.margin, worse.minimize) == (Aim.NOT_WORSE, 0.02, None)
    assert (cheap.aim, cheap.margin, cheap.minimize) == (Aim.CHEAPER, 0.03, CostMeasure.USD)
    assert [(one.grader, one.margin) for one in guarded.guards] == [("brief", 0.1)]


@pytest.mark.parametrize(
    ("fields", "pointer", "words"),
    [
        ({"claim": "not_worse"}, "/claim", "needs a margin"),
        ({"claim": {"kind": "not_worse"}}, "/claim", "no number of rows can prove"),
        ({"claim": {"kind": "better", "margin": 0.1}}, "/claim/margin", "not for 'better'"),
        ({"claim": {"kind": "not_worse", "margin": 1.5}}, "/claim/margin", "less than 1"),
        ({"claim": "cheaper_and_not_worse"}, "/claim", "minimized"),
        ({"claim": 3}, "/claim", "a name or an object"),
        ({"claim": "bettr"}, "/claim/kind", "must be"),
        ({"objective": {"minimize": "usd"}}, "/objective", "needs a margin"),
        ({"objective": {"minimize": "euro", "not_worse": 0.1}}, "/objective/minimize", "usd"),
        ({"objective": "usd"}, "/objective", "an object"),
        (
            {"claim": "better", "objective": {"minimize": "usd", "not_worse": 0.1}},
            "/claim",
            "differ",
        ),
        ({"guards": {}}, "/guards", "a list"),
        ({"guards": [{"grader": "brief"}], "graders": GRADERS}, "/guards/0", "needs a margin"),
        (
            {"guards": [{"grader": "breif", "margin": 0.1}], "graders": GRADERS},
            "/guards/0/grader",
            "no grader 'breif'",
        ),
        (
            {"guards": [{"grader": "exact_match", "margin": 0.1}], "graders": GRADERS},
            "/guards/0/grader",
            "the goal itself",
        ),
    ],
)
def test_a_claim_that_claims_nothing_is_refused_and_explained(
    problems: Problems, fields: dict[str, Any], pointer: str, words: str
) -> None:
    assert words in problems(fields)[pointer].message


def test_a_claim_and_groups_make_another_run(load: Load) -> None:
    plain, again = load({"validate": ROWS}), load({"validate": ROWS})
    grouped = load({"validate": {"file": "v.jsonl", "group": "doc"}} | {"validate": ROWS})
    hashes = {
        plain.config_hash,
        load({"validate": ROWS, "claim": {"kind": "not_worse", "margin": 0.1}}).config_hash,
        load({"optimize": ROWS, "validate": ROWS, "group": "doc"}).config_hash,
    }

    assert plain.config_hash == again.config_hash == grouped.config_hash
    assert len(hashes) == 3


def test_rows_carry_their_group_by_one_column_or_several(load: Load) -> None:
    one = load({"optimize": ROWS, "validate": ROWS, "group": "doc"}).examples[Split.VALIDATE]
    two = load({"optimize": ROWS, "validate": ROWS, "group": ["doc", "prompt"]})

    assert [row.group for row in one[:6]] == ["d0"] * 5 + ["d1"]
    assert len({row.unit for row in two.examples[Split.VALIDATE]}) == 40


def test_a_column_that_no_row_has_is_an_error_and_rows_without_a_value_a_warning(
    load: Load, problems: Problems
) -> None:
    other = [{"prompt": "another", "doc": "d99", "docs": "d99"}]
    wrong = problems({"optimize": other, "validate": ROWS, "group": "docs"})
    some = [*ROWS, {"prompt": "alone", "expected": "x"}]
    config = load({"optimize": other, "validate": some, "group": "doc"})

    assert "no row of 'validate' has the column 'docs'" in wrong["/validate"].message
    assert wrong["/validate"].fix == "did you mean 'doc'?"
    assert ["1 of 41 rows" in one.message for one in config.warnings] == [True]
    assert len({row.unit for row in config.examples[Split.VALIDATE]}) == 9


def test_rows_are_equal_where_the_model_is_asked_the_same(load: Load) -> None:
    rows = [{"prompt": f"p{n % 4}", "expected": "x", "id": n} for n in range(12)]
    asked = load({"validate": rows}).examples[Split.VALIDATE]
    filled = load({"validate": rows, "resources": {"system_prompt": "For {id}."}})

    assert len({row.unit for row in asked}) == 4
    assert len({row.unit for row in filled.examples[Split.VALIDATE]}) == 12


def told(load: Load, rows: list[dict[str, Any]], **fields: Any) -> str:  # noqa: ANN401
    return "\n".join(notes(load({"optimize": ["a"], "validate": rows, **fields})))


def test_rows_that_look_grouped_are_told(load: Load) -> None:
    passage = " ".join(f"word{n}" for n in range(90))
    about = [
        {"prompt": f"{passage.replace('word', chr(97 + n // 4))} Question {n}?"} for n in range(24)
    ]

    assert '"group": "doc"' in told(load, ROWS)
    assert "passage in common" in told(load, about)
    assert '"group"' not in told(load, ROWS, group="doc", optimize=ROWS)


def test_rows_that_only_share_a_template_or_a_label_are_not_taken_for_groups(load: Load) -> None:
    template = " ".join(f"say{n}" for n in range(60))
    rows = [
        {"prompt": f"{template} item{n} thing{n * 7}", "category": f"c{n % 3}", "n": n}
        for n in range(40)
    ]

    assert told(load, rows) == ""


def test_groups_that_two_splits_divide_and_equal_rows_are_told(load: Load) -> None:
    text = told(load, ROWS, optimize=ROWS[:7], group="doc")
    twice = told(load, [{"prompt": "same"}] * 3 + [{"prompt": "other"}])

    assert "2 groups of 'validate' (10 of 40 rows, as 'd0') stand in 'optimize' too" in text
    assert "2 of 4 rows of 'validate' ask the model the same as others" in twice

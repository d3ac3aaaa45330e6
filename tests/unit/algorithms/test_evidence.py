"""What a proposer is shown of a row: every column in use, the answer, and what was right."""

from dataclasses import replace

import pytest

from tau.algorithms.evidence import (
    TriedExample,
    choose,
    described,
    drawn,
    explained,
    standing,
    tried_example,
)
from tau.algorithms.prompts import targets_of
from tau.algorithms.proposers import Proposers
from tau.algorithms.reflect import ReflectSettings
from tau.domain.dataset import Split, examples
from tau.domain.ids import ExampleId
from tau.domain.json import Json
from tau.domain.resources import Resources
from tau.domain.rollout import Output, RolloutKind, RolloutRequest
from tau.errors import InputError
from unit.algorithms.pretended import problem, settled


def shown(row: Json, *columns: str, feedback: str = "") -> str:
    (example,) = examples(Split.OPTIMIZE, [row])
    failure = TriedExample(example=example.id, score=0.0, output="low", feedback=feedback)
    return described([failure], {example.id: example}, frozenset(columns))


TICKET: dict[str, Json] = {"subject": "Down", "body": "All of it", "id": 7, "expected": "high"}


def test_every_column_that_the_prompts_use_is_shown_with_what_was_right() -> None:
    text = shown(TICKET, "subject", "body", feedback="Wrong priority.")

    assert "Input:\nsubject: Down\nbody: All of it\n" in text
    assert "Output:\nlow" in text
    assert "Expected:\nhigh" in text
    assert "Feedback:\nWrong priority." in text
    assert "7" not in text


def test_what_the_feedback_says_is_not_said_twice() -> None:
    assert "Expected:" not in shown(TICKET, "subject", feedback="It is 'high'.")


def test_a_prompt_stands_beside_the_other_columns() -> None:
    row: Json = {"prompt": "Sort it.", "tone": "kind", "limit": 3, "expected": "x"}

    assert "Input:\ntone: kind\nlimit: 3\nprompt: Sort it." in shown(row, "tone", "limit", "prompt")


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"prompt": "Sort it.", "other": 1, "expected": "x"}, "\n\nExpected:\nx"),
        ("Sort it.", ""),
    ],
)
def test_a_row_of_which_only_the_prompt_is_used_is_shown_as_it_is(row: Json, expected: str) -> None:
    text = shown(row, "prompt", feedback="No.")

    before = "### Example 1\n\nInput:\nSort it.\n\nOutput:\nlow\n\nWrong."
    assert text == f"{before}{expected}\n\nFeedback:\nNo."


def test_columns_are_added_by_a_setting_and_must_be_there() -> None:
    found = examples(Split.OPTIMIZE, [TICKET])
    targets = targets_of(Resources(values={"a": "Sort {subject}"}), None)
    made = Proposers.of(ReflectSettings(columns=("id",)), targets, found)

    assert made.columns == {"subject", "id"}
    with pytest.raises(InputError, match="'idd'"):
        Proposers.of(ReflectSettings(columns=("idd",)), targets, found)


def test_the_value_of_an_output_is_shown_beside_its_text() -> None:
    rows = problem(1, 0, 0).examples[Split.OPTIMIZE]
    request = RolloutRequest(
        kind=RolloutKind.EVALUATE, resources=Resources(values={}), example=rows[0]
    )
    output = Output(text="Calling.", value={"tool_calls": [{"name": "search"}]})
    failure = tried_example(replace(settled(request, "x", 0.0), output=output))

    assert failure is not None
    assert failure.output == 'Calling.\n{"tool_calls":[{"name":"search"}]}'


def test_scores_between_wrong_and_right_are_told() -> None:
    (example,) = examples(Split.OPTIMIZE, [TICKET])
    nearly = TriedExample(example=example.id, score=0.95, output="hi", feedback="")
    right = replace(nearly, score=1.0)

    assert "Score: 0.95 of 1\n\nExpected:\nhigh" in described([nearly], {example.id: example})
    assert described([right], {example.id: example}, first=4).endswith("Output:\nhi")
    assert described([right], {example.id: example}, first=4).startswith("### Example 4")


def test_how_a_prompt_does_is_told_by_its_mean_where_scores_are_graded() -> None:
    assert standing([1, 0, 1]).startswith("It does well on 2 of the 3 examples")
    assert "mean score is 0.90 of 1." in standing([0.9] * 22)
    assert "mean score is 0.95 of 1, and it is perfect on 1 of them." in standing([0.9, 1.0])


def test_the_worst_of_a_kind_are_chosen_first() -> None:
    found = [
        TriedExample(example=ExampleId(f"e{n}"), score=n / 10, output="", feedback="Too long.")
        for n in range(9)
    ]

    assert [one.score for one in choose(found[::-1], 1, count=3)] == [0.0, 0.1, 0.2]


def test_successes_that_were_shown_before_come_first() -> None:
    found = [
        TriedExample(example=ExampleId(f"e{n}"), score=1, output="", feedback="") for n in range(9)
    ]

    seen = {ExampleId("e3"), ExampleId("e7")}
    assert {one.example for one in drawn(found, 1, 2, seen=seen)} == seen


def test_feedback_of_a_word_or_two_explains_nothing() -> None:
    def tried(feedback: str) -> list[TriedExample]:
        return [TriedExample(example=ExampleId("e"), score=0, output="", feedback=feedback)]

    assert not explained(tried("Order R4-17: wrong."))
    assert explained(tried("The weight must be given in kilograms."))

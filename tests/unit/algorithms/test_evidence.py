"""What a proposer is shown of a row: every column in use, the answer, and what was right."""

from dataclasses import replace

import pytest

from tau.algorithms.evidence import FailedExample, described, failure_of
from tau.algorithms.prompts import targets_of
from tau.algorithms.proposers import Proposers
from tau.algorithms.reflect import ReflectSettings
from tau.domain.dataset import Split, examples
from tau.domain.json import Json
from tau.domain.resources import Resources
from tau.domain.rollout import Output, RolloutKind, RolloutRequest
from tau.errors import InputError
from unit.algorithms.pretended import problem, settled


def shown(row: Json, *columns: str, feedback: str = "") -> str:
    (example,) = examples(Split.OPTIMIZE, [row])
    failure = FailedExample(example=example.id, score=0.0, output="low", feedback=feedback)
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


@pytest.mark.parametrize("row", [{"prompt": "Sort it.", "other": 1, "expected": "x"}, "Sort it."])
def test_a_row_of_which_only_the_prompt_is_used_is_shown_as_it_is(row: Json) -> None:
    text = shown(row, "prompt", feedback="No.")

    assert text == "### Example 1\n\nInput:\nSort it.\n\nOutput:\nlow\n\nFeedback:\nNo."


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
    failure = failure_of(replace(settled(request, "x", 0.0), output=output))

    assert failure is not None
    assert failure.output == 'Calling.\n{"tool_calls":[{"name":"search"}]}'

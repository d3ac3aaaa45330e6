import pytest

from tau.domain.json import Json
from tau.domain.rollout import Output
from tau.errors import GraderFailed
from tau.graders.choice import Choice, ChoiceSettings
from tau.testing.grader import graded_example

PLACES = ["Paris", "New York", "York"]


def passed(text: str, expected: Json, choices: Json = None) -> bool | None:
    row: dict[str, Json] = {"prompt": "p", "expected": expected}
    if choices is not None:
        row["choices"] = choices
    return Choice("choice", ChoiceSettings()).judge(graded_example(row), Output(text=text)).passed


@pytest.mark.parametrize(
    "text",
    [
        "B",
        "b",
        "(B).",
        "**B**",
        "Answer: B",
        "The answer is (B).",
        "the final answer is option b",
        "A is tempting, C too. Answer: B",
        "Answer: A? No.\nAnswer: **B**",
        "#### B",
        r"so \boxed{B}",
        "I would take B, a good one.",
        "B: because A-levels... no. Answer = B",
    ],
)
def test_it_settles_on_b(text: str) -> None:
    assert passed(text, "B") is True
    assert passed(text, "A") is False


@pytest.mark.parametrize(
    "text", ["", "A or B", "B? Or rather C.", "Banana", "none of them", "a b c"]
)
def test_it_settles_on_nothing(text: str) -> None:
    assert passed(text, "A") is False
    assert passed(text, "B") is False


def test_nobody_can_act_on_two_labels() -> None:
    row = graded_example({"prompt": "p", "expected": "B"})
    reward = Choice("choice", ChoiceSettings()).judge(row, Output(text="A or B"))

    assert reward.score == 0
    assert 'found "A" and "B"' in reward.feedback


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("new york", "New York"),
        ("It must be New York!", "New York"),
        ("It must be York!", "York"),
        ("Not New York. Answer: york", "York"),
    ],
)
def test_labels_of_the_row(text: str, expected: str) -> None:
    assert passed(text, expected, PLACES) is True


def test_labels_may_be_keys() -> None:
    assert passed("Answer: 2", 2, {"1": "one", "2": "two"}) is True


@pytest.mark.parametrize(
    ("expected", "choices"), [("E", None), (None, None), ("A", ["A"]), ("A", 3), ("A", ["A", None])]
)
def test_rows_that_cannot_be_graded(expected: Json, choices: Json) -> None:
    with pytest.raises(GraderFailed):
        passed("A", expected, choices)

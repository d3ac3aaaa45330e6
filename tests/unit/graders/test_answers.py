"""What share of a few thousand answers, as models write them, the graders judge rightly."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from answers import CHOICE_KINDS, KINDS, Answer
from tau.domain.rollout import Output
from tau.graders.choice import Choice, ChoiceSettings
from tau.graders.deterministic import Deterministic
from tau.graders.number import Number, NumberSettings
from tau.graders.structured import IsJson, IsJsonSettings, JsonFields, JsonFieldsSettings
from tau.graders.text import (
    Contains,
    ContainsSettings,
    Exact,
    ExactMatch,
    ExactMatchSettings,
    ExactSettings,
)
from tau.testing.grader import graded_example

GRADERS: dict[str, tuple[type[Deterministic[Any]], type[Any]]] = {
    "choice": (Choice, ChoiceSettings),
    "number": (Number, NumberSettings),
    "json-fields": (JsonFields, JsonFieldsSettings),
    "is-json": (IsJson, IsJsonSettings),
    "exact": (Exact, ExactSettings),
    "exact_match": (ExactMatch, ExactMatchSettings),
    "contains": (Contains, ContainsSettings),
}


def judged_right(answer: Answer) -> bool:
    grader, settings = GRADERS[answer.grader]
    row = graded_example({"prompt": "p", "expected": answer.expected})
    reward = grader("g", settings(**answer.settings)).judge(row, Output(text=answer.text))
    return reward.score == 1.0


@pytest.mark.parametrize("kind", [*KINDS, *CHOICE_KINDS])
def test_answers_are_judged_rightly(kind: str) -> None:
    makers: dict[str, Callable[[], Iterator[Answer]]] = {**KINDS, **CHOICE_KINDS}
    answers = list(makers[kind]())
    missed = [each for each in answers if judged_right(each) != each.right]

    assert [each for each in missed if not each.right] == []
    assert len(missed) <= 0.005 * len(answers), missed[:20]


def test_there_are_thousands_of_them_always_the_same() -> None:
    made = [each for make in KINDS.values() for each in make()]

    assert len(made) > 5000
    assert made == [each for make in KINDS.values() for each in make()]

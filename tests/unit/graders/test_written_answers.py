"""Answers as models write them, written down before the graders were looked at."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tau.domain.rollout import Output
from tau.errors import GraderFailed
from tau.graders.choice import Choice, ChoiceSettings
from tau.graders.choice_labels import patterns_of
from tau.graders.choosing import chosen
from tau.graders.number import Number, NumberSettings
from tau.graders.numerals import numerals
from tau.testing.grader import graded_example

DATA = Path(__file__).parents[2] / "data"


def rows(name: str) -> list[dict[str, Any]]:
    text = (DATA / f"{name}_answers.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.split("\n") if line]


def test_choices_are_found_and_none_is_made_up() -> None:
    grader = Choice("choice", ChoiceSettings())
    wrong = []
    for row in rows("choice"):
        example = graded_example({"expected": row["expected"], "choices": row["labels"]})
        if grader.judge(example, Output(text=row["text"])).passed is not row["right"]:
            wrong.append(row)
    assert wrong == []


def test_numbers_are_found_and_none_is_made_up() -> None:
    grader = Number("number", NumberSettings())
    wrong = []
    for row in rows("number"):
        try:
            example = graded_example({"expected": row["expected"]})
            passed = grader.judge(example, Output(text=row["text"])).passed
        except GraderFailed:
            passed = False
        if passed is not row["right"]:
            wrong.append(row)
    assert wrong == []


@pytest.mark.parametrize(
    ("relative", "right"), [(None, False), (1e-9, False), (1e-7, False), (1e-6, True), (0.01, True)]
)
def test_integers_are_the_same_or_not_below_a_millionth(
    relative: float | None, right: bool
) -> None:
    grader = Number("number", NumberSettings(relative=relative))
    example = graded_example({"expected": 10_000_000_000})
    assert grader.judge(example, Output(text="10000000001")).passed is right
    assert grader.judge(example, Output(text="10000000000.0000000001")).passed


LABELS = ("A", "B", "C", "D")


@pytest.mark.parametrize(
    "unit",
    [
        "Answer: A ", "not ", "is not A ", "答案是", "e\u0301", "A B ", "B is correct, ", "A or B ",
        '{"answer": ', "A\n", "\\boxed{", "**", "the correct answer ", " ", "<answer>", "[",
        "```\n", "answer is the the ", "I think ", "✅ A ", "neither A nor ", "A/", "A, ",
    ],
)  # fmt: skip
def test_long_texts_are_read_in_no_time(unit: str) -> None:
    chosen("x", LABELS)
    text = unit * (60_000 // len(unit))
    begun = time.thread_time()
    chosen(text, LABELS)
    assert time.thread_time() - begun < 4  # a fortieth of it on an idle machine


def test_labels_that_differ_from_row_to_row_are_cheap() -> None:
    chosen("x", LABELS)
    begun = time.thread_time()
    for number in range(20):
        patterns_of((f"alpha {number}", f"beta {number}", "gamma", f"delta of {number}"))
    assert (time.thread_time() - begun) / 20 < 0.5


@pytest.mark.parametrize("text", ["\\" + "1" * 60_000, "\u0305" + "1," * 30_000])
def test_long_runs_of_digits_take_no_time(text: str) -> None:
    begun = time.thread_time()
    list(numerals(text))
    assert time.thread_time() - begun < 4

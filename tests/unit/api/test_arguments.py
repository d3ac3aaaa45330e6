"""Arguments that cannot be used are refused by name before anything runs."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import tau
from tau.errors import InputError

GOOD: dict[str, Any] = {"prompt": "p", "data": ["a"], "graders": [lambda e, o: 1]}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("task", None), ("task", 5), ("task", ""),
        ("prompt", None), ("prompt", 3), ("prompt", {}), ("prompt", {"a": 1}), ("prompt", ["a"]),
        ("budget", "5"), ("budget", 1.5), ("budget", True), ("budget", 0),
        ("retries", "x"), ("retries", -1), ("params", 5), ("params", [1]),
        ("data", None), ("data", 5), ("data", {"validate": None}),
        ("graders", "exact"), ("graders", lambda e, o: 1), ("graders", [None]), ("graders", [[1]]),
        ("graders", {"type": "exact"}), ("store", 5), ("store", " "), ("concurrency", 0),
        ("time_limit_s", "2"), ("time_limit_s", 0),
    ],
)  # fmt: skip
def test_it_is_refused_by_its_name(
    name: str, value: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran: list[str] = []

    def task(example: Mapping[str, Any], prompt: str) -> str:
        ran.append(prompt)
        return "x"

    given: dict[str, Any] = {"task": task, **GOOD, name: value}
    with pytest.raises(InputError, match=f"'?{name}") as refused:
        tau.evaluate(given.pop("task"), **given)

    assert " must be " in str(refused.value) or " holds no " in str(refused.value)
    assert ran == []
    assert list(tmp_path.iterdir()) == []


def test_functions_on_one_line_are_told_apart() -> None:
    found = tau.evaluate(lambda e, p: "x", prompt="p", data=["a"], graders=[lambda e, o: 0.5])

    assert found.score == 0.5


def test_functions_of_one_source_and_other_values_are_told_apart() -> None:
    def always(value: float) -> Callable[[Mapping[str, Any], str], float]:
        def grade(example: Mapping[str, Any], output: str) -> float:
            return value

        return grade

    found = tau.evaluate(
        lambda e, p: "x", prompt="p", data=["a"], graders=[always(0.2), always(0.7)]
    )

    assert found.score == 0.2
    assert {"grade": 0.2, "grade_2": 0.7}.items() <= found.rows[0]["rewards"].items()


def test_empty_answers_of_a_function_are_counted() -> None:
    found = tau.evaluate(lambda e, p: " ", prompt="p", data=["a", "b"], graders=[lambda e, o: 0])

    assert found.to_dict()["answers"]["answer_empty"] == 2

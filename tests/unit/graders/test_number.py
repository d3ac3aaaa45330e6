import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tau.domain.json import Json
from tau.domain.reward import Reward
from tau.domain.rollout import Output
from tau.errors import GraderFailed, InputError
from tau.graders.number import Number, NumberSettings
from tau.ports.grader import GraderContext
from tau.testing.grader import graded_example

EXCERPT = Path(__file__).parents[2] / "data" / "gsm8k" / "solutions.jsonl.gz"


def judged(text: str, expected: Json, settings: dict[str, Any]) -> Reward:
    example = graded_example({"prompt": "p", "expected": expected})
    return Number("number", NumberSettings(**settings)).judge(example, Output(text=text))


@pytest.mark.parametrize(
    ("text", "expected", "settings"),
    [
        ("so 3 + 4 = 7", 7, {}),
        ("so 3 + 4 = 7", "7.0", {}),
        ("so 3 + 4 = 7", "steps...\n#### 7", {}),
        ("7 is 3 + 4", 7, {"which": "first"}),
        ("7, yes 7.0", 7, {"which": "only"}),
        ("A: 7\nthough 8 was close", 7, {"after": "A:"}),
        ("a: 6\nAnswer 5\nA: 7", 7, {"after": "A:"}),
        ("Answer:\n\n 7 apples", 7, {"after": ("####", "answer:")}),
        ("3.14", 3.14159, {"absolute": 0.01}),
        ("1010", 1000, {"relative": 0.01}),
        ("0.30000000000000004", 0.3, {}),
        ("1/3", "1/3", {}),
        ("50%", 0.5, {"percent": "divide"}),
        ("1.000,5", 1000.5, {"decimal": ","}),
        ("12345678901234567", 12345678901234567, {"relative": 0.0}),
        ("0", 0, {}),
    ],
)
def test_right(text: str, expected: Json, settings: dict[str, Any]) -> None:
    reward = judged(text, expected, settings)

    assert (reward.score, reward.passed) == (1.0, True)


@pytest.mark.parametrize(
    ("text", "expected", "settings", "says"),
    [
        ("8", 7, {}, 'expected 7, got "8"'),
        ("-7", 7, {}, 'expected 7, got "-7"'),
        ("no idea", 7, {}, 'expected 7, found no number in "no idea"'),
        ("7", 7, {"after": "####"}, 'expected 7 after "####", which the output lacks'),
        ("formula: 7", 7, {"after": "A:"}, "which the output lacks"),
        ("3 and 7", 7, {"which": "only"}, "expected 7 alone, found several numbers: 3, 7"),
        ("3.2", 3.14159, {"absolute": 0.01}, "expected 3.14159"),
        ("12345678901234568", 12345678901234567, {"relative": 0.0}, "12345678901234567"),
        ("1,200", 1200.5, {}, "expected 1200.5"),
    ],
)
def test_wrong_and_why(text: str, expected: Json, settings: dict[str, Any], says: str) -> None:
    reward = judged(text, expected, settings)

    assert (reward.score, reward.passed) == (0.0, False)
    assert says in reward.feedback


@pytest.mark.parametrize("expected", [None, "no number", True, [7], {"n": 7}, ""])
def test_a_row_without_a_number_is_unscored(expected: Json) -> None:
    with pytest.raises(GraderFailed, match="reference answer"):
        judged("7", expected, {})


def test_a_reference_of_several_numbers_is_ambiguous_where_only_one_counts() -> None:
    with pytest.raises(GraderFailed, match="several different numbers"):
        judged("7", "3 or 7", {"which": "only"})


def test_the_sample_row_is_checked_before_anything_starts() -> None:
    row = graded_example({"prompt": "p", "expected": "none"})

    with pytest.raises(InputError, match="'expected' holds no number"):
        Number.check(NumberSettings(), GraderContext(name="n"), row)


def test_the_distance_is_measured() -> None:
    assert judged("9.5", 7, {}).metrics == {"value": 9.5, "difference": 2.5}


@pytest.mark.parametrize("after", [(), "A:"])
def test_verdicts_equal_those_recorded_with_the_solutions(after: str | tuple[str, ...]) -> None:
    with gzip.open(EXCERPT, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    recorded = [each["is_correct"] for row in rows for each in row["systems"].values()]

    ours = [
        judged(each["solution"], row["ground_truth"], {"after": after}).passed
        for row in rows
        for each in row["systems"].values()
    ]

    assert len(recorded) == 160
    assert 0 < sum(recorded) < 160
    assert ours == recorded

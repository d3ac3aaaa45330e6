import gzip
import json
import re
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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4155550124", "4155550123"),
        ("1700000000123", "1700000000124"),
        ("10000000001", "10000000002"),
        ("999999999", "999999998"),
        ("9007199254740993", "9007199254740992"),
        ("9007199254740993", 9007199254740992),
        ("10,000,000,001", "1.0000000002e10"),
        ("10000000001.0", "10000000002"),
        ("20000000002/2", "10000000002"),
        ("10^30", "1000000000000000000000000000001"),
        ("25 cm^2", "100 cm^2"),
        ("9.8 m/s^2", "1.6 m/s^2"),
        ("2^6", "10^6"),
        ("7^2", "3^2"),
        (r"\sqrt{3}", "3"),
        (r"3\pi", "3"),
        ("3!", "3"),
        (r"\frac{1}{2}", r"-\frac{1}{2}"),
        ("1 234", "5 234"),
        ("12,34,567", "34567"),
        ("(1,234)", "1234"),
        ("1.5 billion", "1.5 million"),
        ("5 m", "5 million"),
        ("The total is 10 - 3", "3"),
    ],
)
def test_different_numbers_are_wrong_however_near(text: str, expected: Json) -> None:
    assert judged(text, expected, {}).score == 0.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("42.00000000001", "42"),
        ("-1/2", r"-\frac{1}{2}"),
        ("1e3", "1,000.0"),
        ("10,000,000,001", "1.0000000001e10"),
        ("333.3333333333", "1000/3"),
        ("25 cm^2", "25"),
    ],
)
def test_equal_numbers_are_right_however_written(text: str, expected: Json) -> None:
    assert judged(text, expected, {}).score == 1.0


def test_a_share_that_was_asked_for_holds_for_integers_too() -> None:
    assert judged("1010", 1000, {"relative": 0.01}).score == 1.0
    assert judged("1011", 1000, {"relative": 0.01}).score == 0.0


def test_the_rest_of_the_line_may_be_a_remark() -> None:
    assert judged("#### 18 (see step 2)", 18, {"after": "####"}).score == 1.0


def test_what_cannot_be_read_is_told() -> None:
    said = judged("I leave at 10:45", 45, {}).feedback

    assert said == 'expected 45, got "10:45", which is a time'


@pytest.mark.parametrize(
    ("expected", "why"),
    [
        ("3:45", 'holds "3:45", which is a time'),
        ("2023-01-15", "which is a date"),
        ("3.5.2024", "which is a date"),
        ("3, 5", "several different numbers"),
        ("3 and 5", "several different numbers"),
        ("3-5", "which is a range"),
        ("5K", 'a word of size, "K", that means several things'),
        (r"\sqrt{3}", "formula"),
    ],
)
def test_references_no_number_can_be_compared_with(expected: str, why: str) -> None:
    with pytest.raises(GraderFailed, match=re.escape(why)):
        judged("7", expected, {})


@pytest.mark.parametrize(
    "expected",
    [
        "12 kg", "$12", "12 €", "USD 12", "12元", "12个", "12%", "12 per cent", "12 m/s^2",
        "12 km/h",
        "12 J/(kg·K)", "12 square feet", "12 US dollars", "12 years old", "12 per hour",
        "12th", "12.",
        "Answer: 12", "The answer is 12.", "x = 12", "about 12", r"\boxed{12}", "$12$", "**12**",
        "work of 3 steps\n#### 12", "2 + 10\nA: 12", "twelve", "12 apples", "1.2e1", "24/2",
        "12 Äpfel",
    ],
)  # fmt: skip
def test_a_reference_is_one_number_with_a_label_or_a_unit(expected: str) -> None:
    assert judged("12", expected, {}).score == 1.0


@pytest.mark.parametrize(
    "expected",
    [
        "12 and 13", "x = 11, y = 12", "12 apples, 13 pears", "12 or 13", "1-2", "12 March",
        "12 mars",
        "12. Januar", "March 12", "Q1 2012", "summer 2012", "Monday 12", "week 5 of 2012", "12:30",
        "half past 12", "12 pm", "5 euros 12", "3 hours 12 minutes", "three hours 12 minutes",
        "12°30'",
        "12° N", "12N 12W", "12 BC", "12 AD", "12 squared", "12 mod 5", "12_8", "12 ไหม",
        "12 слонов ест",
        "at least 12", "12 or more", "12+", "not 12", "12 is wrong", "3 of 12", "1 in 12", "12 x",
        "12 dogs and cats", "room 12 b", "12 mil", "12 bi", "12兆", "12.00 (2 d.p.)",
        "12 °C at 1 atm",
    ],
)  # fmt: skip
def test_any_other_reference_leaves_the_row_unscored(expected: str) -> None:
    with pytest.raises(GraderFailed, match=r"'expected' (?:holds|is)"):
        judged("12", expected, {})


@pytest.mark.parametrize(
    ("text", "expected", "settings", "right"),
    [
        ("123456789.12", "123456789.13", {}, False),
        ("123456789.12", 123456789.13, {}, False),
        ("123456789.12", "123456789.1", {}, False),
        ("4155550123", "4155550123.4", {}, False),
        ("0.3333333333", "0.3333333334", {}, False),
        ("100000000000/3", "100000000001/3", {}, False),
        ("33333333333.3", "100000000001/3", {}, False),
        ("1700000000.12345678", "1700000000.52345678", {}, False),
        ("123456789.12", "123456789.13", {"relative": 1e-9}, True),
        ("123456789.12", "123456789.13", {"absolute": 0.01}, True),
        ("12.50", "12.5", {}, True),
        ("0.30000000000000004", "0.3", {}, True),
        ("0.30000000000000004", "0.30000000000000002", {}, True),
        ("0.6666666666", "0.66666666666667", {}, True),
        ("0.6666666667", "2/3", {}, True),
        ("12.50000000001", 12.5, {}, True),
    ],
)
def test_decimals_are_equal_as_they_are_written(
    text: str, expected: Json, settings: dict[str, Any], right: bool
) -> None:
    assert judged(text, expected, settings).passed is right


def test_a_reference_of_several_numbers_is_ambiguous_where_only_one_counts() -> None:
    with pytest.raises(GraderFailed, match="several different numbers"):
        judged("7", "of 3 apples or of 7", {"which": "only"})


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

"""The number grader on every recorded solution of GSM8K."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tau.domain.dataset import Example, Split, examples
from tau.domain.rollout import Output
from tau.graders.number import Number, NumberSettings
from tau.scoring.detectors import unsafe_codes

pytestmark = pytest.mark.acceptance

SYSTEMS = ["6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification"]


@pytest.fixture(scope="module")
def rows(acceptance_data: Path) -> list[dict[str, Any]]:
    path = acceptance_data / "tasks" / "gsm8k_recorded_solutions_4models.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@pytest.fixture(scope="module")
def problems(rows: list[dict[str, Any]]) -> tuple[Example, ...]:
    return examples(
        Split.TEST, [{"prompt": row["question"], "expected": row["ground_truth"]} for row in rows]
    )


@pytest.mark.parametrize("after", [(), "A:"], ids=["last number", "after A:"])
@pytest.mark.parametrize("system", SYSTEMS)
def test_verdicts_equal_the_recorded_ones(
    rows: list[dict[str, Any]],
    problems: tuple[Example, ...],
    system: str,
    after: str | tuple[str, ...],
) -> None:
    grader = Number("number", NumberSettings(after=after))

    ours = [
        grader.judge(problem, Output(text=row[system]["solution"])).passed
        for problem, row in zip(problems, rows, strict=True)
    ]

    assert len(ours) == 1319
    assert ours == [row[system]["is_correct"] for row in rows]


def test_no_solution_looks_unsafe(rows: list[dict[str, Any]]) -> None:
    prompt = "Solve the problem step by step and put the answer on a last line after 'A:'. " * 3

    found = {
        code
        for row in rows
        for text in (row["question"], *(row[system]["solution"] for system in SYSTEMS))
        for code in unsafe_codes(text, prompt)
    }

    assert found == set()

"""The graders people write themselves: functions and commands."""

import asyncio
import json
import os
import sys
import threading
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tau.domain.json import Json
from tau.domain.reward import Reward
from tau.domain.rollout import Output
from tau.errors import GraderFailed, InputError
from tau.graders.answer import to_reward
from tau.graders.command import CommandGrader, CommandGraderSettings
from tau.graders.python import PythonGrader, PythonGraderSettings
from tau.ports.grader import Grader, GraderContext
from tau.testing.grader import grade, graded_example

ROW = graded_example({"prompt": "p", "expected": "7", "tags": ["x"]})


@pytest.mark.parametrize(
    ("answer", "score", "passed"),
    [
        (True, 1.0, True),
        (False, 0.0, False),
        (0.25, 0.25, None),
        (1, 1.0, None),
        ({"score": 0.5, "passed": True}, 0.5, True),
        ({"score": False}, 0.0, False),
        (Reward(name="theirs", score=0.75, passed=True), 0.75, True),
        (np.float32(0.5), 0.5, None),
        (np.array(0.5), 0.5, None),
        (np.int64(1), 1.0, None),
        (np.bool_(True), 1.0, True),
        ({"score": np.float32(0.5), "passed": np.bool_(False)}, 0.5, False),
        (Decimal("0.5"), 0.5, None),
        (Fraction(1, 2), 0.5, None),
        (1.0000000002, 1.0, None),
        (-1e-12, 0.0, None),
        ({"score": 1, "reason": None}, 1.0, None),
    ],
)
def test_answers(answer: object, score: float, passed: bool | None) -> None:
    reward = to_reward("mine", answer, "f")

    assert (reward.name, reward.score, reward.passed) == ("mine", score, passed)


def test_an_answer_with_everything() -> None:
    reward = to_reward(
        "mine", {"score": 1, "reason": "ok", "feedback": "more", "metrics": {"n": np.int64(3)}}, "f"
    )

    assert (reward.reason, reward.feedback, reward.metrics) == ("ok", "more", {"n": 3.0})


def test_texts_are_made_storable() -> None:
    reward = to_reward("mine", {"score": 1, "reason": "a\ud800" + "b" * 10_000}, "f")

    assert reward.reason.startswith("a?b")
    assert len(reward.reason) == 8000
    assert reward.feedback == reward.reason


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (None, "'score' that is nothing"),
        ("0.5", "'score' that is str"),
        ([1], "'score' that is list"),
        ((True, "why"), "'score' that is tuple of 2"),
        (np.array([0.5, 0.5]), "'score' that is of type ndarray"),
        (1 + 2j, "'score' that is of type complex"),
        (2, "gave the score 2"),
        (10**400, "gave the score 1000"),
        (np.float32("nan"), "gave the score nan"),
        (Decimal("sNaN"), "gave the score sNaN"),
        (1.01, "gave the score 1.01"),
        (-0.1, "from 0 to 1"),
        (float("nan"), "gave the score nan"),
        (float("inf"), "gave the score inf"),
        ({}, "'score' that is nothing"),
        ({"score": 1, "scor": 1}, "unknown field 'scor'"),
        ({"score": 1, "passed": "yes"}, "'passed' that is str"),
        ({"score": 1, "reason": 5}, "'reason' that is int"),
        ({"score": 1, "metrics": {"n": "x"}}, "'metrics' that is str"),
        ({"score": 1, "metrics": [1]}, "'metrics' that is list"),
        ({"score": 1, "metrics": {"n": float("inf")}}, "not finite"),
        (Reward(name="x", score=None, error="no luck"), "no luck"),
    ],
)
def test_wrong_answers_leave_the_row_unscored(answer: object, says: str) -> None:
    with pytest.raises(GraderFailed, match=says):
        to_reward("mine", answer, "f")


def function_grader(folder: Path, source: str) -> Grader:
    (folder / "own.py").write_text(source)
    return PythonGrader.build(
        PythonGraderSettings(function="own.py:fn"),
        GraderContext(name="mine", base_dir=folder, concurrency=2),
    )


@pytest.mark.parametrize(
    "source",
    [
        "def fn(example, output): return output == example['expected']",
        "async def fn(example, output): return output == example['expected']",
        "def fn(e, o, details): return details.text == o and details.finish_reason == 'stop'",
        "def fn(example, output, strict=False): return output == '7' and not strict",
        "class C:\n async def __call__(self, example, output): return 1.0\nfn = C()",
        "fn = lambda example, output: {'score': 1.0}",
    ],
)
async def test_functions(tmp_path: Path, source: str) -> None:
    grader = function_grader(tmp_path, source)

    assert (await grade(grader, ROW, Output(text="7", finish_reason="stop"))).score == 1.0
    await grader.aclose()


async def test_a_plain_function_runs_off_the_event_loop(tmp_path: Path) -> None:
    grader = function_grader(
        tmp_path,
        "from threading import current_thread\n"
        "def fn(e, o): return {'score': 1, 'reason': current_thread().name}",
    )

    reward = await grade(grader, ROW, Output(text="7"))

    assert reward.reason != threading.current_thread().name
    await grader.aclose()


async def test_the_function_owns_its_example(tmp_path: Path) -> None:
    grader = function_grader(
        tmp_path, "def fn(e, o):\n  e['tags'].append(1)\n  return len(e['tags']) == 2"
    )

    scores = [(await grade(grader, ROW, Output(text="7"))).score for _ in range(2)]

    assert scores == [1.0, 1.0]
    await grader.aclose()


async def test_a_raising_function_is_a_failed_grader(tmp_path: Path) -> None:
    grader = function_grader(tmp_path, "def fn(e, o): raise LookupError('no such page')")

    with pytest.raises(GraderFailed, match="LookupError: no such page"):
        await grade(grader, ROW, Output(text="7"))
    await grader.aclose()


@pytest.mark.parametrize("parameters", ["", "example", "a, b, c, d"])
def test_functions_that_cannot_be_called(tmp_path: Path, parameters: str) -> None:
    (tmp_path / "own.py").write_text(f"def fn({parameters}): return 1")

    with pytest.raises(InputError, match="cannot be called as a grader"):
        PythonGrader.check(
            PythonGraderSettings(function="own.py:fn"),
            GraderContext(name="mine", base_dir=tmp_path),
            None,
        )


def command_grader(folder: Path, code: str, limit_s: float = 20.0) -> Grader:
    return CommandGrader.build(
        CommandGraderSettings(command=(sys.executable, "-c", code), time_limit_s=limit_s),
        GraderContext(name="program", base_dir=folder, environ={"PATH": os.defpath}),
    )


async def test_a_command_is_told_everything_about_the_output(tmp_path: Path) -> None:
    code = (
        "import json, os, sys; d = json.load(sys.stdin); "
        "print(json.dumps({'score': 0.5, 'reason': json.dumps([d, os.getcwd()])}))"
    )
    output = Output(text="7", value={"n": 7}, finish_reason="stop", metadata={"m": 1})

    reward = await grade(command_grader(tmp_path, code), ROW, output)

    expected: Json = {
        "id": ROW.id,
        "split": "validate",
        "example": {"prompt": "p", "expected": "7", "tags": ["x"]},
        "output": {"text": "7", "value": {"n": 7}, "finish_reason": "stop", "metadata": {"m": 1}},
    }

    assert json.loads(reward.reason) == [expected, str(tmp_path)]


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import sys; sys.exit('no luck')", "exited with 1.*no luck"),
        ("print('yes')", "did not print one JSON document"),
        ("print('null')", "'score' that is nothing"),
        ("print(2)", "from 0 to 1"),
    ],
)
async def test_a_failing_command_leaves_the_row_unscored(
    tmp_path: Path, code: str, says: str
) -> None:
    with pytest.raises(GraderFailed, match=says):
        await grade(command_grader(tmp_path, code), ROW, Output(text="7"))


async def test_a_slow_command_is_a_failed_grader_not_a_timed_out_rollout(tmp_path: Path) -> None:
    with pytest.raises(GraderFailed, match=r"longer than 0\.3 s"):
        await grade(
            command_grader(tmp_path, "import time; time.sleep(600)", 0.3), ROW, Output(text="7")
        )


def content(file: Path) -> str:
    return file.read_text() if file.exists() else ""


async def test_cancelling_a_command_ends_it(tmp_path: Path) -> None:
    code = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(600)"
    task = asyncio.create_task(grade(command_grader(tmp_path, code), ROW, Output(text="7")))
    async with asyncio.timeout(60):
        while not content(tmp_path / "pid"):  # noqa: ASYNC110  (another process writes it)
            await asyncio.sleep(0.01)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    with pytest.raises(ProcessLookupError):
        os.kill(int(content(tmp_path / "pid")), 0)

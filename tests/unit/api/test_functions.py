"""Functions as tasks and graders from Python: sessions, failures in words, retries, signatures."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import tau
from tau.api import Evaluation, Optimization
from tau.domain.dataset import Split
from tau.errors import InputError, NothingScored
from tau.executors.python import BlockingSession, Session
from tau.sim.world import START_PROMPT, World

AGAIN = {"max_attempts": 5, "backoff_ms": 1, "max_backoff_ms": 2}


def fine(example: Mapping[str, Any], output: str) -> bool:
    """A grader that is content."""
    return True


def says(example: Mapping[str, Any], prompt: str) -> str:
    """A task that answers."""
    return "x"


def test_a_task_that_raises_says_what_and_where() -> None:
    def breaks(example: Mapping[str, Any], prompt: str) -> str:
        if example["prompt"] == "c":
            return "x"
        raise ValueError(f"no such order {example['prompt']}")

    found = tau.evaluate(breaks, prompt="p", data=["a", "b", "b", "c"], graders=[fine])

    assert [(one.count, one.failure) for one in found.errors] == [(2, "executor"), (1, "executor")]
    assert "'breaks' failed: ValueError: no such order b" in found.errors[0].message
    assert found.traceback is not None
    assert "raise ValueError" in found.traceback
    assert "tau/executors" not in found.traceback, "it begins in the user's own code"
    assert found.to_dict()["errors"][0]["count"] == 2


def test_a_grader_that_raises_says_what_and_where() -> None:
    def divides(example: Mapping[str, Any], output: str) -> float:
        return 1 / int(example["prompt"] == "a")

    found = tau.evaluate(says, prompt="p", data=["a", "b"], graders=[divides])

    assert (found.score, found.failures) == (1.0, {})
    (error,) = found.errors
    assert (error.failure, error.count) == ("grader", 1)
    assert "ZeroDivisionError" in error.message
    assert "1 / int(example" in (found.traceback or "")


def _raises(example: Mapping[str, Any], prompt: str) -> str:
    raise KeyError(example["prompt"] if example["prompt"] == "odd" else "customer")


def _refuses(example: Mapping[str, Any], output: str) -> str:
    return "very good"


@pytest.mark.parametrize(
    ("task", "graders", "why"),
    [(_raises, [fine], "KeyError: 'customer'"), (says, [_refuses], "very good")],
)
def test_where_nothing_is_scored_the_commonest_error_is_raised(
    task: Callable[..., str], graders: list[Callable[..., Any]], why: str
) -> None:
    with pytest.raises(NothingScored) as caught:
        tau.evaluate(task, prompt="p", data=["odd", "a", "b"], graders=graders)
    text, found = str(caught.value), caught.value.result

    assert "nothing could be scored" in text
    assert why in text
    assert "run it again" in text
    assert isinstance(found, Evaluation)
    assert found.score is None
    assert sum(one.count for one in found.errors) == 3
    assert found.errors[0].message in text
    assert (found.traceback is not None) == (task is _raises)


def test_an_optimization_that_scores_nothing_is_raised_with_its_result(tmp_path: Path) -> None:
    with pytest.raises(NothingScored, match="KeyError: 'customer'") as caught:
        tau.optimize(
            _raises, prompt="p", data=[f"row {n}" for n in range(60)], graders=[fine],
            reflection_model="sim/rules", budget=90, store=tmp_path / "store.sqlite",
        )  # fmt: skip
    found = caught.value.result

    assert isinstance(found, Optimization)
    assert (found.decision, found.improved) == (None, False)
    assert "raise KeyError" in (found.traceback or "")


def test_nothing_wrong_is_nothing_said() -> None:
    found = tau.evaluate(says, prompt="p", data=["a"], graders=[fine])

    assert (found.errors, found.traceback) == ((), None)


@pytest.mark.parametrize(
    "task", [lambda e: "x", lambda: "x", lambda a, b, c, d: "x", lambda e, *, prompt: "x"]
)
def test_a_task_of_a_wrong_signature_is_refused_before_any_row(
    task: Callable[..., str], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="cannot be called with a row and a prompt") as refused:
        tau.evaluate(task, prompt="p", data=["a"], graders=[fine], store=tmp_path / "s.sqlite")

    assert "fn(example, prompt, session)" in str(refused.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("grader", [lambda o: 1, lambda: 1, lambda a, b, c, d: 1])
def test_a_grader_of_a_wrong_signature_is_refused(grader: Callable[..., float]) -> None:
    with pytest.raises(InputError, match="cannot be called as a grader"):
        tau.evaluate(says, prompt="p", data=["a"], graders=[grader])


def test_a_clients_rate_limits_are_tried_again() -> None:
    class RateLimitError(Exception):
        status_code = 429

    tries: dict[str, int] = {}

    def flaky(example: Mapping[str, Any], prompt: str) -> str:
        name = example["prompt"]
        tries[name] = tries.get(name, 0) + 1
        if tries[name] < 3:
            raise RateLimitError("slow down")
        return "x"

    rows = [str(n) for n in range(10)]
    found = tau.evaluate(flaky, prompt="p", data=rows, graders=[fine], retries=AGAIN)

    assert (found.score, found.failures) == (1.0, {})
    assert set(tries.values()) == {3}


@pytest.mark.parametrize(("retries", "tries"), [(0, 1), (2, 3)])
def test_retries_are_bounded(retries: int, tries: int) -> None:
    made: list[str] = []

    def never(example: Mapping[str, Any], prompt: str) -> str:
        made.append(example["prompt"])
        if example["prompt"] == "ok":
            return "x"
        raise tau.RetryLater(0.0, "the index is being built")

    found = tau.evaluate(
        never, prompt="p", data=["a", "ok"], graders=[fine], retries=retries, concurrency=1
    )

    assert made.count("a") == tries
    assert "the index is being built" in found.errors[0].message


def clerk(example: Mapping[str, Any], prompt: str, session: BlockingSession) -> str:
    """An application of one call and a step of its own."""
    with session.step("plan"):
        messages = [
            {"role": "system", "content": prompt},
            {"role": "user", "content": example["prompt"]},
        ]
    return session.chat(messages).text


async def async_clerk(example: Mapping[str, Any], prompt: str, session: Session) -> str:
    """The same as a coroutine, calling twice."""
    messages = [
        {"role": "system", "content": prompt},
        {"role": "user", "content": example["prompt"]},
    ]
    await session.chat(messages)
    return (await session.chat(messages)).text


ROWS = list(World(4).examples(Split.OPTIMIZE, 90))
SIM = [{"type": "sim", "feedback": "rule"}]


def test_a_session_calls_the_model_counted() -> None:
    found = tau.evaluate(
        clerk, prompt=START_PROMPT, data=ROWS[:5], graders=SIM, model="sim/rules", calls=1
    )

    assert (found.calls, found.errors) == (5, ())
    assert found.score is not None


def test_more_calls_than_allowed_are_refused_in_words() -> None:
    with pytest.raises(NothingScored, match="the attempt has used the 1 model calls") as caught:
        tau.evaluate(
            async_clerk, prompt=START_PROMPT, data=ROWS[:3], graders=SIM, model="sim/rules", calls=1
        )
    found = caught.value.result

    assert isinstance(found, Evaluation)
    assert found.calls == 3
    assert found.failures == {"budget": 3}
    assert found.errors[0].count == 3


def test_a_budget_of_calls_binds_a_session() -> None:
    found = tau.evaluate(
        async_clerk, prompt=START_PROMPT, data=ROWS, graders=SIM, model="sim/rules", calls=2,
        budget={"calls": 11},
    )  # fmt: skip

    assert found.calls == 10
    assert found.stop_reason == "budget"


def test_a_function_with_a_session_is_optimized() -> None:
    found = tau.optimize(
        clerk, prompt=START_PROMPT, data=ROWS, graders=SIM, model="sim/rules", calls=1,
        reflection_model="sim/rules", budget=150, seed=1,
    )  # fmt: skip

    assert found.decision in {"promote", "keep_baseline", "inconclusive"}
    assert found.candidates
    assert found.errors == ()


@pytest.mark.parametrize(
    ("task", "given"),
    [("sim/rules", {"calls": 2}), ("sim/rules", {"model": "sim/rules"}), (says, {"calls": 2})],
)
def test_settings_of_a_session_that_is_not_there_are_refused(
    task: str | Callable[..., str], given: dict[str, Any]
) -> None:
    with pytest.raises(InputError):
        tau.evaluate(task, prompt="p", data=["a"], graders=[fine], **given)


def test_a_time_limit_ends_a_row() -> None:
    def stuck(example: Mapping[str, Any], prompt: str, session: BlockingSession) -> str:
        while example["prompt"] == "slow" and not session.over:
            pass
        return "x"

    found = tau.evaluate(
        stuck, prompt="p", data=["slow", "quick"], graders=[fine], time_limit_s=0.2, retries=0
    )

    assert found.failures == {"time_limit": 1}
    assert found.score == 1.0

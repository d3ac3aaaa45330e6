"""A grader's model that fails: the paid answer is kept, the judge alone is asked again."""

from dataclasses import dataclass

import pytest

from machinery.judging import ScriptedJudge, saying
from tau.domain.chat import Message, ModelRequest
from tau.domain.dataset import Example
from tau.domain.reward import Reward
from tau.domain.rollout import Output, RolloutResult, RolloutStatus
from tau.errors import (
    AuthenticationFailed,
    ModelError,
    ModelTimeout,
    Overloaded,
    RateLimited,
    RequestRejected,
)
from tau.ports.record import Recorder
from unit.runner.working import Bench, job

TASK = "task"


def scores(result: RolloutResult) -> dict[str, float | None]:
    return {reward.name: reward.score for reward in result.rewards}


def failing(*errors: ModelError) -> ScriptedJudge:
    return saying(*errors, "fine")


@dataclass
class Asking:
    model: ScriptedJudge
    name: str = "judge"
    calls_per_attempt: int = 1

    async def grade(self, example: Example, output: Output, record: Recorder) -> Reward:
        said = ModelRequest(messages=(Message(role="user", content=output.text),))
        answer = await record.call(self.model, said)
        return Reward(name=self.name, score=1.0, reason=answer.text)

    async def aclose(self) -> None:
        pass


@pytest.fixture
def worked() -> list[str]:
    return []


async def run(table: Bench, worked: list[str], *judges: Asking) -> RolloutResult:
    async def execute(example: Example, _: object, record: Recorder) -> Output:
        worked.append(TASK)
        record.reason("seen.once")
        return Output(text="paid for")

    (result,) = await table.done(job(execute, graders=judges), "q")
    return result


TRANSIENT = [RateLimited("slow"), Overloaded("busy"), ModelTimeout("late")]


@pytest.mark.parametrize("error", TRANSIENT, ids=lambda e: e.code)
async def test_the_answer_is_kept_and_the_judge_asked_again(
    table: Bench, worked: list[str], error: ModelError
) -> None:
    judge, other = Asking(failing(error)), Asking(failing(), name="other")
    result = await run(table, worked, judge, other)

    assert worked == [TASK], "the task is paid for once"
    assert (result.status, result.score, result.attempts) == (RolloutStatus.SUCCEEDED, 1.0, 2)
    assert len(other.model.asked) == 1, "and so is a judge that has spoken"
    assert scores(result)["other"] == 1.0
    assert (scores(result)["safety.penalty_total"] or 0) < 0, "reason codes of the answer stay"
    assert result.spent.calls == 3


async def test_when_no_retry_is_left_the_row_is_unscored_and_its_answer_stands(
    table: Bench, worked: list[str]
) -> None:
    judge = Asking(saying(RateLimited("slow")))
    result = await run(table, worked, judge)

    assert worked == [TASK]
    assert (result.status, result.score) == (RolloutStatus.SUCCEEDED, None)
    assert result.output is not None
    assert result.output.text == "paid for"
    assert "slow" in (result.rewards[0].error or "")


async def test_what_no_retry_mends_leaves_the_row_unscored_at_once(
    table: Bench, worked: list[str]
) -> None:
    judge = Asking(saying(RequestRejected("too odd")))
    result = await run(table, worked, judge)
    assert (result.status, result.score, result.attempts) == (RolloutStatus.SUCCEEDED, None, 1)


async def test_a_judge_that_nobody_can_ask_fails_the_rollout(
    table: Bench, worked: list[str]
) -> None:
    judge = Asking(saying(AuthenticationFailed("no key")))
    result = await run(table, worked, judge)
    assert result.status is RolloutStatus.FAILED, "so that the run stops instead of spending"
    assert result.score is None

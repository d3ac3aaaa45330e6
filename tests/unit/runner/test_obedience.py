"""Work that ends at once when it is cancelled is spared a task of its own, and nothing else."""

import asyncio

import pytest

from tau.domain.chat import Completion, ModelRequest
from tau.domain.dataset import Example
from tau.domain.failure import FailureClass
from tau.domain.resources import Resources
from tau.domain.rollout import Output, RolloutKind, RolloutStatus
from tau.executors.chat import ChatExecutor, ChatSettings
from tau.models.openai import OpenAICompatible
from tau.ports.cancellable import cancellable
from tau.ports.executor import ExecutorContext
from tau.ports.model import ModelContext
from tau.ports.record import Recorder
from tau.runner.execution import EvaluationHandler
from tau.runner.supervisor import WorkSpec
from unit.runner.working import Bench, Doing, Echo, Execute, quick, until


class Obeying(Doing):
    """As its executor says."""

    cancellable = True


def job(execute: Execute) -> WorkSpec:
    return WorkSpec(performers={RolloutKind.EVALUATE: EvaluationHandler(Obeying(execute))})


async def named(example: Example, resources: Resources, record: Recorder) -> Output:
    task = asyncio.current_task()
    return Output(text=task.get_name() if task else "")


async def hanging(example: Example, resources: Resources, record: Recorder) -> Output:
    await asyncio.Event().wait()
    raise AssertionError


async def exiting(example: Example, resources: Resources, record: Recorder) -> Output:
    raise SystemExit(3)


@pytest.mark.parametrize(("limit_s", "own"), [(None, False), (10.0, True)])
async def test_it_runs_in_the_task_of_its_attempt_unless_its_time_is_limited(
    table: Bench, limit_s: float | None, own: bool
) -> None:
    (result,) = await table.done(job(named), "q", settings=quick(time_limit_s=limit_s))

    assert result.output is not None
    assert (result.output.text != f"{result.rollout_id}:attempt-1") is own


async def test_its_time_limit_stops_it(table: Bench) -> None:
    (result,) = await table.done(job(hanging), "q", settings=quick(time_limit_s=0.05))

    assert result.failure is not None
    assert result.failure.kind is FailureClass.TIME_LIMIT


async def test_stopping_gives_it_back_uncounted(table: Bench) -> None:
    await table.submit("a", "b")
    async with table.supervisor(job(hanging)) as supervisor:
        await until(lambda: supervisor.in_flight == 2)

    assert await table.statuses() == {RolloutStatus.REQUEUING: 2}


async def test_its_exit_ends_its_rollout_only(table: Bench) -> None:
    (result,) = await table.done(job(exiting), "q")

    assert result.failure is not None
    assert result.failure.kind is FailureClass.EXECUTOR


class Obedient(Echo):
    """Says so, and is slow."""

    cancellable = True

    async def complete(self, request: ModelRequest) -> Completion:
        await asyncio.Event().wait()
        raise AssertionError


async def test_a_chat_is_cancellable_where_its_model_does() -> None:
    context = ModelContext(provider="openai", name="m", environ={"OPENAI_API_KEY": "k"})
    client = OpenAICompatible.build(OpenAICompatible.Settings(), context)
    chats = [
        ChatExecutor.build(ChatSettings(), ExecutorContext(model=model))
        for model in (client, Obedient(), Echo())
    ]
    await client.aclose()

    assert [cancellable(chat) for chat in chats] == [True, True, False]
    assert not cancellable(Doing(named))

"""Python functions under test: how they are called, and how they can misbehave."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path

import pytest

from tau.domain.dataset import Split, examples
from tau.domain.failure import FailureClass
from tau.domain.resources import Resources
from tau.domain.rollout import Output, RolloutKind, RolloutStatus
from tau.errors import BudgetRefused, ExecutorFailed, InputError
from tau.executors.python import PythonExecutor, PythonSettings
from tau.ports.executor import ExecutorContext
from tau.runner.execution import EvaluationHandler
from tau.runner.recorder import SpanRecorder
from tau.runner.supervisor import WorkSpec
from tau.testing.executor import recorder
from unit.executors import apps
from unit.runner.working import Echo, bench, quick

RESOURCES = Resources(values={"system_prompt": "Be kind."})


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    apps.RELEASE.clear()
    apps.SEEN_OVER.clear()
    apps.STUCK.clear()
    apps.THREADS.clear()
    yield
    apps.RELEASE.set()


def build(
    name: str,
    *,
    model: Echo | None = None,
    calls: int = 0,
    stuck_limit: int = 16,
    concurrency: int = 4,
) -> PythonExecutor:
    settings = PythonSettings(
        function=f"unit.executors.apps:{name}", calls=calls, stuck_limit=stuck_limit
    )
    context = ExecutorContext(
        model=model, params={"temperature": 0, "seed": 1}, concurrency=concurrency
    )
    return PythonExecutor.build(settings, context)


async def run(
    executor: PythonExecutor, prompt: str = "Hi", record: SpanRecorder | None = None
) -> Output:
    (example,) = examples(Split.OPTIMIZE, [prompt])
    return await executor.execute(example, RESOURCES, record or recorder(executor))


async def test_a_plain_function_runs_off_the_event_loop_on_reused_threads() -> None:
    executor = build("plain", concurrency=2)

    outputs = [await run(executor, f"q{n}") for n in range(10)]
    await asyncio.gather(*(run(executor) for _ in range(20)))
    await executor.aclose()

    assert outputs[3].text == "Be kind. q3"
    assert 1 <= len(apps.THREADS) <= 2
    assert threading.current_thread().name not in apps.THREADS


async def test_a_plain_function_can_ask_the_model_and_report() -> None:
    model = Echo()
    executor = build("asks", model=model, calls=1)
    record = recorder(executor)

    output = await run(executor, "Hi", record)

    assert output.text == "Hi"
    assert record.reason_codes == ("custom.code",)
    tool, call = record.close()
    assert (tool.name, tool.attributes["query"]) == ("execute_tool search", "ice")
    assert (call.name, call.parent) == ("chat echo", tool.sequence)
    assert call.attributes["gen_ai.request.temperature"] == 0.3
    assert call.attributes["gen_ai.request.seed"] == 1


async def test_an_async_function_can_ask_at_once() -> None:
    executor = build("asks_async", model=Echo(), calls=2)
    record = recorder(executor)

    output = await run(executor, "Hi", record)

    assert output.text == "Hi Hi"
    assert record.blocked_events == 1
    spans = record.close()
    assert [(span.name, span.parent) for span in spans] == [
        ("think", None),
        ("chat echo", 1),
        ("chat echo", 1),
        ("blocked", None),
    ]


async def test_calls_beyond_the_declared_ones_are_refused() -> None:
    with pytest.raises(BudgetRefused):
        await run(build("asks_async", model=Echo(), calls=1))


@pytest.mark.parametrize(
    ("name", "text"),
    [("optional", "BlockingSession"), ("verbose", "False"), ("hidden", "awaited")],
)
async def test_how_a_function_is_called(name: str, text: str) -> None:
    assert (await run(build(name))).text == text


async def test_a_function_gets_copies() -> None:
    (example,) = examples(Split.OPTIMIZE, [{"prompt": "q"}])
    executor = build("changes")

    await executor.execute(example, RESOURCES, recorder(executor))

    assert example.prompt == "q"
    assert RESOURCES.text("system_prompt") == "Be kind."


@pytest.mark.parametrize(
    ("name", "says"),
    [("number", "answered with int"), ("leaves", "SystemExit"), ("runs_out", "StopIteration")],
)
async def test_odd_ends_are_failures_of_the_executor(name: str, says: str) -> None:
    executor = build(name)

    with pytest.raises(ExecutorFailed) as failed:
        await run(executor)

    assert says in str(failed.value)
    with pytest.raises(ExecutorFailed):
        await run(executor)


async def test_stuck_threads_do_not_use_up_the_pool() -> None:
    table = await bench()
    executor = build("stuck", concurrency=2)
    job = WorkSpec(performers={RolloutKind.EVALUATE: EvaluationHandler(executor)})
    rows = ["stuck", "stuck", "stuck", "fine", "fine"]

    results = await table.done(job, *rows, settings=quick(concurrency=2, time_limit_s=1.0))
    apps.RELEASE.set()
    await table.store.aclose()

    assert [r.status for r in results] == [RolloutStatus.FAILED] * 3 + [RolloutStatus.SUCCEEDED] * 2
    assert {r.failure.kind for r in results if r.failure} == {FailureClass.TIME_LIMIT}
    await threads_end(apps.SEEN_OVER, 3)
    assert apps.SEEN_OVER == [True] * 3, "the function could have seen that it was over"


async def test_too_many_stuck_threads_fail_further_rollouts_at_once() -> None:
    executor = build("stuck", stuck_limit=2)
    await cancelled_when(lambda: len(apps.STUCK) == 1, run(executor, "stuck"))
    await cancelled_when(lambda: len(apps.STUCK) == 2, run(executor, "stuck"))

    with pytest.raises(ExecutorFailed, match="time limit still run"):
        await run(executor, "fine")

    apps.RELEASE.set()
    await threads_end(apps.SEEN_OVER, 2)
    assert (await run(executor, "fine")).text == "returned"


async def test_a_plain_functions_calls_end_with_its_rollout() -> None:
    cancelled = asyncio.Event()

    async def before() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    model = Echo(before)
    executor = build("asks_on_and_on", model=model, calls=9)

    await cancelled_when(lambda: model.calls > 0, run(executor))

    await asyncio.wait_for(cancelled.wait(), 60)
    await threads_end(apps.SEEN_OVER, 1)
    assert model.calls == 1


async def cancelled_when(
    condition: Callable[[], bool], work: Coroutine[object, object, object]
) -> None:
    """Start `work`, and take it away once `condition` holds."""
    task = asyncio.ensure_future(work)
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110  (threads tell nobody)
            await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def threads_end(ended: list[bool], number: int) -> None:
    async with asyncio.timeout(60):
        while len(ended) < number:  # noqa: ASYNC110  (threads tell nobody)
            await asyncio.sleep(0.005)
    await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (PythonSettings(function="unit.executors.apps:plian"), "plain"),
        (PythonSettings(function="no_such_module:fn"), "no_such_module"),
        (PythonSettings(function="unit.executors.apps:one_argument"), "fn(example, resources)"),
        (PythonSettings(function="unit.executors.apps:asks", calls=1), "--model"),
    ],
)
def test_check_says_what_is_wrong(settings: PythonSettings, says: str, tmp_path: Path) -> None:
    context = ExecutorContext(model=None, base_dir=tmp_path)

    with pytest.raises(InputError) as refused:
        PythonExecutor.check(settings, context, RESOURCES, None)

    assert says in f"{refused.value} {refused.value.fix}"

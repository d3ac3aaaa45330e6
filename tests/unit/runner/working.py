"""A run on a real store, and executors written as a plug-in author would write them."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from tau.domain.chat import Completion, Message, ModelRequest
from tau.domain.dataset import Example, Split, examples
from tau.domain.ids import RolloutId, RunId
from tau.domain.json import Json
from tau.domain.resources import Resources
from tau.domain.rollout import (
    Output,
    RolloutKind,
    RolloutRequest,
    RolloutResult,
    RolloutStatus,
    Submission,
)
from tau.domain.run import Run
from tau.domain.spend import Spend, Usage
from tau.ports.grader import Grader
from tau.ports.record import Recorder
from tau.ports.store import Store
from tau.runner.execution import EvaluationHandler
from tau.runner.retry import Backoff, RetryPolicy
from tau.runner.supervisor import Supervisor, WorkSpec
from tau.runner.worker_settings import RunnerSettings
from tau.scoring.safety import SafetyPolicy
from tau.stores.sqlite import SqliteStore

RUN = RunId("run-1")
SOON = RetryPolicy(default=Backoff(base_s=0.001, max_s=0.002))

Execute = Callable[[Example, Resources, Recorder], Awaitable[Output]]


class Doing:
    """An executor of one function."""

    def __init__(self, execute: Execute, calls: int = 0) -> None:
        self._execute = execute
        self.calls_per_attempt = calls

    async def execute(self, example: Example, resources: Resources, record: Recorder) -> Output:
        return await self._execute(example, resources, record)

    async def aclose(self) -> None:
        pass


class Echo:
    """A model that answers with the last message, after what `before` does."""

    ref = "test/echo"
    provider = "test"

    def __init__(self, before: Callable[[], Awaitable[None]] | None = None) -> None:
        self._before = before
        self.calls = 0

    async def complete(self, request: ModelRequest) -> Completion:
        self.calls += 1
        if self._before is not None:
            await self._before()
        return Completion(
            text=request.messages[-1].content,
            finish_reason="stop",
            model="echo-1",
            usage=Usage(input_tokens=7, output_tokens=5, cached_tokens=2, reasoning_tokens=1),
            cost_nano_usd=1_200,
            response_id="r-1",
        )

    def price(self, usage: Usage) -> int | None:
        return 100 * usage.total_tokens

    async def aclose(self) -> None:
        pass


async def echo(example: Example, resources: Resources, record: Recorder) -> Output:
    return Output(text=example.prompt or "")


def asking(model: Echo) -> Execute:
    """Ask `model` once per rollout."""

    async def execute(example: Example, resources: Resources, record: Recorder) -> Output:
        request = ModelRequest(messages=[Message(role="user", content=example.prompt or "")])
        completion = await record.call(model, request)
        return Output(text=completion.text, finish_reason=completion.finish_reason)

    return execute


def quick(
    *,
    workers: int = 1,
    concurrency: int = 4,
    heartbeat_ms: int = 1000,
    time_limit_s: float | None = None,
    stop_grace_s: float = 5.0,
    fail_fast: bool = False,
) -> RunnerSettings:
    return RunnerSettings(
        worker_count=workers,
        worker_concurrency=concurrency,
        poll_interval_ms=10,
        heartbeat_interval_ms=heartbeat_ms,
        time_limit_s=time_limit_s,
        stop_grace_s=stop_grace_s,
        fail_fast=fail_fast,
        fail_fast_after=3,
    )


def job(
    execute: Execute,
    *,
    calls: int = 0,
    graders: Sequence[Grader] = (),
    default_grader: Grader | None = None,
    safety: SafetyPolicy | None = None,
    retry: RetryPolicy = SOON,
) -> WorkSpec:
    return WorkSpec(
        performers={RolloutKind.EVALUATE: EvaluationHandler(Doing(execute, calls))},
        graders=graders,
        default_grader=default_grader,
        safety=safety or SafetyPolicy(),
        retry=retry,
    )


@dataclass
class Bench:
    """A store with one run."""

    store: Store
    run_id: RunId = RUN
    calls: int = 4
    resources: Resources = field(default_factory=lambda: Resources(values={"system_prompt": "?"}))

    async def submit(
        self, *rows: Json, kind: RolloutKind = RolloutKind.EVALUATE
    ) -> list[RolloutId]:
        if kind is RolloutKind.PROPOSE:
            requests = [
                RolloutRequest(kind=kind, resources=self.resources, proposal=row) for row in rows
            ]
        else:
            requests = [
                RolloutRequest(kind=kind, resources=self.resources, example=example)
                for example in examples(Split.OPTIMIZE, rows)
            ]
        reserve = Spend(rollouts=1, calls=self.calls)
        submissions = [Submission(request=request, reserve=reserve) for request in requests]
        return list(await self.store.queue.submit(self.run_id, submissions))

    async def settled(
        self, ids: Sequence[RolloutId], *, within_s: float = 20
    ) -> list[RolloutResult]:
        """The results, once all are settled."""
        async with asyncio.timeout(within_s):
            while True:
                results = await self.store.queue.collect(self.run_id, ids)
                if all(result is not None for result in results):
                    return [result for result in results if result is not None]
                await self.store.queue.wait_settled(self.run_id, timeout_s=0.05)

    async def done(
        self, job: WorkSpec, *rows: Json, settings: RunnerSettings | None = None
    ) -> list[RolloutResult]:
        """Submit `rows`, work on them until they are settled."""
        ids = await self.submit(*rows)
        async with self.supervisor(job, settings):
            return await self.settled(ids)

    def supervisor(self, job: WorkSpec, settings: RunnerSettings | None = None) -> Supervisor:
        return Supervisor(self.store, job, settings or quick(), run_id=self.run_id)

    async def statuses(self) -> dict[RolloutStatus, int]:
        counts = await self.store.queue.counts(self.run_id)
        return {status: n for status, n in counts.by_status.items() if n}


async def bench(location: object = ":memory:", *, max_attempts: int = 5, calls: int = 4) -> Bench:
    store = await SqliteStore.open(str(location))
    run = Run(
        id=RUN,
        config_hash="c",
        model_ref="test/echo",
        seed=0,
        algorithm="evaluate",
        config={},
        max_attempts=max_attempts,
    )
    await store.runs.create(run)
    return Bench(store, calls=calls)


async def until(condition: Callable[[], bool], *, within_s: float = 10) -> None:
    """Return soon after `condition` has become true; TimeoutError if it does not."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110  (what it looks at tells nobody)
            await asyncio.sleep(0.005)

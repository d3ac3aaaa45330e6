"""What the store suite works with: an open store, a hand-moved clock, and short ways to act."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

import pytest

from tau.domain.dataset import Example, Split, examples
from tau.domain.failure import Failure, FailureClass
from tau.domain.ids import AttemptId, RolloutId, RunId, WorkerId
from tau.domain.json import Json
from tau.domain.resources import Resources
from tau.domain.reward import Reward
from tau.domain.rollout import (
    AttemptStatus,
    ClaimedRollout,
    Outcome,
    Output,
    RolloutKind,
    RolloutRequest,
    RolloutResult,
    Submission,
)
from tau.domain.run import Run
from tau.domain.spend import Budget, Spend
from tau.domain.worker import ProcessIdentity, WorkerRole
from tau.ports.insights import AttemptView
from tau.ports.store import Store
from tau.testing.clock import ManualClock, ManualProcesses

RUN = RunId("run-1")
LEASE_MS = 3000
SEED = Resources(values={"system_prompt": "Answer briefly."})
SERVER_FAILURE = Failure(kind=FailureClass.SERVER, message="it broke", status=500)


def rows(count: int, split: Split = Split.OPTIMIZE) -> tuple[Example, ...]:
    """`count` examples."""
    return examples(split, [{"prompt": f"{split} {n}", "expected": str(n)} for n in range(count)])


def evaluation(
    example: Example,
    *,
    resources: Resources = SEED,
    replicate: int = 0,
    reserve: Spend | None = None,
) -> Submission:
    """Measure `resources` on `example`."""
    request = RolloutRequest(
        kind=RolloutKind.EVALUATE, resources=resources, example=example, replicate=replicate
    )
    return Submission(request=request, reserve=reserve or Spend(rollouts=1))


def proposal(content: Json, *, slot: int = 0, resources: Resources = SEED) -> Submission:
    """Ask for better resources."""
    request = RolloutRequest(
        kind=RolloutKind.PROPOSE, resources=resources, proposal=content, slot=slot
    )
    return Submission(request=request)


def success(score: float | None = 1.0, *, text: str = "4", spent: Spend | None = None) -> Outcome:
    """An attempt that ran."""
    return Outcome(
        status=AttemptStatus.SUCCEEDED,
        output=Output(text=text, finish_reason="stop"),
        rewards=(Reward(name="exact_match", score=score, passed=True, reason="equal"),),
        score=score,
        spent=spent or Spend(),
        duration_ms=5,
    )


def failure(retry_in_s: float | None = None, *, spent: Spend | None = None) -> Outcome:
    """An attempt that failed, to be tried again after `retry_in_s` or never."""
    return Outcome(
        status=AttemptStatus.FAILED,
        failure=SERVER_FAILURE,
        retry_in_s=retry_in_s,
        spent=spent or Spend(),
    )


@dataclass(slots=True)
class Bench:
    """One open store and what moves it."""

    store: Store
    clock: ManualClock
    processes: ManualProcesses

    async def run(
        self,
        run_id: RunId = RUN,
        *,
        budget: Budget | None = None,
        max_attempts: int = 3,
        config: Mapping[str, Json] | None = None,
    ) -> Run:
        """A new run."""
        return await self.store.runs.create(
            Run(
                id=run_id,
                config_hash="config",
                model_ref="sim/none",
                seed=7,
                algorithm="evaluate",
                config=config or {"workers": 2},
                budget=budget or Budget(),
                max_attempts=max_attempts,
            )
        )

    async def worker(
        self,
        name: str = "trainer-worker-1",
        *,
        process: ProcessIdentity | None = None,
        role: WorkerRole = WorkerRole.WORKER,
        lease_ms: int = LEASE_MS,
    ) -> WorkerId:
        """A new worker, of this process unless told otherwise."""
        registered = await self.store.work.register(
            name=name, role=role, process=process or self.processes.this(), lease_ms=lease_ms
        )
        return registered.id

    async def driver(
        self, run_id: RunId = RUN, *, process: ProcessIdentity | None = None
    ) -> WorkerId:
        """A trainer that drives the run."""
        trainer = await self.worker("trainer", role=WorkerRole.TRAINER, process=process)
        await self.adopt(trainer, run_id)
        return trainer

    async def adopt(
        self, trainer: WorkerId, run_id: RunId = RUN, *, budget: Budget | None = None
    ) -> Run:
        """Make `trainer` the driver."""
        return await self.store.runs.adopt(
            run_id, trainer, budget=budget or Budget(), max_attempts=3
        )

    async def submit(
        self, count: int, run_id: RunId = RUN, *, reserve: Spend | None = None
    ) -> Sequence[RolloutId]:
        """`count` evaluations."""
        return await self.store.queue.submit(
            run_id, [evaluation(row, reserve=reserve) for row in rows(count)]
        )

    async def claim(
        self, worker: WorkerId, limit: int = 100, run_id: RunId | None = None
    ) -> Sequence[ClaimedRollout]:
        """What `worker` gets."""
        return await self.store.work.claim(worker, limit=limit, run_id=run_id)

    async def held(
        self, count: int = 1, *, max_attempts: int = 3
    ) -> tuple[WorkerId, list[ClaimedRollout]]:
        """A run whose `count` rollouts a worker holds."""
        await self.run(max_attempts=max_attempts)
        await self.submit(count)
        worker = await self.worker()
        return worker, list(await self.claim(worker))

    async def result(self, rollout: RolloutId, run_id: RunId = RUN) -> RolloutResult | None:
        """What came of it, so far."""
        return (await self.store.queue.collect(run_id, [rollout]))[0]

    async def counts(self, run_id: RunId = RUN) -> dict[str, int]:
        """Counters by name."""
        found = (await self.store.queue.counts(run_id)).by_status
        return {str(status): count for status, count in found.items() if count}

    async def attempt(self, claim_id: AttemptId, rollout: RolloutId) -> AttemptView:
        """What is known of an attempt."""
        view = await self.store.insights.rollout(rollout)
        return next(attempt for attempt in view.attempts if attempt.id == claim_id)

    async def pass_lease(self, lease_ms: int = LEASE_MS) -> None:
        """Let a lease run out while the reaper keeps running."""
        await self.store.work.reap()
        self.clock.advance(lease_ms // 2 + 1)
        await self.store.work.reap()
        self.clock.advance(lease_ms // 2)


class StoreCase:
    """Subclass it and implement `open_store`."""

    async def open_store(self, clock: ManualClock, processes: ManualProcesses) -> Store:
        """An empty store of your kind; called once per test."""
        raise NotImplementedError

    @pytest.fixture
    async def bench(self) -> AsyncIterator[Bench]:
        """An empty store, closed afterwards."""
        clock, processes = ManualClock(), ManualProcesses()
        store = await self.open_store(clock, processes)
        async with store:
            yield Bench(store, clock, processes)

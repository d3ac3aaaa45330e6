"""A store with a big run in it: 100,000 settled rollouts of 500 candidates, made in seconds."""

import asyncio
import sys
from pathlib import Path

from tau.domain.checkpoint import Checkpoint
from tau.domain.dataset import Split, examples
from tau.domain.draws import uniform
from tau.domain.failure import Failure, FailureClass
from tau.domain.ids import RunId
from tau.domain.resources import Resources
from tau.domain.reward import Reward
from tau.domain.rollout import (
    AttemptStatus,
    Outcome,
    Output,
    RolloutKind,
    RolloutRequest,
    Submission,
)
from tau.domain.run import Run
from tau.domain.spend import Budget, Spend
from tau.domain.worker import WorkerRole
from tau.ports.processes import SystemProcesses
from tau.ports.store import Store
from tau.stores.sqlite import SqliteStore

RUN = RunId("run-large")
_BATCH = 1000
_PROMPT = "Answer the question of a customer. Rule {n}: be exact, name the unit, say nothing else. "


async def make(path: Path, *, candidates: int = 500, per_candidate: int = 200) -> None:
    """Write the store at `path`, through the doors a run uses, without waiting for the disk."""
    store = await SqliteStore.open(path, synchronous="OFF")
    async with store:
        await _fill(store, candidates, per_candidate)


async def _fill(store: Store, candidates: int, per_candidate: int) -> None:
    process = SystemProcesses().this()
    trainer = await store.work.register(
        name="trainer", role=WorkerRole.TRAINER, process=process, lease_ms=600_000
    )
    worker = await store.work.register(
        name="trainer-worker-1", role=WorkerRole.WORKER, process=process, lease_ms=600_000
    )
    budget = Budget(rollouts=200_000, cost_nano_usd=50_000_000_000)
    await store.runs.create(
        Run(
            id=RUN, config_hash="0" * 64, model_ref="sim/rules", seed=7, algorithm="evolve",
            config={"resources": {"system_prompt": _PROMPT.format(n=0) * 3}}, budget=budget,
        )
    )  # fmt: skip
    await store.runs.adopt(RUN, trainer.id, budget=budget, max_attempts=5)
    half = per_candidate // 2
    rows = [
        *examples(Split.OPTIMIZE, [{"prompt": f"how much is {n} + {n}?"} for n in range(half)]),
        *examples(Split.VALIDATE, [{"prompt": f"how much is {n} * {n}?"} for n in range(half)]),
    ]
    parent: Resources | None = None
    proposed = []
    for n in range(candidates):
        values = {"system_prompt": _PROMPT.format(n=n) * 3}
        resources = Resources(values=values, parent=parent and parent.hash)
        if n % 3 == 0:
            parent = resources
        proposed.append(resources)
        wave = [
            Submission(
                request=RolloutRequest(kind=RolloutKind.EVALUATE, resources=resources, example=row)
            )
            for row in rows
        ]
        await store.queue.submit(RUN, wave)
        while claims := await store.work.claim(worker.id, limit=_BATCH):
            await asyncio.gather(
                *(
                    store.work.complete(claim.attempt_id, _outcome(n, index))
                    for index, claim in enumerate(claims)
                )
            )
    await store.checkpoints.save(
        Checkpoint(
            run_id=RUN, algorithm="evolve", waves=candidates, rollouts=candidates * per_candidate,
            state={}, best=proposed[-1],
        ),
        trainer=trainer.id,
        candidates=proposed,
        publish=proposed[0],
    )  # fmt: skip


def _outcome(candidate: int, index: int) -> Outcome:
    spent = Spend(rollouts=1, calls=1, tokens=180, cost_nano_usd=90_000)
    draw = uniform(7, "score", candidate, index)
    if draw < 0.01:
        failure = Failure(kind=FailureClass.SERVER, message="HTTP 500")
        return Outcome(status=AttemptStatus.FAILED, failure=failure, spent=spent)
    score = 1.0 if draw < 0.4 + candidate / 1500 else 0.0
    return Outcome(
        status=AttemptStatus.SUCCEEDED,
        output=Output(text="42"),
        rewards=(Reward(name="exact_match", score=score),),
        score=score,
        spent=spent,
        duration_ms=300,
    )


if __name__ == "__main__":
    asyncio.run(make(Path(sys.argv[1])))

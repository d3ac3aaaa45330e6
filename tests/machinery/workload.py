"""A small whole run through any store, telling what was acknowledged as soon as it was.

It can be stopped at any instant and begun again; what a rollout comes to depends on the rollout
alone, so that the end is the same however often it was interrupted.
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tau.domain.checkpoint import Checkpoint
from tau.domain.dataset import Example, Split, examples
from tau.domain.draws import below, uniform
from tau.domain.failure import Failure, FailureClass
from tau.domain.ids import RunId, WorkerId
from tau.domain.json import content_hash
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
from tau.domain.run import Run, RunStatus, StopReason
from tau.domain.span import Span, SpanKind
from tau.domain.spend import Budget, Spend
from tau.domain.worker import ProcessIdentity, WorkerRole
from tau.errors import Conflict, LeaseLost
from tau.ports.store import Store

Acknowledge = Callable[[str], None]
"""Given one line once what it says has been acknowledged by the store."""

RUN = RunId("storm")
MAX_ATTEMPTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A run of `waves` waves with `width` rollouts each, worked on by `workers` workers.

    Without `complete` it ends as it would at a signal, to be gone on with.

    Acknowledged lines: `created`, `submitted ID...`, `claimed ATTEMPT`, `completed ATTEMPT STATUS`,
    `checkpoint WAVES`, `finished`.
    """

    run_id: RunId = RUN
    seed: int = 0
    waves: int = 8
    width: int = 24
    workers: int = 3
    batch: int = 4
    lease_ms: int = 10_000
    complete: bool = True

    async def go(self, store: Store, process: ProcessIdentity, acknowledge: Acknowledge) -> None:
        """Begin the run or go on with it, until it is finished."""
        trainer = await store.work.register(
            name="trainer", role=WorkerRole.TRAINER, process=process, lease_ms=self.lease_ms
        )
        try:
            await store.runs.create(self.run())
            acknowledge("created")
        except Conflict:
            if (await store.runs.get(self.run_id)).status is RunStatus.COMPLETED:
                acknowledge("finished")
                return
        await store.runs.adopt(self.run_id, trainer.id, budget=Budget(), max_attempts=MAX_ATTEMPTS)
        await store.work.reap()
        async with asyncio.TaskGroup() as tasks:
            hands = [
                tasks.create_task(self._work(store, process, f"worker-{n}", acknowledge))
                for n in range(self.workers)
            ]
            await self._train(store, trainer.id, acknowledge)
            for hand in hands:
                hand.cancel()
        await store.work.retire([trainer.id])

    async def help(self, store: Store, process: ProcessIdentity, acknowledge: Acknowledge) -> None:
        """Join a run that another process drives, as workers, until it is completed."""
        async with asyncio.TaskGroup() as tasks:
            hands = [
                tasks.create_task(self._work(store, process, f"helper-{n}", acknowledge))
                for n in range(self.workers)
            ]
            while (await store.runs.get(self.run_id)).status is not RunStatus.COMPLETED:
                await store.queue.wait_settled(self.run_id, timeout_s=0.05)
            for hand in hands:
                hand.cancel()

    async def _train(self, store: Store, trainer: WorkerId, acknowledge: Acknowledge) -> None:
        last = await store.checkpoints.latest(self.run_id)
        fold = str(last.state["fold"]) if last else ""
        for wave in range(last.waves if last else 0, self.waves):
            ids = await store.queue.submit(self.run_id, self.submissions(wave))
            acknowledge("submitted " + " ".join(ids))
            while (counts := await store.queue.counts(self.run_id)).settled < counts.total:
                await store.queue.wait_settled(self.run_id, timeout_s=0.05)
                await store.work.reap()
                await store.work.beat([trainer])
            results = await store.queue.collect(self.run_id, ids)
            fold = _fold(fold, [result for result in results if result])
            await store.checkpoints.save(
                self.checkpoint(wave + 1, fold),
                trainer=trainer,
                candidates=[self.resources(wave + 1)],
                publish=self.resources(wave) if wave % 3 == 0 else None,
            )
            acknowledge(f"checkpoint {wave + 1}")
        if self.complete:
            await store.runs.set_status(
                self.run_id, RunStatus.COMPLETED, trainer=trainer, reason=StopReason.FINISHED
            )
            acknowledge("finished")

    async def _work(
        self, store: Store, process: ProcessIdentity, name: str, acknowledge: Acknowledge
    ) -> None:
        worker = await store.work.register(
            name=name, role=WorkerRole.WORKER, process=process, lease_ms=self.lease_ms
        )
        try:
            while True:
                claims = await store.work.claim(worker.id, limit=self.batch)
                for claim in claims:
                    acknowledge(f"claimed {claim.attempt_id}")
                await asyncio.gather(*(self._finish(store, claim, acknowledge) for claim in claims))
                await store.work.beat([worker.id])
                if not claims:
                    await store.work.wait_ready(timeout_s=0.02)
        finally:
            await store.work.retire([worker.id])

    async def _finish(self, store: Store, claim: ClaimedRollout, acknowledge: Acknowledge) -> None:
        if claim.attempt % 2:
            await store.work.append_spans(claim.attempt_id, [span(1)])
        outcome = self.outcome(claim)
        try:
            await store.work.complete(claim.attempt_id, outcome)
        except LeaseLost:
            acknowledge(f"lost {claim.attempt_id}")
        else:
            acknowledge(f"completed {claim.attempt_id} {outcome.status}")

    def submissions(self, wave: int) -> Sequence[Submission]:
        """The wave's rollouts: mostly evaluations, one proposal."""
        resources = self.resources(wave)
        rows = [f"example {wave % 3}.{i}" for i in range(self.width - 1)]
        requests = [
            RolloutRequest(kind=RolloutKind.EVALUATE, resources=resources, example=example)
            for example in examples(Split.OPTIMIZE, rows)
        ]
        requests.append(
            RolloutRequest(
                kind=RolloutKind.PROPOSE, resources=resources, proposal={"wave": wave}, slot=1
            )
        )
        reserve = Spend(rollouts=1, calls=2, tokens=100)
        return [Submission(request=request, reserve=reserve) for request in requests]

    def resources(self, wave: int) -> Resources:
        """What is tried in a wave."""
        return Resources(values={"system_prompt": f"attempt {wave} of {self.seed}"})

    def outcome(self, claim: ClaimedRollout) -> Outcome:
        """Fixed by the rollout: most succeed, some fail at once, some until attempts run out."""
        subject = _subject(claim)
        fate = uniform(self.seed, "fate", subject)
        spent = Spend(calls=1, tokens=10 + below(90, self.seed, "tokens", subject))
        spans = tuple(span(sequence) for sequence in range(1, 4))
        if fate < 0.15:
            kind = FailureClass.SERVER if fate < 0.1 else FailureClass.REQUEST
            return Outcome(
                status=AttemptStatus.FAILED,
                failure=Failure(kind=kind, message="as planned", status=500),
                retry_in_s=(0.0 if fate < 0.05 else 0.005) if fate < 0.1 else None,
                spent=spent,
                spans=spans,
                duration_ms=7,
            )
        score = uniform(self.seed, "score", subject)
        return Outcome(
            status=AttemptStatus.SUCCEEDED,
            output=Output(text=f"answer to {subject}", finish_reason="stop"),
            rewards=(Reward(name="exact_match", score=score, reason="drawn"),),
            score=score,
            spent=spent,
            spans=spans,
            duration_ms=5,
        )

    def run(self) -> Run:
        """The run as it is created."""
        return Run(
            id=self.run_id,
            config_hash="storm",
            model_ref="sim/none",
            seed=self.seed,
            algorithm="storm",
            config={"width": self.width},
            max_attempts=MAX_ATTEMPTS,
        )

    def checkpoint(self, waves: int, fold: str) -> Checkpoint:
        """After `waves` waves."""
        return Checkpoint(
            run_id=self.run_id,
            algorithm="storm",
            waves=waves,
            rollouts=waves * self.width,
            state={"fold": fold, "waves": waves},
            best=self.resources(waves - 1),
        )


def span(sequence: int) -> Span:
    """A model call of the usual size."""
    return Span(
        sequence=sequence,
        parent=1 if sequence > 1 else None,
        name="chat sim/none",
        kind=SpanKind.MODEL_CALL,
        start_unix_ns=1_700_000_000_000_000_000 + sequence,
        end_unix_ns=1_700_000_000_000_000_900 + sequence,
        attributes={
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "none",
            "gen_ai.usage.input_tokens": 120 + sequence,
            "gen_ai.usage.output_tokens": 30,
        },
    )


def example(text: str) -> Example:
    """One row to optimize on."""
    return examples(Split.OPTIMIZE, [text])[0]


def _subject(claim: ClaimedRollout) -> str:
    """What is asked, whatever number the store gave it: a database may leave numbers out."""
    about = claim.example.id if claim.example else content_hash(claim.proposal)
    return f"{claim.kind} {claim.resources} {about} {claim.replicate or claim.slot}"


def _fold(before: str, results: Sequence[RolloutResult]) -> str:
    """A digest of everything told so far, in wave order."""
    digest = hashlib.sha256(before.encode())
    for result in results:
        failure = result.failure.kind if result.failure else ""
        digest.update(f"{result.request.key} {result.status} {result.score} {failure}\n".encode())
    return digest.hexdigest()

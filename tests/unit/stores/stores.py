"""A store with something of everything in it."""

from pathlib import Path

from machinery.workload import span
from tau.domain.checkpoint import Checkpoint
from tau.domain.rollout import AttemptStatus, Outcome, Output
from tau.stores.sqlite import SqliteStore
from tau.testing.clock import ManualClock, ManualProcesses
from tau.testing.store_bench import RUN, SEED, Bench, evaluation, failure, proposal, rows


async def fill(path: Path) -> None:
    """Make the store at `path`: a success, a failure, a retry, one in flight, the rest queued."""
    clock, processes = ManualClock(), ManualProcesses()
    store = await SqliteStore.open(path, clock=clock, processes=processes, synchronous="OFF")
    async with store:
        bench = Bench(store, clock, processes)
        await bench.run()
        trainer = await bench.driver()
        wave = [evaluation(row) for row in rows(8)] + [proposal({"ask": "for more"})]
        await store.queue.submit(RUN, wave)
        claims = await bench.claim(await bench.worker(), 4)
        outcome = Outcome(
            status=AttemptStatus.SUCCEEDED,
            output=Output(text="forty-two"),
            score=1.0,
            spans=(span(1), span(2)),
        )
        await store.work.complete(claims[0].attempt_id, outcome)
        await store.work.complete(claims[1].attempt_id, failure())
        await store.work.complete(claims[2].attempt_id, failure(60.0))
        checkpoint = Checkpoint(
            run_id=RUN, algorithm="evaluate", waves=1, rollouts=2, state={"at": 1}, best=SEED
        )
        await store.checkpoints.save(checkpoint, trainer=trainer, publish=SEED)

"""The parent of the storm's children, and what they do.

python -m recovery.nursery_main ACKNOWLEDGE_FD
"""

import asyncio
import gc
import os
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson

from machinery.workload import RUN, Acknowledge, Workload, span
from tau.domain.run import RunStatus
from tau.domain.spend import Budget
from tau.domain.worker import WorkerRole
from tau.errors import LeaseLost
from tau.ports.processes import SystemProcesses
from tau.stores.sqlite import SqliteStore

Program = Callable[..., Awaitable[None]]


async def workload(acknowledge: Acknowledge, *, path: str, **shape: Any) -> None:  # noqa: ANN401
    """The whole run, begun or gone on with."""
    async with await SqliteStore.open(Path(path)) as store:
        await Workload(**shape).go(store, SystemProcesses().this(), acknowledge)


async def help_out(acknowledge: Acknowledge, *, path: str, **shape: Any) -> None:  # noqa: ANN401
    """Workers for a run that another process drives."""
    async with await SqliteStore.open(Path(path)) as store:
        acknowledge("helping")
        await Workload(**shape).help(store, SystemProcesses().this(), acknowledge)


async def hold(acknowledge: Acknowledge, *, path: str, lease_ms: int) -> None:
    """Drive a run and hold a rollout of it, until the heartbeat says that both are lost.

    Then try to write with what was held, and tell what was accepted.
    """
    process = SystemProcesses().this()
    shape = Workload(lease_ms=lease_ms)
    async with await SqliteStore.open(Path(path)) as store:
        trainer, worker = [
            await store.work.register(name=role, role=role, process=process, lease_ms=lease_ms)
            for role in (WorkerRole.TRAINER, WorkerRole.WORKER)
        ]
        await store.runs.adopt(RUN, trainer.id, budget=Budget(), max_attempts=3)
        claim = (await store.work.claim(worker.id, limit=1))[0]
        acknowledge(f"holding {claim.attempt_id}")
        both = [trainer.id, worker.id]
        while len(await store.work.beat(both)) < 2:  # noqa: ASYNC110  (it is another process)
            await asyncio.sleep(0.01)
        attempt = claim.attempt_id
        checkpoint = shape.checkpoint(1, "stale")
        stale: dict[str, Awaitable[object]] = {
            "spans": store.work.append_spans(attempt, [span(1)]),
            "complete": store.work.complete(attempt, shape.outcome(claim)),
            "claim": store.work.claim(worker.id, limit=1),
            "checkpoint": store.checkpoints.save(checkpoint, trainer=trainer.id),
            "status": store.runs.set_status(RUN, RunStatus.PAUSED, trainer=trainer.id),
            "adopt": store.runs.adopt(RUN, trainer.id, budget=Budget(), max_attempts=9),
        }
        for name, asked in stale.items():
            try:
                await asked
            except LeaseLost:
                acknowledge(f"refused {name}")
            else:
                acknowledge(f"accepted {name}")


async def claim_first(acknowledge: Acknowledge, *, path: str) -> None:
    """Take a dead process's run over and claim."""
    process = SystemProcesses().this()
    async with await SqliteStore.open(Path(path)) as store:
        trainer, worker = [
            await store.work.register(name=role, role=role, process=process, lease_ms=60_000)
            for role in (WorkerRole.TRAINER, WorkerRole.WORKER)
        ]
        await store.runs.adopt(RUN, trainer.id, budget=Budget(), max_attempts=3)
        while not (claims := await store.work.claim(worker.id, limit=1)):
            await store.work.wait_ready(timeout_s=1)
        acknowledge(f"claimed {claims[0].attempt_id}")


PROGRAMS: dict[str, Program] = {
    "workload": workload,
    "help": help_out,
    "hold": hold,
    "claim_first": claim_first,
}


def main(descriptor: int) -> None:
    """Fork a child for each line; children are reaped by the kernel."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    gc.freeze()
    for line in sys.stdin.buffer:
        name, arguments = orjson.loads(line)
        pid = os.fork()
        if pid == 0:
            live(descriptor, PROGRAMS[name], arguments)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


def live(descriptor: int, program: Program, arguments: dict[str, Any]) -> None:
    """A child's life; it never returns."""
    me = f"{os.getpid()} "

    def acknowledge(line: str) -> None:
        os.write(descriptor, f"{me}{line}\n".encode())

    end = "failed"
    try:
        with asyncio.Runner() as runner:
            runner.run(_arguments(program, acknowledge, arguments))
        end = "ended"
    finally:
        if end == "failed":
            traceback.print_exc()
            sys.stderr.flush()
        acknowledge(end)
        os._exit(end == "failed")


async def _arguments(program: Program, acknowledge: Acknowledge, arguments: dict[str, Any]) -> None:
    await program(acknowledge, **arguments)


if __name__ == "__main__":
    main(int(sys.argv[1]))

"""Runs that are running in the store only: whoever drove them is gone."""

from collections.abc import Sequence

from tau.domain.run import Run, RunStatus
from tau.domain.worker import WorkerRecord
from tau.ports.clock import SystemClock
from tau.ports.processes import Processes, SystemProcesses
from tau.ports.store import Store

_MOST = 50


async def stopped_without_a_word(store: Store) -> Sequence[Run]:
    """The newest runs that nobody drives although they stand as running."""
    running = await store.insights.runs(status=RunStatus.RUNNING, limit=_MOST)
    if not running:
        return ()
    processes, now_ms = SystemProcesses(), SystemClock().unix_ms()
    live = {
        worker.id for worker in await store.insights.workers() if _lives(worker, processes, now_ms)
    }
    return [run for run in running if run.trainer not in live]


def _lives(worker: WorkerRecord, processes: Processes, now_ms: int) -> bool:
    """Its process is there; of one on another machine only its heartbeat tells."""
    known = processes.alive(worker.process)
    if known is not None:
        return known
    return worker.heartbeat_unix_ms + worker.lease_ms > now_ms

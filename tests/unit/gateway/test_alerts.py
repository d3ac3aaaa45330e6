"""What needs somebody, and what does not."""

from pathlib import Path

import pytest

from tau.domain.ids import RunId, WorkerId
from tau.domain.run import Run
from tau.domain.worker import WorkerRecord, WorkerRole
from tau.gateway.alerts import alerts
from tau.gateway.training import StatusContent
from tau.gateway.watch import ControlFiles, Snapshot
from tau.testing.clock import ManualProcesses

NOW_MS = 1_700_000_000_000
RUNNING = Run(id=RunId("r"), config_hash="h", model_ref="sim/rules", seed=0, algorithm="evaluate",
              config={}, trainer=WorkerId("worker-1"))  # fmt: skip


def beating(role: WorkerRole, *, ago_ms: int = 100) -> WorkerRecord:
    """One that beat so long ago, with a lease of three seconds."""
    return WorkerRecord(
        id=WorkerId("worker-1"), name="w", role=role, process=ManualProcesses().this(),
        lease_ms=3_000, registered_unix_ms=0, heartbeat_unix_ms=NOW_MS - ago_ms, retired=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("workers", "gone"),
    [
        ((beating(WorkerRole.TRAINER),), False),
        ((beating(WorkerRole.TRAINER, ago_ms=3_001),), True),
        ((beating(WorkerRole.WORKER), beating(WorkerRole.HOST)), True),
        ((), True),
    ],
)
def test_only_a_trainer_drives_a_run(workers: tuple[WorkerRecord, ...], gone: bool) -> None:
    snapshot = Snapshot(
        taken_unix_ms=NOW_MS,
        run=RUNNING,
        workers=workers,
        training=StatusContent(path=Path("status.json")),
        control=ControlFiles(),
    )
    found = {each.code for each in alerts(snapshot)}
    assert ("dashboard_run_process_gone" in found) is gone

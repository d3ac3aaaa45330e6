"""Workers: claiming loops, identified per process start and never only by name."""

from dataclasses import dataclass
from enum import StrEnum

from tau.domain.ids import WorkerId


class WorkerRole(StrEnum):
    """What a registered loop does.

    A trainer drives a run, a host is a process that offers to work on any; neither claims.
    """

    WORKER = "worker"
    TRAINER = "trainer"
    HOST = "host"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessIdentity:
    """Where a process runs, precise enough to tell a live one from a recycled pid.

    `boot_id` changes with every boot, `pid_namespace` with every container, `started_ticks` is the
    kernel's start time of the pid.
    """

    host: str
    boot_id: str
    pid_namespace: str
    pid: int
    started_ticks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRecord:
    """A registered loop. `lease_ms` is how long its attempts stay its own without a heartbeat.

    `offers` is what a host can run, such as `executor:chat` or `model:openai`.
    """

    id: WorkerId
    name: str
    role: WorkerRole
    process: ProcessIdentity
    lease_ms: int
    registered_unix_ms: int
    heartbeat_unix_ms: int
    retired: bool
    in_flight: int = 0
    offers: tuple[str, ...] = ()

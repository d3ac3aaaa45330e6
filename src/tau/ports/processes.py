"""Which processes live: who we are, and whether another one is still there."""

import functools
import os
import socket
from pathlib import Path
from typing import Protocol

from tau.domain.worker import ProcessIdentity


class Processes(Protocol):
    """Identities of processes."""

    def this(self) -> ProcessIdentity:
        """The calling process; right after a fork too."""
        ...

    def alive(self, process: ProcessIdentity) -> bool | None:
        """Whether it still runs; None where this process cannot know (another host, container)."""
        ...


class SystemProcesses:
    """The real ones, by /proc where there is one.

    Without /proc, a recycled pid can be taken for the old process until its lease runs out.
    """

    def this(self) -> ProcessIdentity:
        """The calling process."""
        pid = os.getpid()
        return ProcessIdentity(
            host=socket.gethostname(),
            boot_id=_boot_id(),
            pid_namespace=_pid_namespace(pid),
            pid=pid,
            started_ticks=_started_ticks(pid) or 0,
        )

    def alive(self, process: ProcessIdentity) -> bool | None:
        """Compare boot, namespace, pid and start time."""
        here = self.this()
        if process.host != here.host:
            return None
        if process.boot_id != here.boot_id:
            return False  # the machine was restarted since
        if process.pid_namespace != here.pid_namespace:
            return None
        try:
            os.kill(process.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        started = _started_ticks(process.pid)
        if started is None:
            return not Path("/proc/self/stat").exists()
        return started == process.started_ticks


@functools.cache
def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"


def _pid_namespace(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return "unknown"


def _started_ticks(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the name in parentheses may hold blanks
    if fields[0] in "ZX":
        return -1  # a zombie runs no more
    return int(fields[19])

"""Time and processes that tests move by hand."""

from tau.domain.worker import ProcessIdentity


class ManualClock:
    """Stands still until moved."""

    def __init__(self, *, monotonic_ms: int = 1_000_000, unix_ms: int = 1_700_000_000_000) -> None:
        """Start anywhere but at zero, so that times are not taken for missing ones."""
        self._monotonic_ms = monotonic_ms
        self._unix_ms = unix_ms

    def unix_ms(self) -> int:
        """Wall-clock time."""
        return self._unix_ms

    def monotonic_ms(self) -> int:
        """Monotonic time."""
        return self._monotonic_ms

    def advance(self, ms: int) -> None:
        """Let `ms` milliseconds pass."""
        if ms < 0:
            raise ValueError(f"time does not go back, got {ms}; see jump_wall")
        self._monotonic_ms += ms
        self._unix_ms += ms

    def jump_wall(self, ms: int) -> None:
        """Set the wall clock forward or back; no time passes."""
        self._unix_ms += ms


class ManualProcesses:
    """A machine whose processes live and die on command."""

    def __init__(self, *, boot_id: str = "boot-1", host: str = "test") -> None:
        """One process runs: the calling one."""
        self._host = host
        self._next_pid = 100
        self._boot_id = boot_id
        self._dead: set[ProcessIdentity] = set()
        self._unknowable: set[ProcessIdentity] = set()
        self._this = self.start()

    def this(self) -> ProcessIdentity:
        """The calling process."""
        return self._this

    def alive(self, process: ProcessIdentity) -> bool | None:
        """As told: running unless killed, of an earlier boot, or out of sight."""
        if process in self._unknowable:
            return None
        return process.boot_id == self._boot_id and process not in self._dead

    def start(self) -> ProcessIdentity:
        """Another process."""
        self._next_pid += 1
        return ProcessIdentity(
            host=self._host,
            boot_id=self._boot_id,
            pid_namespace="pid:[1]",
            pid=self._next_pid,
            started_ticks=self._next_pid * 10,
        )

    def kill(self, process: ProcessIdentity) -> None:
        """End a process."""
        self._dead.add(process)

    def hide(self, process: ProcessIdentity) -> None:
        """Put a process where nobody here can see whether it runs."""
        self._unknowable.add(process)

    def become(self, process: ProcessIdentity) -> None:
        """Be another process from now on."""
        self._this = process

    def reboot(self, boot_id: str) -> None:
        """Start the machine anew: every process is gone, and this is a new one."""
        self._boot_id = boot_id
        self._this = self.start()

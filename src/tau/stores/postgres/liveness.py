"""Who is still there, for workers on any machine."""

from tau.ports.processes import Processes
from tau.stores import rows
from tau.stores.liveness import Liveness
from tau.stores.postgres.transaction import Moment
from tau.stores.rows import Row


class _LastTold:
    """A clock that says what it was told last."""

    def __init__(self) -> None:
        self.moment = Moment(0, None)

    def unix_ms(self) -> int:
        """For records."""
        return self.moment.unix_ms()

    def monotonic_ms(self) -> int:
        """For decisions."""
        return self.moment.monotonic_ms()


class SharedLiveness(Liveness):
    """Leases by the database's clock; processes only where this machine can know.

    A host's name proves nothing: two machines may have the same. Only within one boot and one
    namespace of processes is a missing process a dead one; others have their lease.
    """

    def __init__(self, processes: Processes) -> None:
        """Reads no time yet."""
        self._told = _LastTold()
        self._here = processes
        super().__init__(self._told, processes)

    def tell(self, moment: Moment) -> None:
        """The time is now this."""
        self._told.moment = moment

    def dead(self, worker: Row) -> bool:
        """Its process is known to be gone."""
        process, here = rows.process(worker), self._here.this()
        if (process.boot_id, process.pid_namespace) != (here.boot_id, here.pid_namespace):
            return False
        return self._here.alive(process) is False

    def other_boot(self, worker: Row) -> bool:
        """Nobody can tell a machine that was started anew from another one."""
        return False

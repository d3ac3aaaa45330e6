"""One machine at a time: locks, monotonic times and processes mean nothing on another one."""

from collections.abc import Iterable

from tau.domain.worker import ProcessIdentity
from tau.errors import StoreUnavailable
from tau.stores.rows import Row


def refuse_another(live: Iterable[Row], here: ProcessIdentity, unix_ms: int) -> None:
    """Raise StoreUnavailable where one of the `live` workers beats on another machine.

    That a machine was restarted shows in its boot, that it is another one in its name as well. Its
    heartbeats are judged by both wall clocks: in doubt it lives.
    """
    for worker in live:
        left_ms = worker["heartbeat_unix_ms"] + worker["lease_ms"] - unix_ms
        same = worker["boot_id"] == here.boot_id or worker["host"] == here.host
        if not same and left_ms > 0:
            raise StoreUnavailable(
                "the store is being worked on from another machine",
                where=f"process {worker['pid']} on {worker['host']}",
                why="a SQLite store belongs to one machine",
                fix="for many machines, tau store copy it to PostgreSQL; where that machine is "
                f"gone, wait {left_ms // 1000 + 1} s",
            )

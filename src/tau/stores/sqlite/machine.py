"""One machine at a time: locks, monotonic times and processes mean nothing on another one."""

from tau.domain.worker import ProcessIdentity
from tau.errors import StoreUnavailable
from tau.stores.sqlite.connection import SqliteStatements


def refuse_another(statements: SqliteStatements, here: ProcessIdentity, unix_ms: int) -> None:
    """Raise StoreUnavailable where a live worker beats on another machine.

    That a machine was restarted shows in its boot, that it is another one in its name as well. Its
    heartbeats are judged by both wall clocks: in doubt it lives.
    """
    worker = statements.row("on_another_machine", (here.boot_id, here.host, unix_ms))
    if worker is None:
        return
    left_ms = worker["heartbeat_unix_ms"] + worker["lease_ms"] - unix_ms
    raise StoreUnavailable(
        "the store is being worked on from another machine",
        where=f"process {worker['pid']} on {worker['host']}",
        why="a SQLite store belongs to one machine",
        fix="for many machines, tau store copy it to PostgreSQL; where that machine is "
        f"gone, wait {left_ms // 1000 + 1} s",
    )

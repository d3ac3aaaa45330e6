"""The parent of the storm's children, and what they do: nursery_main.py ACKNOWLEDGE_FD."""

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

from tau.ports.processes import SystemProcesses
from tau.stores.sqlite import SqliteStore
from tau.testing.workload import Acknowledge, Workload

Program = Callable[..., Awaitable[None]]


async def workload(acknowledge: Acknowledge, *, path: str, **shape: Any) -> None:  # noqa: ANN401
    """The whole run, begun or gone on with."""
    async with await SqliteStore.open(Path(path)) as store:
        await Workload(**shape).go(store, SystemProcesses().this(), acknowledge)


PROGRAMS: dict[str, Program] = {"workload": workload}


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

"""A process of the storm on PostgreSQL: pg_child.py URL drive|help; tells what is acknowledged."""

import asyncio
import os
import sys

from tau.ports.processes import SystemProcesses
from tau.stores.postgres import PostgresStore
from tau.testing.workload import Workload


def acknowledge(line: str) -> None:
    os.write(1, f"{line}\n".encode())


async def main(url: str, role: str) -> None:
    shape = Workload(waves=6, width=40, workers=3)
    async with await PostgresStore.open(url, patience_s=30.0, answer_s=5.0) as store:
        play = shape.go if role == "drive" else shape.help
        await play(store, SystemProcesses().this(), acknowledge)
    acknowledge("ended")


if __name__ == "__main__":
    with asyncio.Runner() as runner:
        runner.run(main(sys.argv[1], sys.argv[2]))

"""A process of the storm on PostgreSQL: python -m recovery.pg_child URL drive|help WORKERS.

It tells what is acknowledged, line by line, and does not go on before each line was answered: so
who reads them knows how far it has come, however fast or slow the machine.
"""

import asyncio
import os
import sys

from machinery.workload import Workload
from tau.ports.processes import SystemProcesses
from tau.stores.postgres import PostgresStore

WAVES, WIDTH = 8, 40


def acknowledge(line: str) -> None:
    os.write(1, f"{line}\n".encode())
    if not os.read(0, 1):
        os._exit(1)  # whoever started it is gone


async def main(url: str, role: str, workers: int) -> None:
    # Who starts takes from the dead what they held, so no lease has to run out, which would count.
    shape = Workload(waves=WAVES, width=WIDTH, workers=workers, lease_ms=120_000)
    async with await PostgresStore.open(url, patience_s=30.0, answer_s=5.0) as store:
        await store.work.reap()
        play = shape.go if role == "drive" else shape.help
        await play(store, SystemProcesses().this(), acknowledge)
    acknowledge("ended")


if __name__ == "__main__":
    with asyncio.Runner() as runner:
        runner.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))

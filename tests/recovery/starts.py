"""Starts `tau` again and again from one process that has imported everything already.

`python -m recovery.starts FOLDER ARGUMENT...` reads a line for each start, forks, prints the
child's process id, and when the child has ended how it did (a negative number is a signal).
"""

import os
import sys

from tau.cli.commands.group import tau_group
from tau.cli.running import run
from tau.cli.surface import Surface, program
from tau.stores.sqlite.store import SqliteStore

PRELOADED = (run, SqliteStore)


def main(folder: str, *arguments: str) -> None:
    os.chdir(folder)
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, 0)
            os.dup2(null, 1)
            os._exit(program(tau_group, Surface(program="tau"), arguments))
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Carries out lifecycle commands and kills itself around every effect of them.

`python -m recovery.control_child FOLDER` prints a line for each case, effect and moment with the
folder that is left behind. Everything is imported once; each kill happens in a fork.
"""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from recovery.control_cases import CASES, EFFECTS, prepare

SKIPPED = 7


def kill_around(effect: int, moment: str) -> None:
    """Die in the middle of effect number `effect` (from 1), if it is a write, or right after it.

    Just before an effect the disk is as it was right after the one before.
    """
    done = 0

    def wrap(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  (stands for any os function)
            nonlocal done
            done += 1
            if done == effect and moment == "half":
                if name != "write":
                    os._exit(SKIPPED)
                real(args[0], bytes(args[1])[: len(args[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            try:
                return real(*args, **kwargs)
            finally:
                if done == effect:
                    os.kill(os.getpid(), signal.SIGKILL)

        return call

    os.fsync = lambda fd: None  # a kill does not show whether a file was synced
    for name in EFFECTS:
        setattr(os, name, wrap(name, getattr(os, name)))


def died(case: str, folder: Path, effect: int, moment: str) -> int:
    """How a fork that carries out the case ended: the signal, or the exit code."""
    child = os.fork()
    if child == 0:
        kill_around(effect, moment)
        CASES[case](folder)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(base: str) -> None:
    for case in CASES:
        template = Path(base) / f"{case}-before"
        prepare(template)
        ended = False
        for effect in count(1):
            for moment in ("half", "after"):
                folder = Path(base) / f"{case}-{effect}-{moment}"
                shutil.copytree(template, folder)
                code = died(case, folder, effect, moment)
                if code == -signal.SIGKILL:
                    sys.stdout.write(f"{case} {effect} {moment} {folder}\n")
                ended = code == 0
            if ended:
                break


if __name__ == "__main__":
    main(sys.argv[1])

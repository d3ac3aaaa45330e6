"""Writes a file and kills itself at a chosen effect: atomic_child.py KIND PATH DATA EFFECT MOMENT.

Prints one line per effect it completed, so that a run to the end tells how many there are.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from tau.files import atomic

EFFECTS = ("open", "write", "fsync", "rename", "close")


def kill_around(effect: int, moment: str) -> None:
    """Die before, after, or in the middle of effect number `effect` (from 1; 0 is never)."""
    done = 0

    def wrap(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  (stands for any os function)
            nonlocal done
            done += 1
            if done == effect and moment == "before":
                die()
            if done == effect and moment == "half" and name == "write":
                real(args[0], bytes(args[1])[: len(args[1]) // 2])
                die()
            result = real(*args, **kwargs)
            if done == effect and moment != "before":
                die()
            sys.stdout.write(f"{name} {args[0]} {result}\n")
            return result

        return call

    for name in EFFECTS:
        setattr(os, name, wrap(name, getattr(os, name)))


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(kind: str, path: str, data: str, effect: str, moment: str) -> None:
    write = cast(Callable[[Path, bytes], None], getattr(atomic, kind))
    kill_around(int(effect), moment)
    write(Path(path), data.encode())


if __name__ == "__main__":
    main(*sys.argv[1:])

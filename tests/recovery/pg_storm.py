"""A run on PostgreSQL whose processes and server are killed, each at a point of its progress.

Every line that a child acknowledges waits for an answer, so a kill that is due after some lines
comes after these lines and at most one more, on any machine.
"""

import random
import re
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from pg_cluster import Cluster

TESTS = Path(__file__).parents[1]
ROLES = {"drive": ("drive", 0), "help": ("help", 3), "help too": ("help", 3)}
"""One process that only drives the run, and two that only work: it needs both kinds to go on."""

_PATIENCE_S = 120.0
_ATTEMPT = re.compile(r"-r(\d+):attempt-(\d+)$")


class Child:
    """One process and how many lines it has acknowledged."""

    def __init__(self, url: str, name: str) -> None:
        role, workers = ROLES[name]
        self.name = name
        self.role = role
        self.lines = 0
        self.process = subprocess.Popen(
            [sys.executable, "-m", "recovery.pg_child", url, role, str(workers)],
            cwd=TESTS,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0,
        )  # fmt: skip

    def told(self) -> str:
        """Its next line, without the end; empty when there is none any more."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().decode().rstrip("\n")

    def go_on(self) -> None:
        """Answer its line."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(b".")
        except BrokenPipeError:
            return  # it has ended

    def kill(self) -> list[str]:
        """SIGKILL; the lines it had written and nobody had read."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        rest = self.process.stdout.read().decode().splitlines()
        self.process.stdin.close()
        self.process.stdout.close()
        return rest


class Storm:
    """The children of one run, started again whenever they have ended."""

    def __init__(self, server: Cluster, schema: str, *, chance: random.Random) -> None:
        self.lines: list[str] = []
        self.killed: list[str] = []
        self._server = server
        self._schema = schema
        self._chance = chance
        self._children: dict[str, Child] = {}
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for child in list(self._children.values()):
            self._end(child)
        self._selector.close()

    def kill_in_mid_work(self, target: str) -> None:
        """Kill `drive`, `help` or `server` once it has come some way, at a random moment there."""
        some = self._chance.randrange(3, 16)
        since = len(self.lines)
        # The driver says little by itself: it is in a wave, and its workers have gone some way.
        mine = 1 if target == "drive" else some if target == "help" else 0

        def due() -> bool:
            return len(self.lines) - since >= some and bool(self._victims(target, mine))

        self._watch(due)
        assert "finished" not in self.lines, f"the run ended before {target} could be killed"
        victim = self._victims(target, mine)[0]
        time.sleep(self._chance.uniform(0.0, 0.02))  # somewhere between two acknowledged lines
        if target == "server":
            self._server.kill()
            self._server.start()
        else:
            self._end(self._children[victim])
        self.killed.append(target)

    def finish(self) -> None:
        """Let the run come to its end."""
        self._watch(lambda: "finished" in self.lines)

    def missing(self) -> list[str]:
        """Outcomes that were acknowledged and are not as told in the store."""
        ended = set(
            self._server.sql(
                f"SELECT rollout || ' ' || n || ' ' || status FROM {self._schema}.attempt"
            ).splitlines()
        )
        acknowledged = [line.split()[1:] for line in self.lines if line.startswith("completed ")]
        assert len(acknowledged) > len(self.killed), "the run was not watched"
        return [
            attempt
            for attempt, status in acknowledged
            if (found := _ATTEMPT.search(attempt)) is None
            or f"{found[1]} {found[2]} {status}" not in ended
        ]

    def _victims(self, target: str, lines: int) -> list[str]:
        if target == "server":
            return ["server"]
        return [
            child.name
            for child in self._children.values()
            if child.role == target and child.lines >= lines
        ]

    def _watch(self, until: Callable[[], bool]) -> None:
        """Read lines and answer them until it is so; the last one is answered too."""
        deadline = time.monotonic() + _PATIENCE_S
        while not until() and "finished" not in self.lines:
            assert time.monotonic() < deadline, (self.missing(), self.lines[-5:])
            for name in ROLES:
                if name not in self._children:
                    self._start(name)
            for key, _ in self._selector.select(timeout=1.0):
                self._hear(key.data)
                if until():
                    return

    def _hear(self, child: Child) -> None:
        line = child.told()
        if not line:
            self._end(child)
            return
        self.lines.append(line)
        child.lines += 1
        child.go_on()

    def _start(self, name: str) -> None:
        child = self._children[name] = Child(self._server.url(self._schema), name)
        assert child.process.stdout is not None
        self._selector.register(child.process.stdout, selectors.EVENT_READ, child)

    def _end(self, child: Child) -> None:
        assert child.process.stdout is not None
        self._selector.unregister(child.process.stdout)
        self.lines += child.kill()
        del self._children[child.name]

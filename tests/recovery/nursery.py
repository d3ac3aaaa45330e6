"""Processes that run the store alone and can be killed at any instant.

One parent imports the store once and forks a child per line of its input, so that a child costs
milliseconds. What children acknowledge comes back over one pipe: a line is one write, and a write
of less than PIPE_BUF is whole or absent.
"""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import orjson

TESTS = Path(__file__).parents[1]
PATIENCE_S = 30.0


class Child:
    """One forked process; `lines` is what it has acknowledged so far."""

    def __init__(self, pid: int, nursery: "Nursery") -> None:
        self.pid = pid
        self.lines: list[str] = []
        self._nursery = nursery

    @property
    def ended(self) -> bool:
        """It has come to its own end; a failure there fails the test."""
        for line in self.lines:
            assert not line.startswith("failed"), self._nursery.complaints()
        return "ended" in self.lines

    def wait(self, seconds: float) -> bool:
        """Read what it acknowledges until it ends (True) or `seconds` are over."""
        limit = time.monotonic() + seconds
        while not self.ended and (left := limit - time.monotonic()) > 0:
            self._nursery.read(left)
        return self.ended

    def wait_for(self, start: str) -> str:
        """The first line that begins with `start`."""
        limit = time.monotonic() + PATIENCE_S
        while True:
            for line in self.lines:
                if line.startswith(start):
                    return line
            assert not self.ended, f"ended without {start}"
            assert time.monotonic() < limit, f"no {start} from child {self.pid}"
            self._nursery.read(0.5)

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """End it by SIGKILL, wait until it is gone, and read what it had acknowledged."""
        with suppress(ProcessLookupError):
            self.send(signal.SIGKILL)
        limit = time.monotonic() + PATIENCE_S
        while self._alive():
            assert time.monotonic() < limit, f"child {self.pid} survives SIGKILL"
            time.sleep(0.0005)
        self._nursery.read(0)

    def _alive(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True


class Nursery:
    """Starts children and hands each what it said."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._read, write = os.pipe()
        os.set_blocking(self._read, False)
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "recovery.nursery_main", str(write)],
                cwd=TESTS,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                pass_fds=[write],
            )
        os.close(write)
        self._rest = b""
        self._children: dict[int, Child] = {}

    def start(self, program: str, **arguments: object) -> Child:
        """Fork a child that runs `program` of nursery_main."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(orjson.dumps([program, arguments]) + b"\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, self.complaints()
        child = Child(int(answer), self)
        self._children[child.pid] = child
        self.read(0)
        return child

    def read(self, seconds: float) -> None:
        """Wait up to `seconds` for something to read, then read all there is."""
        if not select.select([self._read], [], [], seconds)[0]:
            return
        while True:
            try:
                data = os.read(self._read, 1 << 16)
            except BlockingIOError:
                return
            if not data:
                return
            *lines, self._rest = (self._rest + data).split(b"\n")
            for line in lines:
                pid, _, text = line.decode().partition(" ")
                self._children[int(pid)].lines.append(text)

    def complaints(self) -> str:
        """What children wrote to stderr."""
        return self._log.read_text(errors="replace")[-4000:]

    def close(self) -> None:
        """Kill what is left."""
        for child in self._children.values():
            if not child.lines or child.lines[-1] != "ended":
                child.kill()
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(PATIENCE_S)
        os.close(self._read)


@contextmanager
def nursery(folder: Path) -> Iterator[Nursery]:
    """A nursery whose complaints go to a file in `folder`."""
    opened = Nursery(folder / "nursery.log")
    try:
        yield opened
    finally:
        opened.close()

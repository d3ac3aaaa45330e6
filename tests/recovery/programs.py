"""Programs as processes of their own, and a model that answers when it is let."""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tau.testing.provider import LoopbackProvider, ProviderReply, ReceivedCall, completion

_TAU = "from tau.cli.main import tau; tau()"
# All of Python's wall clock, as a machine with a wrong clock would have it.
_SKEWED = """
import time
real, real_ns = time.time, time.time_ns
time.time = lambda: real() + {0}
time.time_ns = lambda: real_ns() + {0} * 10**9
"""
TAU = [sys.executable, "-c", _TAU]
PATIENCE_S = 90.0


def skewed(skew_s: int) -> list[str]:
    """The program on a machine whose clock is wrong by so much."""
    return [sys.executable, "-c", f"{_SKEWED.format(skew_s)}\n{_TAU}"]


class Model:
    """Answers as many calls as it is let, so that a run is as far as a test wants it to be."""

    def __init__(self, *, port: int = 0, key: str | None = None) -> None:
        self._permits = asyncio.Semaphore(0)
        self.provider = LoopbackProvider(answer=self._answer, port=port, key=key)

    def let(self, calls: int) -> None:
        """Answer some more calls."""
        for _ in range(calls):
            self._permits.release()

    async def _answer(self, call: ReceivedCall) -> ProviderReply:
        await self._permits.acquire()
        return ProviderReply(
            headers={"Content-Type": "application/json"},
            body=json.dumps(completion(call, call.prompt)).encode(),
        )


class Program:
    """The program as a process of its own, read as it tells."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.told = ""

    async def tells(self, text: str) -> None:
        """Wait until it has said so on standard error."""
        assert self.process.stderr is not None
        try:
            async with asyncio.timeout(PATIENCE_S):
                while text not in self.told:
                    line = await self.process.stderr.readline()
                    assert line, f"it ended without {text!r}: {self.told}"
                    self.told += line.decode()
        except TimeoutError:
            pytest.fail(f"it does not say {text!r}: {self.told}")

    async def end(self) -> str:
        """Wait until it has ended well; its standard output."""
        async with asyncio.timeout(PATIENCE_S):
            out, err = await self.process.communicate()
        self.told += err.decode()
        assert self.process.returncode == 0, self.told
        return out.decode()


class Programs:
    """Starts programs in a folder of their own; ends what is left of them."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self.folder = folder
        self.environ = environ
        self._environ = {**os.environ, "HOME": str(folder), **environ}
        self._begun: list[Program] = []

    async def begin(self, *arguments: str, program: Sequence[str] = TAU, **environ: str) -> Program:
        """Start one; `environ` is added to its environment."""
        process = await asyncio.create_subprocess_exec(
            *program, *arguments, cwd=self.folder, env={**self._environ, **environ},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        self._begun.append(Program(process))
        return self._begun[-1]

    def configuration(self, rollouts: int) -> str:
        """A file with a run of so many calls, one at a time in the process that drives it."""
        path = self.folder / "config.json"
        path.write_text(
            json.dumps(
                {
                    "model": "openai/echo",
                    "resources": {"system_prompt": "Write the booking line."},
                    "optimize": [
                        {"prompt": f"order {n}", "expected": "1"} for n in range(rollouts)
                    ],
                    "worker_count": 1,
                }
            )
        )
        return str(path)

    async def aclose(self) -> None:
        """Kill what has not ended."""
        for program in self._begun:
            if program.process.returncode is None:
                program.process.kill()
                await program.process.communicate()


async def until(so: Callable[[], bool]) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(PATIENCE_S):
        while not so():  # noqa: ASYNC110  (what is asked is no event)
            await asyncio.sleep(0.02)

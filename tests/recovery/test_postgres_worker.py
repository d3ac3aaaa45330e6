"""`tau worker`: joins a run that another process drives, and leaves in order."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from pg_cluster import Cluster, cluster
from recovery.pg_audit import faults
from tau.testing.provider import Call, LoopbackProvider, Reply, completion

TAU = [sys.executable, "-c", "from tau.cli.main import tau; tau()"]
PATIENCE_S = 90.0
ROLLOUTS = 60


class Model:
    """Answers as many calls as it is let, so that a run is as far as a test wants it to be."""

    def __init__(self) -> None:
        self._permits = asyncio.Semaphore(0)
        self.provider = LoopbackProvider(answer=self._answer)

    def let(self, calls: int) -> None:
        """Answer some more calls."""
        for _ in range(calls):
            self._permits.release()

    async def _answer(self, call: Call) -> Reply:
        await self._permits.acquire()
        return Reply(
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
        async with asyncio.timeout(PATIENCE_S):
            while text not in self.told:
                line = await self.process.stderr.readline()
                assert line, f"it ended without {text!r}: {self.told}"
                self.told += line.decode()

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
        self._environ = {**os.environ, "HOME": str(folder), **environ}
        self._begun: list[Program] = []

    async def begin(self, *arguments: str) -> Program:
        """Start one."""
        process = await asyncio.create_subprocess_exec(
            *TAU, *arguments, cwd=self.folder, env=self._environ,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        self._begun.append(Program(process))
        return self._begun[-1]

    async def aclose(self) -> None:
        """Kill what has not ended."""
        for program in self._begun:
            if program.process.returncode is None:
                program.process.kill()
                await program.process.communicate()


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    with cluster() as made:
        yield made


@pytest.fixture
async def model() -> AsyncIterator[Model]:
    made = Model()
    async with made.provider:
        yield made


@pytest.fixture
async def programs(tmp_path: Path, model: Model) -> AsyncIterator[Programs]:
    made = Programs(
        tmp_path, {"OPENAI_BASE_URL": model.provider.base_url, "OPENAI_API_KEY": "sk-none"}
    )
    yield made
    await made.aclose()


async def until(so: Callable[[], bool]) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(PATIENCE_S):
        while not so():  # noqa: ASYNC110  (what is asked is no event)
            await asyncio.sleep(0.02)


@pytest.mark.timeout(240)
async def test_a_worker_joins_leaves_at_sigterm_and_another_finishes(
    server: Cluster, programs: Programs, model: Model
) -> None:
    url = server.url("joined")
    config = programs.folder / "config.json"
    config.write_text(
        json.dumps(
            {
                "model": "openai/echo",
                "resources": {"system_prompt": "Write the booking line."},
                "optimize": [{"prompt": f"order {n}", "expected": "1"} for n in range(ROLLOUTS)],
                "worker_count": 1,
            }
        )
    )
    first = await programs.begin("worker", "--store", url, "-n", "2", "--concurrency", "2")
    driver = await programs.begin("run", str(config), "--store", url)
    await until(lambda: model.provider.in_flight == 1 + 4)
    model.let(20)
    await until(lambda: model.provider.calls == 25)

    first.process.send_signal(signal.SIGTERM)
    await first.tells("finishing what is in flight")
    model.let(5)
    out = await first.end()
    assert "joined run-" in first.told
    assert int(out.rpartition("succeeded=")[2].split()[0]) >= 4
    found = server.sql("SELECT DISTINCT status FROM joined.attempt").split()
    assert set(found) <= {"succeeded", "running"}, "what it held was recorded, not given back"

    second = await programs.begin("worker", "--store", url, "-n", "4", "--concurrency", "4")
    await until(lambda: model.provider.in_flight == 1 + 16)
    model.let(ROLLOUTS)
    await driver.end()
    second.process.send_signal(signal.SIGTERM)
    out = await second.end()
    assert int(out.rpartition("succeeded=")[2].split()[0]) >= 16
    assert server.sql("SELECT status, count(*) FROM joined.attempt GROUP BY 1").split() == [
        f"succeeded|{ROLLOUTS}"
    ]
    assert model.provider.calls == ROLLOUTS
    assert faults(server, "joined") == []


@pytest.mark.timeout(240)
async def test_code_that_only_the_store_names_is_not_run(
    server: Cluster, programs: Programs
) -> None:
    url = server.url("code")
    waits = "while [ ! -e go ]; do sleep 0.05; done"
    config = programs.folder / "config.json"
    config.write_text(
        json.dumps(
            {
                "model": {"name": "sim/rules"},
                "executor": {"type": "command", "command": ["sh", "-c", waits]},
                "optimize": [{"prompt": f"order {n}"} for n in range(4)],
                "worker_count": 1,
            }
        )
    )
    worker = await programs.begin("worker", "--store", url, "-n", "4")
    driver = await programs.begin("run", str(config), "--store", url)
    await worker.tells("runs code of its own (command)")
    (programs.folder / "go").touch()
    await driver.end()
    worker.process.send_signal(signal.SIGTERM)
    assert await worker.end() == "worked: succeeded=0 failed=0\n"

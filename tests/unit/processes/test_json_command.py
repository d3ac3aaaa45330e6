import asyncio
import fcntl
import gc
import os
import sys
from pathlib import Path

import pytest

from tau.domain.json import Json
from tau.errors import AttemptError, GraderFailed, TimeLimitExceeded
from tau.processes.json_command import find_command, run_json_command

ENVIRON = {"PATH": os.defpath, "GIVEN": "yes"}

# Ignores SIGTERM and holds a lock for as long as it lives.
STUBBORN = """
import fcntl, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
lock = open(sys.argv[1], "w")
fcntl.flock(lock, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(600)
"""

# Starts such a child, says so by a file, and then stays or leaves.
PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", sys.argv[1], sys.argv[2]], stdout=subprocess.PIPE)
child.stdout.readline()
open(sys.argv[3], "w").close()
if sys.argv[4] == "stay":
    time.sleep(600)
print("1")
"""


async def run(
    code: str, *arguments: str, cwd: Path, payload: Json = None, limit_s: float | None = 20,
    output: int = 1_000_000,
) -> Json:  # fmt: skip
    return await run_json_command(
        [sys.executable, "-c", code, *arguments], payload, cwd=cwd, environ=ENVIRON,
        time_limit_s=limit_s, output_limit_bytes=output, failure=GraderFailed,
    )  # fmt: skip


async def with_child(folder: Path, then: str, limit_s: float | None = 20) -> Json:
    lock, started = str(folder / "lock"), str(folder / "started")
    return await run(PARENT, STUBBORN, lock, started, then, cwd=folder, limit_s=limit_s)


def is_free(lock: Path) -> bool:
    with lock.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


async def file_exists(path: Path) -> None:
    async with asyncio.timeout(60):
        while not os.access(path, os.F_OK):  # noqa: ASYNC110  (another process makes it)
            await asyncio.sleep(0.01)


def has_children() -> bool:
    """Whether this process has a child, running or not reaped."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


async def test_reads_and_prints_json(tmp_path: Path) -> None:
    code = "import json, sys; print(json.dumps([json.load(sys.stdin)['text'] == 'é\\ud800\\0', 1]))"

    assert await run(code, cwd=tmp_path, payload={"text": "é\ud800\x00"}) == [True, 1]


async def test_gets_the_given_environment_only(tmp_path: Path) -> None:
    os.environ["NOT_GIVEN"] = "secret"
    try:
        code = "import json, os; print(json.dumps(dict(os.environ)))"
        found = await run(code, cwd=tmp_path)
    finally:
        del os.environ["NOT_GIVEN"]

    assert isinstance(found, dict)
    assert found["GIVEN"] == "yes"
    assert "NOT_GIVEN" not in found


async def test_a_command_that_does_not_read_its_input(tmp_path: Path) -> None:
    assert await run("print(5)", cwd=tmp_path, payload="x" * 2_000_000) == 5


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import sys; sys.exit('no \\x1b[31m luck')", "exited with 1.*no"),
        ("import os; os.kill(os.getpid(), 9)", "ended by signal 9"),
        ("print('{')", "did not print one JSON document"),
        ("pass", "it printed nothing"),
        ("print('NaN')", "did not print one JSON document"),
        ("print('[1e999]')", "infinity"),
        ("print('[' * 100_000)", "did not print one JSON document"),
        ("import os; os.write(1, b'\"\\xff\"')", "did not print one JSON document"),
        ("print('x' * 2_000_000)", "more than 1000000 bytes"),
    ],
)
async def test_what_goes_wrong_is_the_callers_failure(tmp_path: Path, code: str, says: str) -> None:
    with pytest.raises(GraderFailed, match=says) as failed:
        await run(code, cwd=tmp_path)

    assert "\x1b" not in str(failed.value)


async def test_the_exit_status_is_told(tmp_path: Path) -> None:
    with pytest.raises(AttemptError) as failed:
        await run("import sys; sys.exit(3)", cwd=tmp_path)

    assert failed.value.status == 3


async def test_an_endless_printer_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(GraderFailed, match="more than 1000 bytes"):
        await run("while True: print('x' * 1000)", cwd=tmp_path, output=1000)


@pytest.mark.parametrize("argv", [["no-such-program-at-all"], ["./missing"], ["bad\0name"]])
async def test_a_program_that_cannot_be_started(tmp_path: Path, argv: list[str]) -> None:
    with pytest.raises(GraderFailed, match="cannot be started"):
        await run_json_command(
            argv, None, cwd=tmp_path, environ=ENVIRON, time_limit_s=5,
            output_limit_bytes=100, failure=GraderFailed,
        )  # fmt: skip


async def test_the_time_limit_ends_the_whole_group(tmp_path: Path) -> None:
    with pytest.raises(TimeLimitExceeded, match="longer than 2 s"):
        await with_child(tmp_path, "stay", limit_s=2)

    assert (tmp_path / "started").exists()
    assert is_free(tmp_path / "lock")


async def test_cancelling_ends_the_whole_group(tmp_path: Path) -> None:
    task = asyncio.create_task(with_child(tmp_path, "stay"))
    await file_exists(tmp_path / "started")

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert is_free(tmp_path / "lock")


async def test_cancelling_twice_kills_at_once(tmp_path: Path) -> None:
    code = f"import sys; sys.argv = ['', {str(tmp_path / 'lock')!r}]\n{STUBBORN}"
    task = asyncio.create_task(run(code, cwd=tmp_path))
    await file_exists(tmp_path / "lock")

    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert is_free(tmp_path / "lock")


async def test_a_finished_command_leaves_no_child_behind(tmp_path: Path) -> None:
    assert await with_child(tmp_path, "leave") == 1
    assert is_free(tmp_path / "lock")


async def test_cancelling_while_it_starts_leaves_nothing(tmp_path: Path) -> None:
    task = asyncio.create_task(run("import time; time.sleep(600)", cwd=tmp_path))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    gc.collect()  # a transport left open would warn here, and warnings are errors
    assert not has_children()


def test_finding_a_command(tmp_path: Path) -> None:
    script = tmp_path / "grade.sh"
    script.touch(mode=0o755)

    assert find_command("./grade.sh", cwd=tmp_path, environ=ENVIRON) == tmp_path / "grade.sh"
    assert find_command("sh", cwd=tmp_path, environ=ENVIRON) is not None
    assert find_command("grade.sh", cwd=tmp_path, environ=ENVIRON) is None
    assert find_command("./other.sh", cwd=tmp_path, environ=ENVIRON) is None

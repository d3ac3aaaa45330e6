"""`--serve` with a person at the terminal: the dashboard stays until Ctrl-C, with the result."""

import asyncio
import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from tau.config.environment import own_environ, snapshot

_PROGRAM = "from tau.cli.main import tau; tau()"
_STAYS = b"still there, with the result; Ctrl-C ends it"


def config(folder: Path) -> Path:
    path = folder / "config.json"
    rows = [{"prompt": "What is 2 + 2?", "expected": "4"}]
    path.write_text(
        json.dumps({"model": "sim/rules", "resources": {"system_prompt": "."}, "validate": rows})
    )
    return path


@contextlib.contextmanager
def terminal(folder: Path, *words: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The program with a terminal for all three streams, and the terminal's other end."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, *words], cwd=folder, env=own_environ(snapshot()),
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    os.set_blocking(master, False)
    try:
        yield process, master
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(master)


def read_until(master: int, wanted: bytes, *, seconds: float = 60) -> bytes:
    seen, until = b"", time.monotonic() + seconds
    while wanted not in seen:
        assert time.monotonic() < until, seen.decode(errors="replace")
        with contextlib.suppress(BlockingIOError):
            seen += os.read(master, 65_536)
        asyncio.run(asyncio.sleep(0.02))
    return seen


@pytest.mark.timeout(120)
def test_with_a_terminal_the_dashboard_stays_until_ctrl_c(tmp_path: Path) -> None:
    words = ("run", str(config(tmp_path)), "--store", "store.sqlite", "--serve", "127.0.0.1:0")
    with terminal(tmp_path, *words) as (process, master):
        seen = read_until(master, _STAYS).decode(errors="replace")
        root = re.search(r"dashboard: (http://127\.0\.0\.1:[0-9]+)", seen)
        assert root is not None, seen
        assert "1 of 1" in seen, "the result is there before it stays"
        with urlopen(f"{root[1]}/readyz", timeout=20) as answer:
            assert answer.status == 200
        assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(30) == 0
        with pytest.raises(OSError, match="refused"):
            urlopen(f"{root[1]}/readyz", timeout=5)

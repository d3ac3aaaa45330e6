"""The suite's own time limit: a test that never ends must fail, an asynchronous one too."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

BUSY = """
import asyncio

async def swallow() -> None:
    while True:
        try:
            await asyncio.sleep(0.01)
        except BaseException:
            pass

async def test_it_never_ends() -> None:
    task = asyncio.ensure_future(swallow())
    await asyncio.wait([task], timeout=20)
"""

BLOCKED = """
import time

def test_it_never_ends() -> None:
    time.sleep(20)
"""


@pytest.mark.parametrize("text", [BUSY, BLOCKED], ids=["asynchronous", "blocked"])
def test_a_test_beyond_the_time_limit_fails(text: str, tmp_path: Path) -> None:
    file = tmp_path / "test_endless.py"
    file.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n0"),
            *("-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path)),
            *("--timeout", "1", str(file)),
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
        check=False,
    )

    assert done.returncode != 0
    assert "Timeout" in done.stdout + done.stderr
    assert "passed" not in done.stdout

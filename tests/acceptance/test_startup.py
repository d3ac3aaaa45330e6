"""`--help` and `--version` answer at once: they import nothing that only work needs."""

import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

# click alone brings the interpreter to about 100 modules.
MODULE_LIMIT = 180

HEAVY = {
    "aiohttp", "apsw", "asyncio", "email", "genai_prices", "http", "httpx2", "jsonschema_rs",
    "orjson", "pydantic", "regex", "rich", "sqlite3", "ssl", "yaml", "zstandard",
}  # fmt: skip


def imported_by(program: str, *arguments: str) -> tuple[str, list[str]]:
    """Standard output of a console script, and the modules it imported in order."""
    script = Path(sysconfig.get_path("scripts")) / program
    child = subprocess.run(
        [sys.executable, "-X", "importtime", str(script), *arguments],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert child.returncode == 0, child.stderr[-2000:]
    return child.stdout, re.findall(r"^import time:\s+\d+ \|\s+\d+ \|\s+(\S+)$", child.stderr, re.M)


@pytest.mark.parametrize("option", ["--help", "--version"])
@pytest.mark.parametrize("program", ["tau", "tau-coding-agent"])
def test_answers_without_heavy_imports(program: str, option: str) -> None:
    shown, modules = imported_by(program, option)

    assert shown.strip()
    assert "tau.cli.main" in modules
    assert sorted({name.partition(".")[0] for name in modules} & HEAVY) == []
    assert len(modules) <= MODULE_LIMIT, f"{len(modules)} modules: {' '.join(modules)}"

"""A process killed around the end of a run: the report is delivered, and paid for once."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from acceptance import programs
from pg_cluster import Cluster, cluster

ANSWERS = {"What is 2 + 2?": "4", "What is 3 + 3?": "6"}
DIES = """
import asyncio, importlib, inspect, os, signal, sys
module, name, when = sys.argv[1:4]
del sys.argv[1:4]
holder = importlib.import_module(module)
*way, last = name.split(".")
for step in way:
    holder = getattr(holder, step)
real = getattr(holder, last)

def die():
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)

if inspect.iscoroutinefunction(real):
    async def dying(*a, **k):
        if when == "before":
            die()
        await real(*a, **k)
        die()
else:
    def dying(*a, **k):
        if when == "before":
            die()
        real(*a, **k)
        die()
setattr(holder, last, dying)
from tau.cli import main
program = sys.argv.pop(1)
getattr(main, program)()
"""
UNDELIVERED = [
    ("tau.wiring.session", "give_verdict", "before"),
    ("tau.wiring.session", "give_verdict", "after"),
    ("tau.wiring.session", "_Session._close", "before"),
    ("tau.wiring.session", "_Session._close", "after"),
    ("tau.wiring.session", "report_of", "before"),
    ("tau.wiring.session", "report_of", "after"),
    ("tau.cli.running", "_print", "before"),
    ("tau.cli.running", "_note_delivered", "before"),
]
PROGRAMS = {
    "tau_run": ("tau", ("run", "CFG", "--model", "openai/m", "--store", "s.sqlite", "--json")),
    "tau_optimize": (
        "tau",
        ("optimize", "CFG", "--model", "openai/m", "--store", "s.sqlite", "--json"),
    ),
    "flags": (
        "tau_coding_agent",
        (
            "--model", "openai/m", "--prompt-optimization-config", "CFG",
            "--prompt-optimization-store-sqlite", "s.sqlite", "--prompt-optimization-json",
        ),
    ),
}  # fmt: skip


def killed(folder: Path, point: tuple[str, str, str], call: str, env: dict[str, str]) -> str:
    """What the program had printed when it died at `point`."""
    program, arguments = PROGRAMS[call]
    words = [str(folder / "config.json") if word == "CFG" else word for word in arguments]
    child = subprocess.run(
        [sys.executable, "-c", DIES, *point, program, *words],
        cwd=folder, env=programs.environment(env), capture_output=True, text=True, timeout=60,
        check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert child.returncode == -signal.SIGKILL, child.stderr
    return child.stdout


def restarted(folder: Path, call: str, env: dict[str, str], *more: str) -> programs.Ended:
    program, arguments = PROGRAMS[call]
    words = [str(folder / "config.json") if word == "CFG" else word for word in arguments]
    name = program.replace("_", "-")
    return programs.run(name, *words, *more, cwd=folder, env=env)


@pytest.mark.parametrize("point", UNDELIVERED, ids=lambda point: f"{point[1]}-{point[2]}")
def test_a_run_killed_before_its_report_is_out_is_reported_and_costs_nothing_more(
    tmp_path: Path, point: tuple[str, str, str]
) -> None:
    programs.config(tmp_path)
    with programs.provider(tmp_path, ANSWERS) as provider:
        killed(tmp_path, point, "flags", dict(provider.env))
        told = restarted(tmp_path, "flags", dict(provider.env))
        assert provider.counts()["calls"] == 2
    assert told.code == 0, told.err
    assert (told.json()["succeeded"], told.json()["total_rollouts"]) == (2, 2)
    assert [split["mean"] for split in told.json()["splits"]] == [1.0, 1.0]
    status = json.loads((tmp_path / "status.json").read_text())
    assert (status["run_state"], status["run_id"]) == ("completed", told.json()["run_id"])


@pytest.mark.parametrize("call", ["tau_run", "tau_optimize"])
def test_every_program_delivers_what_was_not_delivered(tmp_path: Path, call: str) -> None:
    algorithm: dict[str, Any] = (
        {"algorithm": {"type": "evaluate"}} if call == "tau_optimize" else {}
    )
    programs.config(tmp_path, "config.json", **algorithm)
    with programs.provider(tmp_path, ANSWERS) as provider:
        point = ("tau.cli.running", "_print", "before")
        assert killed(tmp_path, point, call, dict(provider.env)) == ""
        told = restarted(tmp_path, call, dict(provider.env))
        assert provider.counts()["calls"] == 2
        anew = restarted(tmp_path, call, dict(provider.env), "--new")
        assert provider.counts()["calls"] == 4
    assert "--new" in told.err
    assert told.json()["succeeded"] == 2
    assert anew.json()["run_id"] != told.json()["run_id"]


def test_a_run_killed_after_its_delivery_was_noted_is_followed_by_a_new_one(
    tmp_path: Path,
) -> None:
    programs.config(tmp_path)
    with programs.provider(tmp_path, ANSWERS) as provider:
        point = ("tau.cli.running", "_note_delivered", "after")
        printed = killed(tmp_path, point, "flags", dict(provider.env))
        told = restarted(tmp_path, "flags", dict(provider.env))
        assert provider.counts()["calls"] == 4
    assert told.json()["run_id"] != json.loads(printed)["run_id"]


def test_a_new_run_is_begun_beside_one_that_was_not_delivered(tmp_path: Path) -> None:
    programs.config(tmp_path)
    with programs.provider(tmp_path, ANSWERS) as provider:
        killed(tmp_path, UNDELIVERED[-1], "flags", dict(provider.env))
        anew = restarted(tmp_path, "flags", dict(provider.env), "--new")
        assert provider.counts()["calls"] == 4
    assert anew.json()["resumed"] is False


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    with cluster() as made:
        yield made


@pytest.mark.parametrize(
    ("point", "calls"),
    [
        (("tau.wiring.session", "_Session._close", "after"), 2),
        (("tau.cli.running", "_note_delivered", "before"), 2),
        (("tau.cli.running", "_note_delivered", "after"), 4),
    ],
    ids=lambda value: f"{value[1]}-{value[2]}" if isinstance(value, tuple) else str(value),
)
def test_a_store_on_a_server_knows_what_was_delivered(
    tmp_path: Path, server: Cluster, point: tuple[str, str, str], calls: int
) -> None:
    """The same mark: 2 calls where the restart delivers, 4 where it begins a new run."""
    programs.config(tmp_path)
    url = server.url(f"{point[1].strip('_').split('.')[0].lower()}_{point[2]}_{calls}")
    words = ["run", str(tmp_path / "config.json"), "--model", "openai/m", "--store", url, "--json"]
    with programs.provider(tmp_path, ANSWERS) as provider:
        child = subprocess.run(
            [sys.executable, "-c", DIES, *point, "tau", *words],
            cwd=tmp_path, env=programs.environment(provider.env), capture_output=True, text=True,
            timeout=60, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert child.returncode == -signal.SIGKILL, child.stderr
        told = programs.run("tau", *words, cwd=tmp_path, env=provider.env)
        assert provider.counts()["calls"] == calls
        worked = programs.run("tau", "worker", "--once", "--store", url, cwd=tmp_path)
        assert (worked.code, worked.out) == (0, "worked: succeeded=0 failed=0\n")
    assert told.code == 0, told.err
    assert told.json()["succeeded"] == 2

"""A run over HTTP follows commands from another process: at once, or after calls in flight."""

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from acceptance import programs
from tau.domain.resources import ResourcesVersion
from tau.domain.run import Run
from tau.lifecycle.checkpoint_file import load_checkpoint
from tau.lifecycle.paths import StateDir
from tau.ports.insights import CandidateRecord
from tau.stores.sqlite import maintenance
from tau.wiring.stores import open_store

PLUGINS = Path(__file__).parents[1] / "plugins"
LATENCY_S = 2.0
IN_FLIGHT = 4
SOON_S = 1.0
ROWS = 60


def wait_for(condition: Callable[[], bool], what: str, timeout_s: float = 60.0) -> float:
    """Wait, and return how long it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < timeout_s, f"not within {timeout_s} s: {what}"
        time.sleep(0.01)
    return time.monotonic() - began


class Bench:
    """A folder with a run in it, and the provider it calls."""

    def __init__(self, folder: Path, provider: programs.Provider) -> None:
        self.folder = folder
        self.provider = provider
        self.place = StateDir(folder)

    def tau(self, *arguments: str, code: int = 0) -> Any:  # noqa: ANN401
        ended = programs.inside(*arguments, "--json", cwd=self.folder)
        assert ended.code == code, ended.err
        return ended.json() if code == 0 else None

    def status(self) -> Any:  # noqa: ANN401
        try:
            return json.loads(self.place.status.read_text())
        except FileNotFoundError:
            return {"run_state": "missing"}

    def is_state(self, wanted: str) -> Callable[[], bool]:
        return lambda: bool(self.status()["run_state"] == wanted)

    def in_flight(self) -> int:
        return int(self.provider.counts()["in_flight"])

    def calls(self) -> int:
        return int(self.provider.counts()["calls"])

    def quiet(self) -> None:
        wait_for(lambda: self.in_flight() == 0, "the last answer")

    def actions(self) -> list[str]:
        lines = self.place.audit.read_text().splitlines()
        return [json.loads(line)["action"] for line in lines]

    def waves(self) -> int:
        return load_checkpoint(self.place.checkpoint).optimizer_step


@pytest.mark.timeout(300)
def test_pause_resume_rollback_signal_and_cancel_from_another_process(
    tmp_path: Path,
) -> None:
    rows = [{"prompt": f"q{n}", "expected": f"q{n}"} for n in range(ROWS)]
    path = programs.config(
        tmp_path,
        model="openai/gpt-4o-mini",
        algorithm={"type": "ladder", "waves": 50, "width": IN_FLIGHT - 1, "proposes": True},
        optimize=rows, validate=[], worker_count=1, worker_concurrency=IN_FLIGHT,
    )  # fmt: skip
    ideas = [f"idea {n}" for n in range(50)]
    answers = {**{f"q{n}": f"q{n}" for n in range(ROWS)}, "What else?": ideas}
    latency = ("--latency-ms", str(int(1000 * LATENCY_S)))
    with programs.provider(tmp_path, answers, *latency) as provider:
        bench = Bench(tmp_path, provider)
        command = ("run", path, "--store", "store.sqlite", "--json")
        env = {**provider.env, "PYTHONPATH": programs.python_path(PLUGINS)}
        with programs.started("tau", *command, cwd=tmp_path, env=env) as child:
            pause_and_resume(bench)
            roll_back(bench)
            child.send_signal(signal.SIGTERM)
            bench.quiet()
            out, err = child.communicate(timeout=60)
        assert child.returncode == 143, err
        stopped = json.loads(out)
        assert bench.status()["run_state"] == "paused"
        with programs.started("tau", *command, cwd=tmp_path, env=env) as child:
            wait_for(lambda: bench.in_flight() == IN_FLIGHT, "the run goes on")
            assert bench.status()["run_id"] == stopped["run_id"]
            cancelled = bench.tau("cancel", "--reason", "enough")
            assert cancelled["run_alive"] is True
            asked = bench.calls()
            bench.quiet()
            assert wait_for(bench.is_state("cancelled"), "the end after a cancel") <= SOON_S
            out, err = child.communicate(timeout=60)
        assert child.returncode == 4, err
        ended = json.loads(out)
        assert (ended["run_state"], ended["stop_reason"]) == ("cancelled", "operator")
        assert bench.calls() == asked
        assert ended["succeeded"] == bench.calls(), "what was in flight is kept"
        assert bench.status()["run_state"] == "cancelled"
        assert bench.actions() == [
            "start", "pause", "resume", "rollback", "rollback_done", "signal", "start", "cancel",
        ]  # fmt: skip
        assert bench.tau("audit", "verify", "--store", "store.sqlite")["head_in_store"] is True
        assert maintenance.verify(tmp_path / "store.sqlite").ok


def pause_and_resume(bench: Bench) -> None:
    wait_for(lambda: bench.in_flight() == IN_FLIGHT, "the first calls")
    assert bench.tau("status")["run_alive"] is True
    assert bench.tau("pause", "--reason", "lunch")["idempotent"] is False
    asked = bench.calls()
    wait_for(lambda: "in flight" in (bench.status()["waiting_for"] or ""), "it says so", SOON_S)
    bench.quiet()
    assert wait_for(bench.is_state("paused"), "quiescent") <= SOON_S
    found = bench.tau("status")["training_status"]
    assert "operator" in found["waiting_for"]
    assert found["process"]["pid"]
    assert found["succeeded"] == asked, "results that were in flight are kept"
    time.sleep(0.5)
    assert bench.calls() == asked, "a paused run claims nothing"
    bench.tau("resume")
    assert wait_for(lambda: bench.calls() > asked, "it goes on") <= SOON_S


def roll_back(bench: Bench) -> None:
    half = "three waves and a half"
    wait_for(lambda: bench.waves() >= 3 and bench.in_flight() == IN_FLIGHT, half)
    target = load_checkpoint(bench.place.fallback_checkpoint)
    spent = bench.calls()
    bench.tau("rollback", str(bench.place.fallback_checkpoint))
    wait_for(lambda: "rollback_done" in bench.actions(), "the rollback")
    wait_for(lambda: bench.calls() > spent, "it goes on, another way")
    run, candidates, versions = asyncio.run(written(bench.folder / "store.sqlite"))
    latest = versions[0]
    assert target.checkpoint is not None
    assert latest.resources.hash == target.checkpoint.best.hash
    assert len(versions) >= 2
    abandoned = [one.wave for one in candidates if one.abandoned]
    assert abandoned, "later candidates stay visible"
    assert min(abandoned) > target.optimizer_step
    assert run.spent.calls >= spent, "what was spent stays spent"
    state = json.loads(bench.place.control_state.read_text())
    assert (state["lifecycle_state"], state["rollback_checkpoint"]) == ("running", None)
    assert not bench.place.requested_checkpoint.exists()


async def written(path: Path) -> tuple[Run, Sequence[CandidateRecord], Sequence[ResourcesVersion]]:
    async with await open_store(str(path), read_only=True) as store:
        [run] = await store.insights.runs()
        candidates = await store.insights.candidates(run.id)
        return run, candidates, await store.insights.versions()


def test_a_dead_run_that_is_cancelled_ends_in_its_store(tmp_path: Path) -> None:
    rows = [{"prompt": "q", "expected": "q"}] * 8
    path = programs.config(tmp_path, model="openai/gpt-4o-mini", optimize=rows, validate=[])
    with programs.provider(tmp_path, {"q": "q"}, "--latency-ms", "20000") as provider:
        bench = Bench(tmp_path, provider)
        command = ("run", path, "--store", "store.sqlite", "--json")
        with programs.started("tau", *command, cwd=tmp_path, env=provider.env) as child:
            wait_for(lambda: bench.in_flight() > 0, "a call")
            first = bench.status()["run_id"]
            refused = programs.run("tau", *command, cwd=tmp_path, env=provider.env)
            assert refused.code == 1
            assert f"process {child.pid}" in refused.err
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
        found = bench.tau("status")
        assert found["run_alive"] is False
        assert found["training_status"]["run_state"] == "running"
        assert "process is gone" in found["diagnostics"][0]
        bench.tau("pause")
        again = programs.run("tau", *command, cwd=tmp_path, env=provider.env)
        assert again.code == 4
        assert "paused by local:" in again.err
        assert "tau resume" in again.err
        flat = programs.run(
            "tau-coding-agent", "--prompt-optimization-config", path,
            "--prompt-optimization-store-sqlite", "store.sqlite", cwd=tmp_path, env=provider.env,
        )  # fmt: skip
        assert flat.code == 1
        assert "paused by local:" in flat.err
        assert bench.tau("cancel")["training_status"]["run_state"] == "cancelled"
        assert bench.status()["run_state"] == "cancelled"
        [listed] = bench.tau("runs", "--store", "store.sqlite")
        assert (listed["run_id"], listed["run_state"]) == (first, "cancelled")
        assert maintenance.verify(tmp_path / "store.sqlite").ok


def test_resume_with_run_goes_on_as_it_was_started(tmp_path: Path) -> None:
    rows = [{"prompt": f"q{n}", "expected": f"q{n}"} for n in range(20)]
    programs.config(tmp_path, model="openai/gpt-4o-mini", optimize=rows, validate=[])
    with programs.provider(
        tmp_path, {f"q{n}": f"q{n}" for n in range(20)}, "--latency-ms", "50"
    ) as provider:
        bench = Bench(tmp_path, provider)
        command = ("run", "config.json", "--store", "here/store.sqlite")
        with programs.started("tau", *command, cwd=tmp_path, env=provider.env) as child:
            wait_for(lambda: bench.calls() > 3, "some calls")
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
        (tmp_path / "elsewhere").mkdir()
        ended = programs.run(
            "tau", "resume", "--run", "--store", "../here/store.sqlite", "--json",
            cwd=tmp_path / "elsewhere", env=provider.env,
        )  # fmt: skip
    assert ended.code == 0, ended.err
    assert (ended.json()["resumed"], ended.json()["succeeded"]) == (True, 20)
    report = json.loads((tmp_path / "here/recovery-report.json").read_text())
    assert (report["crash_detected"], report["checkpoint_source"]) == (True, "primary")

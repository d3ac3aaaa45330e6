"""A long run that is killed at fifty moments ends as if nothing had happened."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import pytest

from acceptance import programs
from tau.domain.actions import Action
from tau.domain.draws import uniform
from tau.domain.ids import RunId
from tau.errors import RecoveryRefused
from tau.lifecycle.authorization import Authorizer, PolicyFile
from tau.lifecycle.checkpoint_file import load_checkpoint
from tau.lifecycle.commands import Command, Lifecycle
from tau.lifecycle.paths import StateDir
from tau.ports.clock import SystemClock
from tau.ports.insights import RolloutFilter
from tau.stores.sqlite import maintenance
from tau.wiring.stores import open_store

TESTS = Path(__file__).parents[1]
KILLS = 50
WAVES, WIDTH = 40, 6
IN_FLIGHT = 4
ANSWERS = {f"q{n}": f"a{n if n % 3 else 'wrong'}" for n in range(24)}


def config(folder: Path, **fields: Any) -> Path:  # noqa: ANN401
    return programs.config(
        folder,
        model="openai/gpt-4o-mini",
        algorithm={"type": "ladder", "waves": WAVES, "width": WIDTH},
        optimize=[{"prompt": f"q{n}", "expected": f"a{n}"} for n in range(24)],
        validate=[],
        worker_count=1,
        worker_concurrency=IN_FLIGHT,
        **fields,
    )


def environment(provider: programs.Provider) -> dict[str, str]:
    return {**provider.env, "PYTHONPATH": programs.python_path(TESTS / "plugins", TESTS)}


class Starts:
    """One run, started again and again."""

    def __init__(self, child: "subprocess.Popen[str]") -> None:
        self._child = child

    def start(self) -> int:
        assert self._child.stdin is not None
        self._child.stdin.write("go\n")
        self._child.stdin.flush()
        return int(self._line())

    def ended(self) -> int:
        return int(self._line())

    def _line(self) -> str:
        assert self._child.stdout is not None
        return self._child.stdout.readline()


@contextmanager
def starts(folder: Path, arguments: Sequence[str], provider: programs.Provider) -> Iterator[Starts]:
    with (folder / "said.txt").open("w") as said:
        child = subprocess.Popen(
            [sys.executable, "-m", "recovery.starts", str(folder), *arguments],
            env=programs.environment(environment(provider)), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said,
        )  # fmt: skip
        try:
            yield Starts(child)
        finally:
            child.communicate()


async def outcome(store: Path) -> dict[str, Any]:
    """Everything that must be the same, without what names this very run."""
    async with await open_store(str(store), read_only=True) as opened:
        [run] = await opened.insights.runs()
        candidates = await opened.insights.candidates(run.id, limit=1000)
        rows = await opened.insights.rollouts(RolloutFilter(), limit=10_000)
        results = await opened.queue.collect(run.id, [row.id for row in rows])
        checkpoint = await opened.checkpoints.latest(run.id)
        versions = await opened.insights.versions()
    assert checkpoint is not None
    file = load_checkpoint(StateDir(store.parent).checkpoint)
    assert file.checkpoint == checkpoint
    return {
        "candidates": [(one.wave, one.resources.hash, one.resources.parent, one.abandoned)
                       for one in candidates],
        "scores": [(one.request.key, one.score, one.status) for one in results if one],
        "checkpoint": replace(checkpoint, run_id=RunId("any")).hash,
        "resources": [one.resources.hash for one in versions],
        "status": run.status,
    }  # fmt: skip


def resume(folder: Path) -> bool:
    """As an operator does it after a crash; False where there is nothing to restore yet."""
    place = StateDir(folder)
    lifecycle = Lifecycle(place, Authorizer(PolicyFile(folder / "none.json")), SystemClock())
    try:
        result = lifecycle.execute(Command(action=Action.RESUME, principal="local:test"))
    except RecoveryRefused:
        assert not place.checkpoint.exists()
        return False
    assert result.recovery is not None
    return result.recovery.crash_detected


@pytest.mark.storm
@pytest.mark.timeout(400)
async def test_fifty_kills_change_nothing(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    with programs.provider(tmp_path, ANSWERS, "--latency-ms", "15") as provider:
        for folder in (whole, killed):
            folder.mkdir()
            config(folder)
        arguments = ("run", "config.json", "--store", "store.sqlite", "--json")
        with starts(whole, arguments, provider) as one:
            one.start()
            assert one.ended() == 0, (whole / "said.txt").read_text()
        uninterrupted = provider.counts()["calls"]
        assert uninterrupted == WAVES * WIDTH

        crashes = kills = 0
        with starts(killed, arguments, provider) as many:
            for number in range(1, KILLS + 1):
                child = many.start()
                wait_for_moment(provider, number)
                os.kill(child, signal.SIGKILL)
                if many.ended() == 0:
                    break
                kills += 1
                crashes += resume(killed)
            after_kills = provider.counts()["calls"] - uninterrupted
            many.start()
            assert many.ended() == 0, (killed / "said.txt").read_text()
        calls = provider.counts()["calls"] - uninterrupted
    assert kills == KILLS, "it was over before all kills: make it longer"
    assert crashes > KILLS / 2
    assert after_kills > WAVES * WIDTH / 10, "the kills came before the run did anything"
    assert uninterrupted <= calls <= uninterrupted + IN_FLIGHT * KILLS
    assert await outcome(killed / "store.sqlite") == await outcome(whole / "store.sqlite")
    assert maintenance.verify(killed / "store.sqlite").ok


@pytest.mark.timeout(400)
async def test_a_lost_store_and_damaged_checkpoints(tmp_path: Path) -> None:
    """With the checkpoint file and an empty store the run goes on, and its spend counts."""
    with programs.provider(tmp_path, ANSWERS, "--latency-ms", "15") as provider:
        whole, lost, damaged = (tmp_path / name for name in ("whole", "lost", "damaged"))
        whole.mkdir()
        config(whole)
        arguments = ("run", "config.json", "--store", "store.sqlite", "--json")
        env = environment(provider)
        with programs.started("tau", *arguments, cwd=whole, env=env) as child:
            wait_for_waves(whole, 12)
            child.kill()
            child.wait()
        shutil.copytree(whole, lost)
        shutil.copytree(whole, damaged)
        assert programs.run("tau", *arguments, cwd=whole, env=env).code == 0

        for file in lost.glob("store.sqlite*"):
            file.unlink()
        before = load_checkpoint(StateDir(lost).checkpoint)
        asked = provider.counts()["calls"]
        ended = programs.run("tau", *arguments, cwd=lost, env=env)
        assert "does not know" in ended.err
        assert ended.code == 0, ended.err
        result = ended.json()
        assert (result["run_id"], result["resumed"]) == (before.run_id, True)
        made = provider.counts()["calls"] - asked
        assert made == WIDTH * (WAVES - before.optimizer_step)
        assert result["calls"] == before.spend.calls + made
        assert maintenance.verify(lost / "store.sqlite").ok
        expected, found = (
            await outcome(whole / "store.sqlite"),
            await outcome(lost / "store.sqlite"),
        )
        assert found["checkpoint"] == expected["checkpoint"]
        assert {one[1] for one in found["candidates"]} == {one[1] for one in expected["candidates"]}
        assert found["scores"] == expected["scores"][-len(found["scores"]) :]

        damage_newest_checkpoints(damaged / "store.sqlite", 1)
        ended = programs.run("tau", *arguments, cwd=damaged, env=env)
        assert ended.code == 0, ended.err
        assert await outcome(damaged / "store.sqlite") == expected


def wait_for_moment(provider: programs.Provider, number: int) -> None:
    """Some after a few calls, every fifth somewhere in the start."""
    pause_s = 0.4 * uniform(3, "pause", number)
    if number % 5:
        wanted = provider.counts()["calls"] + int(6 * uniform(3, "calls", number)) + 1
        deadline = time.monotonic() + 60
        while provider.counts()["calls"] < wanted:
            assert time.monotonic() < deadline, "it does not go on"
            time.sleep(0.005)
        pause_s /= 10
    time.sleep(pause_s)


def wait_for_waves(folder: Path, number: int) -> None:
    deadline = time.monotonic() + 120
    path = StateDir(folder).checkpoint
    while not (path.exists() and load_checkpoint(path).optimizer_step >= number):
        assert time.monotonic() < deadline, "it did not get that far"
        time.sleep(0.02)


def damage_newest_checkpoints(store: Path, number: int) -> None:
    with closing(apsw.Connection(str(store))) as connection:
        connection.execute(
            "UPDATE checkpoint SET hash = 'no' WHERE key IN"
            " (SELECT key FROM checkpoint ORDER BY key DESC LIMIT ?)", (number,),
        )  # fmt: skip

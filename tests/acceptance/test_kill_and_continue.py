"""A run that dies goes on: nothing finished is done again, nothing is lost."""

import json
import signal
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import apsw
import pytest

from acceptance import programs

ROWS = 120
IN_FLIGHT = 8
ANSWERS = {f"question {n}": f"answer {n}" for n in range(ROWS)}


def config(folder: Path) -> Path:
    rows = [{"prompt": prompt, "expected": answer} for prompt, answer in ANSWERS.items()]
    return programs.config(
        folder,
        optimize=rows[:80],
        validate=rows[80:],
        worker_count=2,
        worker_concurrency=IN_FLIGHT // 2,
        heartbeat_interval_ms=300,
    )


def finished(store: Path) -> set[str]:
    """Prompts whose rollouts have succeeded, by raw SQL."""
    connection = apsw.Connection(
        f"file:{store}?mode=ro", flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    )
    rows = connection.execute(
        "SELECT e.content FROM rollout r JOIN example e ON e.key = r.example"
        " WHERE r.status = 'succeeded'"
    ).fetchall()
    connection.close()
    return {json.loads(str(content))["prompt"] for (content,) in rows}


def has_served(provider: programs.Provider, number: int) -> bool:
    return bool(provider.counts()["calls"] >= number)


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it did not happen within 60 s"
        time.sleep(0.01)


@pytest.mark.storm
@pytest.mark.parametrize("served", [(1, 40, 90), (15, 70)])
def test_a_run_killed_again_and_again_finishes_without_repeating_anything(
    tmp_path: Path, served: tuple[int, ...]
) -> None:
    arguments = (
        "--model", "openai/gpt-4o-mini",
        "--prompt-optimization-config", config(tmp_path),
        "--prompt-optimization-store-sqlite", "store.sqlite",
        "--prompt-optimization-json",
    )  # fmt: skip
    paid: set[str] = set()
    before: Counter[str] = Counter()
    with programs.provider(tmp_path, ANSWERS, "--latency-ms", "25") as provider:
        for number in served:
            with programs.started(
                "tau-coding-agent", *arguments, cwd=tmp_path, env=provider.env
            ) as child:
                wait_for(partial(has_served, provider, number))
                child.send_signal(signal.SIGKILL)
                child.wait()
            paid |= finished(tmp_path / "store.sqlite")
            before = Counter(provider.counts()["prompts"])
        ended = programs.run("tau-coding-agent", *arguments, cwd=tmp_path, env=provider.env)
        counts = provider.counts()
    assert ended.code == 0, ended.err
    result = ended.json()
    assert (result["total_rollouts"], result["succeeded"], result["failed"]) == (ROWS, ROWS, 0)
    assert result["resumed"] is True
    assert [split["mean"] for split in result["splits"]] == [1.0, 1.0]
    assert counts["calls"] <= ROWS + IN_FLIGHT * len(served)
    assert paid, "no kill came after a finished rollout: the test shows nothing"
    after = Counter(counts["prompts"])
    assert all(after[prompt] == before[prompt] for prompt in paid)
    assert finished(tmp_path / "store.sqlite") == set(ANSWERS)


def test_a_signal_lets_calls_finish_and_the_next_start_goes_on(tmp_path: Path) -> None:
    path = config(tmp_path)
    with programs.provider(tmp_path, ANSWERS, "--latency-ms", "50") as provider:
        command = ("run", path, "--model", "openai/gpt-4o-mini", "--store", "s.sqlite", "--json")
        with programs.started("tau", *command, cwd=tmp_path, env=provider.env) as child:
            wait_for(lambda: provider.counts()["calls"] >= 20)
            child.send_signal(signal.SIGINT)
            out, err = child.communicate(timeout=30)
        assert child.returncode == 130, err
        stopped = json.loads(out)
        assert stopped["run_state"] == "paused"
        assert stopped["stop_reason"] == "signal"
        asked = provider.counts()
        assert asked["broken"] == 0, "a call in flight was given up"
        assert stopped["succeeded"] == asked["calls"]
        ended = programs.run("tau", *command, cwd=tmp_path, env=provider.env)
        assert ended.code == 0, ended.err
        assert ended.json()["run_id"] == stopped["run_id"]
        assert ended.json()["succeeded"] == ROWS
        assert provider.counts()["calls"] == ROWS
    status = json.loads((tmp_path / "status.json").read_text())
    assert (status["run_state"], status["succeeded"]) == ("completed", ROWS)


def test_two_signals_stop_at_once_and_nothing_is_lost(tmp_path: Path) -> None:
    path = config(tmp_path)
    with programs.provider(tmp_path, ANSWERS, "--latency-ms", "20000") as provider:
        command = ("run", path, "--model", "openai/gpt-4o-mini", "--store", "s.sqlite", "--json")
        with programs.started("tau", *command, cwd=tmp_path, env=provider.env) as child:
            wait_for(lambda: provider.counts()["in_flight"] == IN_FLIGHT)
            child.send_signal(signal.SIGTERM)
            child.send_signal(signal.SIGINT)  # another one: two equal ones may arrive as one
            out, err = child.communicate(timeout=60)
        assert child.returncode == 143, err
        assert json.loads(out)["run_state"] == "paused"
    with programs.provider(tmp_path, ANSWERS) as provider:
        ended = programs.run("tau", *command, cwd=tmp_path, env=provider.env)
        assert ended.json()["succeeded"] == ROWS
        assert provider.counts()["calls"] == ROWS


def test_a_run_that_somebody_drives_is_not_driven_twice(tmp_path: Path) -> None:
    path = config(tmp_path)
    with programs.provider(tmp_path, ANSWERS, "--latency-ms", "5000") as provider:
        command = ("run", path, "--model", "openai/gpt-4o-mini", "--store", "s.sqlite")
        with programs.started("tau", *command, cwd=tmp_path, env=provider.env) as child:
            wait_for(lambda: provider.counts()["in_flight"] > 0)
            second = programs.run("tau", *command, cwd=tmp_path, env=provider.env)
            assert second.code == 1
            assert f"process {child.pid}" in second.err
            assert child.poll() is None

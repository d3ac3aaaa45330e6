"""What signals do to a run: the first lets calls finish, the second does not wait."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from acceptance.programs import Provider, config, provider, run, started

PROMPTS = [f"question {n}" for n in range(12)]
ANSWERS = {prompt: prompt for prompt in PROMPTS}
PATIENCE_S = 60.0


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Provider]:
    with provider(tmp_path, ANSWERS, "--latency-ms", "400") as running:
        yield running


@pytest.fixture
def stuck(tmp_path: Path) -> Iterator[Provider]:
    with provider(tmp_path, ANSWERS, "--latency-ms", "50000") as running:
        yield running


def questions(folder: Path) -> Path:
    """Twelve rows, two at a time."""
    rows = [{"prompt": prompt, "expected": prompt} for prompt in PROMPTS]
    return config(folder, optimize=rows, validate=[], completion_timeout_secs=None)


def wait_for_calls(running: Provider, number: int, child: subprocess.Popen[str]) -> None:
    """Wait until the provider has been called so often."""
    deadline = time.monotonic() + PATIENCE_S
    while running.counts()["calls"] < number:
        assert child.poll() is None, child.communicate()[1]
        assert time.monotonic() < deadline, "the provider was not called"
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("number", "program"),
    [
        (signal.SIGINT, ["tau", "run", "config.json", "--json"]),
        (
            signal.SIGTERM,
            ["tau-coding-agent", "--prompt-optimization-config", "config.json",
             "--prompt-optimization-json"],
        ),
    ],
)  # fmt: skip
def test_a_signal_loses_nothing_and_the_run_goes_on(
    tmp_path: Path, slow: Provider, number: signal.Signals, program: list[str]
) -> None:
    questions(tmp_path)
    command = [*program, "--model", "openai/gpt-4o-mini"]

    with started(*command, cwd=tmp_path, env=slow.env) as child:
        wait_for_calls(slow, 3, child)
        child.send_signal(number)
        out, err = child.communicate(timeout=PATIENCE_S)
    calls = slow.counts()["calls"]
    again = run(*command, cwd=tmp_path, env=slow.env)

    assert child.returncode == 128 + number
    stopped = json.loads(out)
    assert (stopped["stop_reason"], stopped["resumable"]) == ("signal", True)
    assert stopped["succeeded"] == calls < len(PROMPTS)
    assert "will finish and be recorded" in err
    assert "Error" not in err
    assert f"to go on later: {program[0]}" in err
    assert again.code == 0, again.err
    finished = again.json()
    assert (finished["run_id"], finished["resumed"]) == (stopped["run_id"], True)
    assert finished["succeeded"] == len(PROMPTS)
    assert slow.counts()["prompts"] == dict.fromkeys(PROMPTS, 1)


def test_a_second_signal_does_not_wait(tmp_path: Path, stuck: Provider) -> None:
    questions(tmp_path)
    command = ["tau", "run", "config.json", "--model", "openai/gpt-4o-mini"]

    with started(*command, cwd=tmp_path, env=stuck.env) as child:
        wait_for_calls(stuck, 2, child)
        child.send_signal(signal.SIGINT)
        assert child.stderr is not None
        while "will finish" not in child.stderr.readline():
            assert child.poll() is None
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=PATIENCE_S)

    assert child.returncode == 130
    (stopped,) = run("tau", "runs", "--json", cwd=tmp_path).json()
    assert (stopped["run_state"], stopped["stop_reason"]) == ("paused", "signal")
    held = {"running", "preparing", "cancelled", "failed"} & set(stopped["counts"])
    assert sum(stopped["counts"][status] for status in held) == 0
    assert stopped["total_rollouts"] == len(PROMPTS)

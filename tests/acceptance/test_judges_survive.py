"""A judged run that is killed goes on: no verdict that was recorded is paid for again."""

import signal
import subprocess
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from acceptance import programs
from acceptance.test_kill_and_continue import finished, has_served, wait_for

ROWS = 60
IN_FLIGHT = 8
ANSWERS = {f"question {n:03}": f"answer {n:03}" for n in range(ROWS)}
VERDICT = '{"reason": "it is", "verdict": "yes"}'


def config(folder: Path) -> Path:
    rows = [{"prompt": prompt, "expected": answer} for prompt, answer in ANSWERS.items()]
    return programs.config(
        folder,
        optimize=rows[:40],
        validate=rows[40:],
        worker_count=2,
        worker_concurrency=IN_FLIGHT // 2,
        heartbeat_interval_ms=300,
        judge={"model": "openai/gpt-4o"},
        graders=[{"type": "factuality"}],
    )


def served(child: "subprocess.Popen[str]", provider: programs.Provider, number: int) -> bool:
    return child.poll() is not None or has_served(provider, number)


@pytest.mark.storm
@pytest.mark.parametrize(
    "kills",
    [2, pytest.param(50, marks=[pytest.mark.acceptance, pytest.mark.timeout(900)])],
)
def test_no_verdict_is_paid_for_twice(tmp_path: Path, kills: int) -> None:
    arguments = (
        "--model", "openai/gpt-4o-mini",
        "--prompt-optimization-config", config(tmp_path),
        "--prompt-optimization-store-sqlite", "store.sqlite",
        "--prompt-optimization-json",
    )  # fmt: skip
    paid: set[str] = set()
    options = ("--latency-ms", "25", "--default", VERDICT)
    with programs.provider(tmp_path, ANSWERS, *options) as provider:
        for _ in range(kills):
            number = provider.counts()["calls"] + max(4, ROWS // kills)
            with programs.started(
                "tau-coding-agent", *arguments, cwd=tmp_path, env=provider.env
            ) as child:
                wait_for(partial(served, child, provider, number))
                child.send_signal(signal.SIGKILL)
                child.wait()
            paid |= finished(tmp_path / "store.sqlite")
        before = Counter(provider.counts()["prompts"])
        ended = programs.run("tau-coding-agent", *arguments, cwd=tmp_path, env=provider.env)
        counts = provider.counts()

    assert ended.code == 0, ended.err
    result = ended.json()
    assert (result["total_rollouts"], result["succeeded"], result["failed"]) == (ROWS, ROWS, 0)
    assert [split["mean"] for split in result["splits"]] == [1.0, 1.0]
    assert [split["unscored"] for split in result["splits"]] == [0, 0]
    assert counts["calls"] <= 2 * ROWS + 2 * IN_FLIGHT * kills
    assert paid, "no kill came after a finished rollout: the test shows nothing"
    again = [
        prompt for prompt, times in counts["prompts"].items()
        if times > before[prompt] and any(each in prompt for each in paid)
    ]  # fmt: skip
    assert again == [], "neither answers nor verdicts that were recorded are paid for again"

"""Both guides followed word for word in one folder, with a crash in the middle."""

import json
import signal
import time
from pathlib import Path

from acceptance import programs

ROWS = 40
ANSWERS = {f"question {n}": f"answer {n}" for n in range(ROWS)}
OPERATE = (
    "--model", "openai/gpt-4o-mini",
    "--prompt-optimization-config", ".tau/prompt-optimization.json",
    "--prompt-optimization-store-sqlite", ".tau/training/store.sqlite",
    "--prompt-optimization-json",
)  # fmt: skip
RECOVER = (
    "--prompt-optimization-control-resume",
    "--prompt-optimization-control-state-dir", ".tau/prompt-optimization",
    "--prompt-optimization-control-rbac-policy", ".tau/rbac-policy.json",
    "--prompt-optimization-control-principal", "local:rl-operator",
    "--prompt-optimization-control-json",
)  # fmt: skip
POLICY = {
    "schema_version": 1,
    "team_mode": True,
    "bindings": [{"principal": "local:rl-operator", "roles": ["operator"]}],
    "roles": {"operator": {"allow": ["control:rl:*"]}},
}


def prepared(folder: Path) -> None:
    (folder / ".tau").mkdir()
    rows = [{"prompt": prompt, "expected": answer} for prompt, answer in ANSWERS.items()]
    programs.config(
        folder / ".tau", "prompt-optimization.json", optimize=rows[:20], validate=rows[20:]
    )
    (folder / ".tau" / "rbac-policy.json").write_text(json.dumps(POLICY))


def test_both_guides_in_one_folder_end_as_a_reader_expects(tmp_path: Path) -> None:
    prepared(tmp_path)
    with programs.provider(tmp_path, ANSWERS, "--latency-ms", "50") as provider:
        env = dict(provider.env)
        with programs.started("tau-coding-agent", *OPERATE, cwd=tmp_path, env=env) as child:
            deadline = time.monotonic() + 60
            while provider.counts()["calls"] < 10:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            child.send_signal(signal.SIGKILL)
            child.wait()
        crashed = json.loads((tmp_path / ".tau/training/status.json").read_text())

        asked = programs.run("tau-coding-agent", *RECOVER, cwd=tmp_path)
        assert (asked.code, asked.out) == (1, "")
        assert crashed["run_id"] in asked.err
        assert "crashed" in asked.err
        reaches = "--prompt-optimization-control-state-dir .tau/training"
        assert reaches in asked.err
        assert "no crash" not in asked.err

        words = [word.replace(".tau/prompt-optimization", ".tau/training") for word in RECOVER]
        resumed = programs.run("tau-coding-agent", *words, cwd=tmp_path)
        assert resumed.code == 0, resumed.err
        assert resumed.json()["recovery_crash_detected"] is True
        assert resumed.json()["recovery_checkpoint_source"] == "primary"

        ended = programs.run("tau-coding-agent", *OPERATE, cwd=tmp_path, env=env)
        assert ended.code == 0, ended.err
        assert ended.json()["run_id"] == crashed["run_id"]
        assert (ended.json()["total_rollouts"], ended.json()["succeeded"]) == (ROWS, ROWS)
        assert provider.counts()["calls"] <= ROWS + 2

    again = programs.run("tau-coding-agent", *words, cwd=tmp_path)
    assert again.code == 0
    assert again.json()["recovery_crash_detected"] is False
    assert again.json()["training_status"]["run_state"] == "completed"


def test_the_recovery_guides_folder_serves_both_where_the_run_was_given_it(
    tmp_path: Path,
) -> None:
    prepared(tmp_path)
    given = (*OPERATE, "--prompt-optimization-control-state-dir", ".tau/prompt-optimization")
    with programs.provider(tmp_path, ANSWERS, "--latency-ms", "50") as provider:
        env = dict(provider.env)
        with programs.started("tau-coding-agent", *given, cwd=tmp_path, env=env) as child:
            deadline = time.monotonic() + 60
            while provider.counts()["calls"] < 10:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            child.send_signal(signal.SIGKILL)
            child.wait()
        resumed = programs.run("tau-coding-agent", *RECOVER, cwd=tmp_path)
        assert resumed.json()["recovery_crash_detected"] is True, resumed.err
        ended = programs.run("tau-coding-agent", *given, cwd=tmp_path, env=env)
        assert ended.json()["succeeded"] == ROWS
        assert provider.counts()["calls"] <= ROWS + 2


def test_a_folder_that_no_run_used_is_said_to_be_one(tmp_path: Path) -> None:
    prepared(tmp_path)
    asked = programs.run("tau-coding-agent", *RECOVER, cwd=tmp_path)
    assert asked.code == 0, asked.err
    assert any("no run has used this folder" in said for said in asked.json()["diagnostics"])
    paused = programs.inside("pause", "--state-dir", ".tau/other", cwd=tmp_path)
    assert "no run has used this folder" in paused.out + paused.err

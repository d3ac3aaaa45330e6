"""Control mode and its short forms on the command line (contract, sections 1 and 6)."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from acceptance import programs
from acceptance.programs import Ended, inside
from acceptance.test_startup import HEAVY, imported_by
from recovery.control_cases import prepare
from tau.files.lock import FileLock

PROGRAM = "tau-coding-agent"
CONTROL = "--prompt-optimization-control-"
WHO = (f"{CONTROL}principal", "local:tester")
TEXT = (
    "prompt optimization lifecycle control: action=pause principal=local:tester "
    "lifecycle_state=paused training_run_state=running idempotent=false rollback_checkpoint=none "
    "checkpoint_run_id=none recovery_report=none recovery_checkpoint_source=none "
    "recovery_crash_detected=n/a recovery_replayed_audit_events=n/a state_dir={dir} "
    "state_file={dir}/control-state.json audit_file={dir}/control-audit.jsonl\n"
)


def flat(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> Ended:
    return programs.run(PROGRAM, *arguments, cwd=folder, env=env)


@pytest.fixture
def crashed(tmp_path: Path) -> Path:
    """The state dir of a run that has crashed."""
    prepare(tmp_path / "state")
    return tmp_path / "state"


def test_every_action_on_the_flag_surface(tmp_path: Path, crashed: Path) -> None:
    where = (f"{CONTROL}state-dir", "state", *WHO)
    paused = flat(tmp_path, f"{CONTROL}pause", *where)
    assert (paused.code, paused.out, paused.err) == (0, TEXT.format(dir="state"), "")
    answers = {}
    for action, more in (
        ("status", ()), ("pause", ()), ("resume", ()), ("resume", ()), ("cancel", ()),
        ("rollback", ("state/policy-checkpoint.json",)),
    ):  # fmt: skip
        ended = flat(tmp_path, f"{CONTROL}{action}", *more, *where, f"{CONTROL}json")
        assert (ended.code, ended.err) == (0, "")
        answers[action] = ended.json()
    assert answers["status"]["idempotent"] is None
    assert answers["pause"]["idempotent"] is True
    assert answers["rollback"]["rollback_checkpoint"] == "state/policy-checkpoint.json"
    assert answers["rollback"]["checkpoint_run_id"] == "run-1"
    assert answers["resume"]["recovery_checkpoint_source"] == "primary"
    assert answers["cancel"]["control_state"]["lifecycle_state"] == "cancelled"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((f"{CONTROL}status", f"{CONTROL}pause"), "cannot be used with"),
        ((f"{CONTROL}pause", f"{CONTROL}rollback", "x.json"), "cannot be used with"),
        ((f"{CONTROL}pause", "--prompt-optimization-config", "c.json"), "cannot be used with"),
        ((f"{CONTROL}pause", "--prompt-optimization-json"), "cannot be used with"),
        (("--prompt-optimization-config", "c.json", f"{CONTROL}json"), "cannot be used with"),
        ((f"{CONTROL}json",), f"requires {CONTROL}cancel"),
        ((f"{CONTROL}principal", "x"), f"requires {CONTROL}cancel"),
        ((f"{CONTROL}rbac-policy", "x"), f"requires {CONTROL}cancel"),
        ((f"{CONTROL}state-dir", "x"), "requires"),
        ((f"{CONTROL}rollback",), "requires an argument"),
        ((f"{CONTROL}pause", "extra"), "extra"),
        ((f"{CONTROL}stop",), f"{CONTROL}stop"),
    ],
)
def test_argument_errors_come_before_any_effect(
    tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    ended = flat(tmp_path, *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err
    assert list(tmp_path.iterdir()) == []


def test_the_environment(tmp_path: Path, crashed: Path) -> None:
    env = {
        "TAU_PROMPT_OPTIMIZATION_CONTROL_STATE_DIR": "state",
        "TAU_PROMPT_OPTIMIZATION_CONTROL_JSON": "true",
        "TAU_PROMPT_OPTIMIZATION_CONTROL_PAUSE": "0",
        "TAU_PROMPT_OPTIMIZATION_CONFIG": "none.json",
        "USER": "Ann B",
    }
    shown = flat(tmp_path, env={**env, "TAU_PROMPT_OPTIMIZATION_CONFIG": ""})
    assert (shown.code, shown.out[:6]) == (0, "Usage:")
    typed = flat(tmp_path, f"{CONTROL}status", env=env)
    assert typed.json()["principal"] == "local:ann-b"
    exported = flat(
        tmp_path,
        env={
            **env,
            "TAU_PROMPT_OPTIMIZATION_CONFIG": "",
            "TAU_PROMPT_OPTIMIZATION_CONTROL_PAUSE": "1",
        },
    )
    assert exported.json()["action"] == "pause"
    wins = {**env, "TAU_PROMPT_OPTIMIZATION_CONTROL_CANCEL": "1"}
    assert flat(tmp_path, f"{CONTROL}status", env=wins).json()["action"] == "status"


def test_denied_by_both_programs(tmp_path: Path, crashed: Path) -> None:
    policy = "state/policy.json"
    ended = flat(
        tmp_path, f"{CONTROL}pause", f"{CONTROL}state-dir", "state",
        f"{CONTROL}rbac-policy", policy, f"{CONTROL}principal", "local:x",
    )  # fmt: skip
    assert ended.code == 1
    assert ended.err.startswith(
        "Error: failed to authorize prompt-optimization lifecycle action 'pause'\n"
        "  why: unauthorized rl lifecycle action: principal=local:x action=control:rl:pause "
        "reason_code=deny_unbound_principal\n"
    )
    who = ("--rbac-policy", policy, "--principal", "local:x")
    for words in (("pause",), ("status",), ("resume", "--dry-run"), ("audit", "repair")):
        assert inside(*words, *who, "--state-dir", "state", cwd=tmp_path).code == 5
    assert inside("rbac", "check", "pause", *who, cwd=tmp_path).code == 5
    typo = inside("rbac", "check", "puase", *who, cwd=tmp_path)
    assert (typo.code, "did you mean pause?" in typo.err) == (2, True)
    mine = ("--rbac-policy", policy, "--principal", "local:tester", "--json")
    assert inside("rbac", "check", "pause", *mine, cwd=tmp_path).json()["allowed"] is True
    whoami = inside("rbac", "whoami", *mine, cwd=tmp_path).json()
    assert (whoami["roles"], all(whoami["allowed"].values())) == (["operator"], True)


def test_short_forms_find_the_run_by_themselves(tmp_path: Path) -> None:
    for name, order in (("old", 1), ("new", 2)):
        prepare(tmp_path / ".tau" / name)
        for path in (tmp_path / ".tau" / name).iterdir():
            os.utime(path, (order, order))
    found = inside("status", "--json", cwd=tmp_path).json()
    assert found["state_dir"] == ".tau/new"
    lock = FileLock(tmp_path / ".tau" / "old" / "run.lock")
    assert lock.acquire(b"{}")
    assert inside("status", "--json", cwd=tmp_path).json()["state_dir"] == ".tau/old"
    lock.release()
    chosen = inside("status", "--json", "--store", ".tau/old/store.sqlite", cwd=tmp_path)
    assert chosen.json()["state_dir"] == ".tau/old"
    (tmp_path / "empty").mkdir()
    nothing = inside("status", "--json", cwd=tmp_path / "empty").json()
    assert (nothing["state_dir"], nothing["training_status"]) == (".tau/training", None)
    assert "no run is known here" in inside("status", cwd=tmp_path / "empty").out


def test_for_people(tmp_path: Path, crashed: Path) -> None:
    where = ("--state-dir", "state")
    shown = inside("status", *where, cwd=tmp_path).out
    assert "run-1" in shown
    assert "process is gone" in shown
    dry = inside("resume", *where, "--dry-run", cwd=tmp_path)
    assert dry.out.startswith("would be resumed")
    assert not (crashed / "recovery-report.json").exists()
    assert "nobody drives the run" in inside("pause", *where, cwd=tmp_path).out
    assert "it was so already" in inside("pause", *where, cwd=tmp_path).out
    listed = inside("audit", "ls", *where, cwd=tmp_path).out.splitlines()
    assert [line.split()[4] for line in listed[1:]] == ["start", "pause", "pause"]
    assert inside("audit", "verify", *where, cwd=tmp_path).code == 0
    audit = crashed / "control-audit.jsonl"
    audit.write_bytes(audit.read_bytes().replace(b'"pause"', b'"party"', 1))
    broken = inside("audit", "verify", *where, cwd=tmp_path)
    assert (broken.code, "line 2: it was changed" in broken.out) == (1, True)
    assert inside("audit", "repair", *where, cwd=tmp_path).code == 0
    assert inside("audit", "verify", *where, cwd=tmp_path).code == 0


def test_a_run_on_another_store_in_the_same_folder_is_not_steered(tmp_path: Path) -> None:
    prepare(tmp_path)
    for name in ("mine.sqlite", "other.sqlite"):
        (tmp_path / name).touch()
    status = json.loads((tmp_path / "status.json").read_text())
    status["store_file"] = str(tmp_path / "mine.sqlite")
    (tmp_path / "status.json").write_text(json.dumps(status))

    shown = inside("status", "--store", "other.sqlite", "--json", cwd=tmp_path)
    assert any("not on 'other.sqlite'" in note for note in shown.json()["diagnostics"])
    for words in (("pause",), ("resume",), ("cancel",), ("rollback", "policy-checkpoint.json")):
        refused = inside(*words, "--store", "other.sqlite", cwd=tmp_path)
        assert (refused.code, "mine.sqlite" in refused.err) == (1, True)
        assert "--state-dir" in refused.err
    assert inside("pause", "--store", "mine.sqlite", cwd=tmp_path).code == 0
    (tmp_path / "mine.sqlite").unlink()
    assert inside("resume", "--store", "other.sqlite", cwd=tmp_path).code == 0, "it was renamed"


def test_what_has_ended_is_neither_held_nor_let_go(tmp_path: Path) -> None:
    prepare(tmp_path / "state")
    path = tmp_path / "state" / "status.json"
    status = json.loads(path.read_text())
    for run_state, words in (("completed", "has ended"), ("failed", "nobody drives the run")):
        path.write_text(json.dumps({**status, "run_state": run_state}))
        for command in ("pause", "resume"):
            assert words in inside(command, "--state-dir", "state", cwd=tmp_path).out


def test_steering_characters_in_a_principal_are_shown_as_codes(tmp_path: Path) -> None:
    ended = flat(tmp_path, f"{CONTROL}pause", f"{CONTROL}principal", "a\x1b[31m\nb")
    assert ended.code == 0
    assert ended.out.count("\n") == 1
    assert "\x1b" not in ended.out


@pytest.mark.parametrize("option", ["principal", "rbac-policy", "state-dir"])
def test_bytes_that_are_no_text(tmp_path: Path, option: str) -> None:
    program = programs.script(PROGRAM)
    child = subprocess.run(
        [program, f"{CONTROL}pause", f"{CONTROL}{option}", b"\xff\xfe"],
        cwd=tmp_path, env=programs.environment(), capture_output=True, check=False, timeout=30,
    )  # fmt: skip
    # A policy that is named must be there.
    assert child.returncode == {"principal": 2, "rbac-policy": 1, "state-dir": 0}[option]
    assert b"Traceback" not in child.stderr
    assert b"unexpected" not in child.stderr


def test_no_model_library_is_loaded(tmp_path: Path) -> None:
    command = [f"{CONTROL}pause", f"{CONTROL}state-dir", str(tmp_path / "state")]
    _, modules = imported_by(PROGRAM, *command)
    loaded = {name.partition(".")[0] for name in modules}
    assert sorted(loaded & (HEAVY - {"asyncio", "orjson", "ssl", "email", "http"})) == []

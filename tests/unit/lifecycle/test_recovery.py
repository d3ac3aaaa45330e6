"""What a resume does, for every combination of what it can find."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from recovery.control_cases import RUN, WHO, checkpoint, command, save, start, status
from tau.domain.actions import Action
from tau.domain.json import content_hash
from tau.errors import ControlError, RecoveryRefused, TauError
from tau.files.lock import FileLock
from tau.lifecycle.commands import ControlResult
from tau.lifecycle.paths import StateDir

CONTROL = ("missing", "running", "paused", "cancelled", "rollback_requested")
STATUS = ("missing", "running", "completed", "failed", "cancelled", "unreadable")
FILES = ("good", "bad", "missing")


def crash(control: str, run_state: str, *, alive: bool) -> bool:
    """The contract's sentence, in its own words."""
    stopped = run_state in ("completed", "failed", "cancelled")
    return control in ("running", "rollback_requested") and not stopped and not alive


def write_control(folder: Path, state: str) -> None:
    if state == "missing":
        return
    document = {
        "schema_version": 1, "updated_unix_ms": 5, "lifecycle_state": state,
        "last_action": "start", "principal": "local:someone",
        "rollback_checkpoint": "old.json" if state == "rollback_requested" else None,
    }  # fmt: skip
    (folder / "control-state.json").write_text(json.dumps(document))


def write_status(folder: Path, state: str) -> None:
    if state == "unreadable":
        (folder / "status.json").write_bytes(b'{"run_state": "runn')
    elif state != "missing":
        status(folder, state)


def write_checkpoints(folder: Path, primary: str, fallback: str) -> None:
    save(folder, 1)
    save(folder, 2)
    place = StateDir(folder)
    for path, state in ((place.checkpoint, primary), (place.fallback_checkpoint, fallback)):
        if state == "missing":
            path.unlink()
        elif state == "bad":
            path.write_bytes(path.read_bytes().replace(b"wave", b"save"))


@pytest.mark.parametrize(
    ("control", "run_state", "primary", "fallback", "alive"),
    list(product(CONTROL, STATUS, FILES, FILES, (False, True))),
)
def test_the_crash_table(
    tmp_path: Path, control: str, run_state: str, primary: str, fallback: str, alive: bool
) -> None:
    place = StateDir(tmp_path)
    write_control(tmp_path, control)
    write_status(tmp_path, run_state)
    write_checkpoints(tmp_path, primary, fallback)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    lock = FileLock(place.run_lock)
    if alive:
        assert lock.acquire(b"{}")
    crashed = crash(control, run_state, alive=alive)
    source = "primary" if primary == "good" else "fallback" if fallback == "good" else None
    if crashed and source is None:
        with pytest.raises(RecoveryRefused) as refused:
            command(tmp_path, Action.RESUME)
        check_refusal(tmp_path, str(refused.value), before)
    else:
        check_resumed(command(tmp_path, Action.RESUME), control, run_state, crashed, source)
    lock.release()


def check_refusal(folder: Path, said: str, before: dict[str, bytes]) -> None:
    place = StateDir(folder)
    start_of_it = (
        "resume recovery guardrail: crash detected but checkpoint restore failed "
        f"(primary='{place.checkpoint}' fallback='{place.fallback_checkpoint}')"
    )
    assert said.startswith(start_of_it)
    assert "primary: " in said[len(start_of_it) :]
    assert "fallback: " in said[len(start_of_it) :]
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    line = json.loads(after.pop("control-audit.jsonl"))
    assert (line["action"], line["decision"]) == ("resume", "failed")
    del after["control.lock"]
    assert after == before


def check_resumed(
    result: ControlResult, control: str, run_state: str, crashed: bool, source: str | None
) -> None:
    report = json.loads(result.folder.recovery_report.read_text())
    expected_source = source if crashed else None
    waves = {"primary": 2, "fallback": 1, None: None}[expected_source]
    assert list(report)[:2] == ["schema_version", "recovered_at_unix_ms"]
    assert {name: report[name] for name in report if name not in (
        "schema_version", "recovered_at_unix_ms", "diagnostics"
    )} == {
        "principal": WHO,
        "crash_detected": crashed,
        "prior_lifecycle_state": control,
        "prior_training_state": None if run_state in ("missing", "unreadable") else run_state,
        "replayed_audit_events": 0,
        "replayed_actions": [],
        "checkpoint_source": expected_source,
        "checkpoint_run_id": str(RUN.id) if waves else None,
        "checkpoint_global_step": 10 * waves if waves else None,
        "checkpoint_optimizer_step": waves,
    }  # fmt: skip
    said = report["diagnostics"]
    failed = any(one.startswith("primary checkpoint load failed: ") for one in said)
    assert failed == (expected_source == "fallback")
    assert any("no checkpoint restore was required" in one for one in said) == (not crashed)
    assert any("training status cannot be used" in one for one in said) == (
        run_state == "unreadable"
    )
    state = json.loads(result.folder.control_state.read_text())
    assert (state["lifecycle_state"], state["rollback_checkpoint"]) == ("running", None)
    assert result.idempotent == (control in ("running", "missing"))
    [line] = result.folder.audit.read_text().splitlines()
    assert json.loads(line)["recovery_checkpoint_source"] == expected_source


def test_a_folder_that_no_run_used_is_no_crash_however_often_it_is_resumed(tmp_path: Path) -> None:
    found = [command(tmp_path, Action.RESUME) for _ in range(3)]
    assert [one.recovery and one.recovery.crash_detected for one in found] == [False] * 3
    assert [one.recovery and len(one.recovery.replayed_actions) for one in found] == [0, 1, 2]


def test_a_state_that_nothing_explains_is_a_crash(tmp_path: Path) -> None:
    write_control(tmp_path, "running")
    text = (tmp_path / "control-state.json").read_text().replace('"start"', '"resume"')
    (tmp_path / "control-state.json").write_text(text)
    with pytest.raises(RecoveryRefused):
        command(tmp_path, Action.RESUME)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"action": 7}', "string 'action'"),
        ("[1]", "string 'action'"),
        ("{}", "string 'action'"),
        ('{"action": "pause"', "not JSON"),
        ("\0", "not JSON"),
    ],
)
def test_a_malformed_audit_line_stops_a_resume_and_is_named(
    tmp_path: Path, line: str, why: str
) -> None:
    start(tmp_path)
    save(tmp_path, 1)
    audit = tmp_path / "control-audit.jsonl"
    audit.write_text(f'{{"action": "pause"}}\n\n{line}\n{{"action": "resume"}}\n')
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ControlError) as failed:
        command(tmp_path, Action.RESUME)
    text = str(failed.value)
    assert f"failed to parse training control audit line 3 from '{audit}'" in text
    assert why in text
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_torn_last_line_is_set_aside_and_reported(tmp_path: Path) -> None:
    start(tmp_path)
    save(tmp_path, 1)
    with (tmp_path / "control-audit.jsonl").open("ab") as file:
        file.write(b'{"action": "pau')
    result = command(tmp_path, Action.RESUME)
    assert any("torn" in note for note in result.notes)
    assert (tmp_path / "control-audit.jsonl.torn-2").read_bytes() == b'{"action": "pau'
    assert command(tmp_path, Action.PAUSE).idempotent is False


MANY: dict[str, bytes | None] = {
    "missing": None,
    "empty": b"",
    "blank": b" \n",
    "truncated": b'{"schema_version": 1, "lifecyc',
    "not JSON": b"hello",
    "another type": b"[]",
    "a number": b"7",
    "another version": b'{"schema_version": 2, "checkpoint_version": 9}',
    "a version that is text": b'{"schema_version": "1", "checkpoint_version": "1"}',
    "a NUL": b'{"schema_version": 1, "lifecycle_state": "\0"}',
    "not text": b'{"schema_version": 1, "principal": "\xff"}',
    "deep": b"[" * 5000 + b"]" * 5000,
    "deep inside": b'{"checkpoint_version": 1, "x": ' + b"[" * 400 + b"]" * 400 + b"}",
    "strange": json.dumps({
        "schema_version": 1, "lifecycle_state": ["running"], "last_action": None, "principal": {},
        "updated_unix_ms": "x", "run_state": [], "action": [], "run_id": 7,
        "policy_state": [], "optimizer_state": 1, "global_step": -1, "optimizer_step": True,
        "saved_at_unix_seconds": 1e99, "checkpoint_version": 1,
    }).encode(),
    "huge": b" " * 100_000_000,
}  # fmt: skip
ARTIFACTS = (
    "control-state.json", "control-audit.jsonl", "status.json", "policy-checkpoint.json",
    "policy-checkpoint.rollback.json", "recovery-report.json", "policy-checkpoint.requested.json",
)  # fmt: skip


@pytest.mark.parametrize("kind", MANY)
@pytest.mark.parametrize("name", ARTIFACTS)
def test_whatever_a_file_holds_status_answers_and_others_do_or_say_why(
    tmp_path: Path, name: str, kind: str
) -> None:
    start(tmp_path)
    save(tmp_path, 1)
    save(tmp_path, 2)
    status(tmp_path, "running")
    content = MANY[kind]
    (tmp_path / name).unlink(missing_ok=True)
    if content is not None:
        (tmp_path / name).write_bytes(content)
    found = command(tmp_path, Action.STATUS)
    json.dumps(found.document())
    for action in (Action.PAUSE, Action.RESUME, Action.CANCEL):
        if name == "control-state.json" and kind != "missing":
            with pytest.raises(ControlError, match=name.replace(".", r"\.")):
                command(tmp_path, action)
        else:
            command(tmp_path, action)


NEEDED = ("control-state.json", "control-audit.jsonl", "recovery-report.json")


@pytest.mark.parametrize("name", ARTIFACTS)
def test_a_folder_in_a_files_place_is_said_and_nothing_changes(tmp_path: Path, name: str) -> None:
    start(tmp_path)
    save(tmp_path, 1)
    save(tmp_path, 2)
    (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / name).mkdir()
    state = tmp_path / "control-state.json"
    before = state.read_bytes() if state.is_file() else None
    assert command(tmp_path, Action.STATUS).folder.root == tmp_path
    try:
        command(tmp_path, Action.RESUME)
    except TauError as error:
        failure = str(error)
    else:
        failure = ""
    assert bool(failure) == (name in NEEDED)
    if failure:
        assert name in failure
        assert (state.read_bytes() if state.is_file() else None) == before


def test_the_states_of_other_programs_are_good_checkpoints(tmp_path: Path) -> None:
    """A file of the reference has no hash and no algorithm of ours."""
    start(tmp_path)
    document: dict[str, Any] = {
        "checkpoint_version": 1, "run_id": "theirs", "policy_state": {"w": 1},
        "optimizer_state": {}, "global_step": 3, "optimizer_step": 2, "saved_at_unix_seconds": 9,
    }  # fmt: skip
    (tmp_path / "policy-checkpoint.json").write_text(json.dumps(document))
    result = command(tmp_path, Action.RESUME)
    assert result.document()["checkpoint_run_id"] == "theirs"
    assert result.document()["recovery_checkpoint_source"] == "primary"


def test_damage_that_still_parses_is_found(tmp_path: Path) -> None:
    start(tmp_path)
    save(tmp_path, 1)
    save(tmp_path, 2)
    path = tmp_path / "policy-checkpoint.json"
    document = json.loads(path.read_text())
    document["optimizer_state"]["waves"] = 3
    path.write_text(json.dumps(document))
    result = command(tmp_path, Action.RESUME)
    assert result.recovery is not None
    assert result.recovery.checkpoint_source == "fallback"
    assert "its hash does not match" in result.notes[0]
    document["hash"] = content_hash({k: v for k, v in document.items() if k != "hash"})
    path.write_text(json.dumps(document))
    status(tmp_path, "running")
    again = command(tmp_path, Action.RESUME)
    assert again.recovery is not None
    assert again.recovery.checkpoint_source == "primary"


def test_the_file_holds_everything_of_a_checkpoint(tmp_path: Path) -> None:
    save(tmp_path, 2)
    document = json.loads((tmp_path / "policy-checkpoint.json").read_text())
    expected = checkpoint(2)
    assert (document["run_id"], document["global_step"], document["optimizer_step"]) == (
        "run-1", 20, 2,
    )  # fmt: skip
    assert document["optimizer_state"] == expected.state
    assert document["policy_state"]["resources"] == expected.best.values
    assert document["spent"] == {
        "rollouts": 3, "calls": 4, "tokens": 0, "cost_nano_usd": 0,
        "assumed_tokens": 0, "assumed_cost_nano_usd": 0,
    }  # fmt: skip
    assert (tmp_path / "policy-checkpoint.json").stat().st_mode & 0o777 == 0o600

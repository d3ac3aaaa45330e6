"""The five commands: what each writes, refuses and says."""

import json
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from recovery.control_cases import RUN, WHO, checkpoint, command, prepare, save, start, status
from tau.domain.actions import Action
from tau.errors import AccessDenied, ControlError, FileError, PolicyInvalid, TauError
from tau.files.lock import FileLock
from tau.lifecycle.authorization import Authorizer, PolicyFile
from tau.lifecycle.checkpoint_file import load_checkpoint, save_checkpoint
from tau.lifecycle.commands import Command, Lifecycle, run_is_alive
from tau.lifecycle.paths import StateDir
from tau.ports.clock import SystemClock

CONTRACT_KEYS = [
    "schema_version", "state_dir", "control_state_path", "control_audit_path", "action",
    "principal", "idempotent", "rollback_checkpoint", "checkpoint_run_id", "recovery_report_path",
    "recovery_checkpoint_source", "recovery_crash_detected", "recovery_replayed_audit_events",
    "control_state", "training_status",
]  # fmt: skip
AUDIT_KEYS = {
    "schema_version", "timestamp_unix_ms", "principal", "action", "action_key", "lifecycle_state",
    "idempotent", "rollback_checkpoint", "recovery_checkpoint_source", "sequence", "reason",
    "decision", "hash", "previous_hash",
}  # fmt: skip


def audit(folder: Path) -> list[dict[str, object]]:
    path = StateDir(folder).audit
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.mark.parametrize(
    ("action", "state"),
    [
        (Action.PAUSE, "paused"),
        (Action.RESUME, "running"),
        (Action.CANCEL, "cancelled"),
        (Action.ROLLBACK, "rollback_requested"),
    ],
)
def test_an_action_twice(tmp_path: Path, action: Action, state: str) -> None:
    prepare(tmp_path)
    target = "policy-checkpoint.json" if action is Action.ROLLBACK else None
    first = command(tmp_path, action, target=target)
    second = command(tmp_path, action, target=target)
    assert (first.idempotent, second.idempotent) == (action is Action.RESUME, True)
    document = second.document()
    assert list(document)[: len(CONTRACT_KEYS)] == CONTRACT_KEYS
    written = json.loads(StateDir(tmp_path).control_state.read_text())
    assert (written["lifecycle_state"], written["last_action"]) == (state, str(action))
    assert written["rollback_checkpoint"] == (str(tmp_path / target) if target else None)
    lines = audit(tmp_path)[1:]
    assert [line["idempotent"] for line in lines] == [first.idempotent, True]
    assert set(lines[0]) >= AUDIT_KEYS
    assert {line["action_key"] for line in lines} == {f"control:rl:{action}"}
    assert StateDir(tmp_path).control_state.stat().st_mode & 0o777 == 0o600


def test_status_writes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "none"
    assert command(folder, Action.STATUS).document()["control_state"] is None
    assert not folder.exists()
    prepare(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    result = command(folder, Action.STATUS)
    assert result.idempotent is None
    assert "process is gone" in result.notes[0]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_dry_run_tells_the_effect_and_writes_nothing(tmp_path: Path) -> None:
    prepare(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    lifecycle = Lifecycle(
        StateDir(tmp_path), Authorizer(PolicyFile(tmp_path / "none")), SystemClock()
    )
    found = lifecycle.preview(Command(action=Action.RESUME, principal=WHO))
    assert found.recovery is not None
    assert found.recovery.checkpoint_source == "primary"
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("action", list(Action))
def test_a_denied_action_is_audited_and_changes_nothing(tmp_path: Path, action: Action) -> None:
    prepare(tmp_path)
    state = StateDir(tmp_path).control_state
    before = state.read_bytes()
    with pytest.raises(AccessDenied) as denied:
        command(tmp_path, action, policy=tmp_path / "policy.json", principal="local:stranger",
                target="policy-checkpoint.json" if action is Action.ROLLBACK else None)  # fmt: skip
    assert denied.value.what == (
        f"failed to authorize prompt-optimization lifecycle action '{action}'"
    )
    assert "reason_code=deny_unbound_principal" in str(denied.value)
    line = audit(tmp_path)[-1]
    assert (line["decision"], line["reason_code"], line["principal"], line["action"]) == (
        "denied", "deny_unbound_principal", "local:stranger", str(action),
    )  # fmt: skip
    assert state.read_bytes() == before


def test_a_malformed_policy_denies_everything(tmp_path: Path) -> None:
    prepare(tmp_path)
    (tmp_path / "bad.json").write_text('{"schema_version": 1, "team_mode": "no"}')
    for action in (Action.STATUS, Action.PAUSE):
        with pytest.raises(PolicyInvalid, match="failed to authorize"):
            command(tmp_path, action, policy=tmp_path / "bad.json")
    assert [line["decision"] for line in audit(tmp_path)[1:]] == ["denied", "denied"]


def test_a_rollback_needs_a_checkpoint_of_this_run(tmp_path: Path) -> None:
    prepare(tmp_path)
    place = StateDir(tmp_path)
    before = place.control_state.read_bytes()
    other = StateDir(tmp_path / "other")
    run = replace(RUN, config_hash="other")
    save_checkpoint(other.checkpoint, other.fallback_checkpoint, checkpoint(1), run=run)
    algorithm = StateDir(tmp_path / "algorithm")
    save_checkpoint(
        algorithm.checkpoint, algorithm.fallback_checkpoint,
        replace(checkpoint(1), algorithm="another"), run=RUN,
    )  # fmt: skip
    for target, why in (
        ("none.json", "no such file"),
        ("policy.json", "missing required checkpoint field `checkpoint_version`"),
        ("other/policy-checkpoint.json", "another configuration"),
        ("algorithm/policy-checkpoint.json", "one of algorithm 'another'"),
        (".", "not a regular file"),
    ):
        with pytest.raises(ControlError) as refused:
            command(tmp_path, Action.ROLLBACK, target=target)
        said = str(refused.value)
        assert said.startswith(f"failed to load rollback checkpoint '{tmp_path / target}'")
        assert why in said
        assert audit(tmp_path)[-1]["decision"] == "failed"
    assert place.control_state.read_bytes() == before
    assert not place.requested_checkpoint.exists()


def test_what_a_rollback_goes_back_to_is_kept_when_files_rotate(tmp_path: Path) -> None:
    prepare(tmp_path)
    place = StateDir(tmp_path)
    wanted = place.fallback_checkpoint.read_bytes()
    command(tmp_path, Action.ROLLBACK, target="policy-checkpoint.rollback.json")
    save(tmp_path, 3)
    assert place.fallback_checkpoint.read_bytes() != wanted
    assert place.requested_checkpoint.read_bytes() == wanted


def test_a_damaged_checkpoint_never_pushes_a_good_one_out(tmp_path: Path) -> None:
    prepare(tmp_path)
    place = StateDir(tmp_path)
    good = place.fallback_checkpoint.read_bytes()
    place.checkpoint.write_bytes(b"{}")
    save(tmp_path, 3)
    assert place.fallback_checkpoint.read_bytes() == good
    assert load_checkpoint(place.checkpoint).optimizer_step == 3


def test_a_state_dir_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert command(tmp_path / "file", Action.STATUS).training_status is None
    with pytest.raises(ControlError, match="is not a folder"):
        command(tmp_path / "file", Action.PAUSE)


def test_a_state_dir_below_a_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert command(tmp_path / "file" / "in", Action.STATUS).training_status is None
    with pytest.raises(FileError, match="a file is on the way to it"):
        command(tmp_path / "file" / "in", Action.PAUSE)


@pytest.mark.parametrize("name", ["run.lock", "control.lock"])
def test_a_pipe_in_the_place_of_a_lock_blocks_nobody(tmp_path: Path, name: str) -> None:
    prepare(tmp_path)
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name)
    lock = FileLock(tmp_path / name)
    assert (lock.taken(), lock.holder()) == (False, b"")
    with pytest.raises(FileError, match="not a regular file"):
        lock.acquire()
    assert command(tmp_path, Action.STATUS).training_status is not None


def test_a_run_that_lives_is_no_crash(tmp_path: Path) -> None:
    prepare(tmp_path)
    StateDir(tmp_path).checkpoint.unlink()
    StateDir(tmp_path).fallback_checkpoint.unlink()
    lock = FileLock(StateDir(tmp_path).run_lock)
    assert lock.acquire(b"{}")
    assert run_is_alive(StateDir(tmp_path))
    assert run_is_alive(StateDir(tmp_path)), "asking must not take the lock"
    result = command(tmp_path, Action.RESUME)
    assert result.alive
    assert result.recovery is not None
    assert not result.recovery.crash_detected
    lock.release()
    assert not run_is_alive(StateDir(tmp_path))


def test_two_operators_at_once_are_one_after_the_other(tmp_path: Path) -> None:
    start(tmp_path)
    status(tmp_path, "completed")
    failures: list[TauError] = []

    def act(action: Action) -> None:
        try:
            for _ in range(10):
                command(tmp_path, action)
        except TauError as error:
            failures.append(error)

    threads = [
        threading.Thread(target=act, args=(action,))
        for action in (Action.PAUSE, Action.RESUME, Action.CANCEL)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    lines = audit(tmp_path)[1:]
    assert [line["sequence"] for line in lines] == list(range(2, 32))
    state = "running"
    wanted = {"pause": "paused", "resume": "running", "cancel": "cancelled"}
    for line in lines:
        after = wanted[str(line["action"])]
        assert line["idempotent"] == (after == state), "it did not see what came before"
        state = after


def test_the_control_lock_is_waited_for_and_then_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tau.lifecycle.register._LOCK_TIMEOUT_S", 0.1)
    start(tmp_path)
    lock = FileLock(StateDir(tmp_path).control_lock)
    assert lock.acquire()
    with pytest.raises(FileError, match="stayed locked"):
        command(tmp_path, Action.PAUSE)
    assert command(tmp_path, Action.STATUS).state is not None
    lock.release()

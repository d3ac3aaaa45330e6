"""Lifecycle control survives kill -9 around every effect, and a full disk at any of them."""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from recovery.control_cases import CASES, EFFECTS, command, prepare
from tau.domain.actions import Action
from tau.errors import TauError
from tau.files.documents import read_document
from tau.lifecycle.audit import AuditTrail, head_of
from tau.lifecycle.checkpoint_file import load_checkpoint
from tau.lifecycle.paths import StateDir
from tau.lifecycle.state import load_audit_line, load_state

TESTS = Path(__file__).parents[1]


def check_whole(folder: Path) -> None:
    """Each file is old or new, never half."""
    place = StateDir(folder)
    assert load_state(place.control_state) is not None
    waves = [load_checkpoint(place.checkpoint), load_checkpoint(place.fallback_checkpoint)]
    assert [one.optimizer_step for one in waves] in ([2, 1], [2, 2], [3, 2])
    read_document(place.recovery_report)
    read_document(place.requested_checkpoint)
    AuditTrail(place.audit).read()


def check_state_is_not_behind(folder: Path) -> None:
    """The audit tells of nothing that did not happen."""
    place = StateDir(folder)
    line = load_audit_line(place.control_state)
    assert line is not None
    lines, _ = AuditTrail(place.audit).read()
    assert head_of(line).sequence >= len(lines), "audited, but never done"


def check_next_command(folder: Path) -> None:
    """It works, and the audit tells of everything that the state says."""
    place = StateDir(folder)
    promised = load_audit_line(place.control_state)
    assert command(folder, Action.STATUS).state is not None
    assert command(folder, Action.RESUME).state is not None
    trail = AuditTrail(place.audit)
    lines, torn = trail.read()
    assert not torn
    assert trail.verify(*map(head_of, filter(None, [load_audit_line(place.control_state)]))) == []
    assert promised in [one.raw for one in lines], "a change of state was not audited"
    left = {path.name for path in folder.iterdir() if "tau-tmp" in path.name}
    assert left == set(), "orphans stay"


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a kill nor a full disk shows whether a file was synced; test_atomic does."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.mark.storm
def test_everything_is_whole_after_kill_9_around_every_effect(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "recovery.control_child", tmp_path],
        cwd=TESTS, capture_output=True, text=True, check=False, timeout=55,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    killed = [line.split(maxsplit=3) for line in done.stdout.splitlines()]
    assert {case for case, *_ in killed} == set(CASES)
    assert len(killed) > 150, "the kills did not reach every effect"
    for case, effect, moment, folder in killed:
        try:
            check_whole(Path(folder))
            if case != "repair":
                check_state_is_not_behind(Path(folder))
            check_next_command(Path(folder))
        except AssertionError as error:
            raise AssertionError(f"{case}, killed {moment} effect {effect}: {error}") from error


def full_disk(patch: pytest.MonkeyPatch, nth: int, stays: bool) -> list[str]:
    """Let effect number `nth` fail, and with `stays` those after it that need space."""
    seen: list[str] = []

    def wrap(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            needs_space = name in ("write", "fsync", "link", "rename") or (
                name == "open" and args[1] & os.O_CREAT and not Path(args[0]).exists()
            )
            if not needs_space:
                return real(*args, **kwargs)
            seen.append(name)
            if len(seen) == nth or (stays and len(seen) > nth and name != "rename"):
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(*args, **kwargs)

        return call

    for name in EFFECTS:
        patch.setattr(os, name, wrap(name, getattr(os, name)))
    return seen


@pytest.mark.parametrize("stays", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("case", CASES)
def test_a_full_disk_changes_nothing_or_everything(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    case: str,
    stays: bool,
) -> None:
    prepare(tmp_path / "before")
    refused = 0
    for nth in range(1, 100):
        folder = tmp_path / str(nth)
        shutil.copytree(tmp_path / "before", folder)
        place = StateDir(folder)
        before = place.control_state.read_bytes()
        with monkeypatch.context() as patch:
            seen = full_disk(patch, nth, stays)
            failure: TauError | None = None
            try:
                CASES[case](folder)
            except TauError as error:
                failure = error
        if len(seen) < nth:
            break
        check_whole(folder)
        if failure is not None:
            refused += 1
            assert "No space left" in str(failure)
            assert place.control_state.read_bytes() == before, (nth, seen)
            assert not place.recovery_report.exists(), (nth, seen)
            assert not place.requested_checkpoint.exists(), (nth, seen)
        assert [path.name for path in folder.iterdir() if "tau-tmp" in path.name] == []
        check_next_command(folder)
    assert refused >= 4


def test_the_line_that_a_crash_kept_from_the_audit_is_written_by_the_next_command(
    tmp_path: Path,
) -> None:
    prepare(tmp_path)
    command(tmp_path, Action.PAUSE)
    place = StateDir(tmp_path)
    *kept, _ = place.audit.read_bytes().splitlines(keepends=True)
    place.audit.write_bytes(b"".join(kept))
    command(tmp_path, Action.PAUSE)
    actions = [orjson.loads(line)["action"] for line in place.audit.read_bytes().splitlines()]
    assert actions == ["start", "pause", "pause"]

"""What a start makes of the control files that it finds."""

import json
from pathlib import Path
from typing import Any

import pytest

from tau.domain.actions import Action
from tau.domain.ids import RunId
from tau.domain.run import RunStatus
from tau.errors import ControlError, RunStopped
from tau.lifecycle.authorization import Authorizer, PolicyFile
from tau.lifecycle.commands import Command, Lifecycle
from tau.lifecycle.paths import StateDir
from tau.ports.clock import SystemClock
from tau.testing.provider import LoopbackProvider
from tau.wiring.stores import open_store
from unit.wiring.test_session import Place


def ask(folder: Path, action: Action, checkpoint: Path | None = None) -> None:
    lifecycle = Lifecycle(StateDir(folder), Authorizer(PolicyFile(folder / "none")), SystemClock())
    lifecycle.execute(Command(action=action, principal="local:test", checkpoint=checkpoint))


def audit(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in StateDir(folder).audit.read_text().splitlines()]


@pytest.mark.parametrize("action", [Action.PAUSE, Action.CANCEL])
async def test_a_new_run_resets_a_stale_desired_state(tmp_path: Path, action: Action) -> None:
    async with LoopbackProvider() as provider:
        place = Place(tmp_path, provider)
        await place.run()
        ask(tmp_path, action)
        report = await place.run()
    assert report.status is RunStatus.COMPLETED
    assert [line["action"] for line in audit(tmp_path)] == ["start", str(action), "start"]
    state = json.loads(StateDir(tmp_path).control_state.read_text())
    assert (state["lifecycle_state"], state["run_id"]) == ("running", report.run_id)


async def test_a_paused_run_is_not_started_and_a_cancelled_one_ends(tmp_path: Path) -> None:
    async with LoopbackProvider() as provider:
        place = Place(tmp_path, provider)
        first = await place.run(budget={"calls": 8})
        assert first.status is RunStatus.FAILED
        ask(tmp_path, Action.PAUSE)
        with pytest.raises(RunStopped, match="was paused by local:test"):
            await place.run()
        assert provider.calls == 8
        ask(tmp_path, Action.CANCEL)
        second = await place.run()
        assert second.run_id != first.run_id
        async with await open_store(place.store, read_only=True) as store:
            old = await store.runs.get(RunId(first.run_id))
    assert old.status is RunStatus.CANCELLED


async def test_an_unreadable_desired_state_keeps_a_run_from_starting(tmp_path: Path) -> None:
    async with LoopbackProvider() as provider:
        place = Place(tmp_path, provider)
        StateDir(tmp_path).control_state.write_text("{")
        with pytest.raises(ControlError, match=r"control-state\.json' cannot be used"):
            await place.run()
        assert provider.calls == 0


async def test_a_rollback_that_cannot_be_carried_out_is_said_and_the_run_goes_on(
    tmp_path: Path,
) -> None:
    theirs = {
        "checkpoint_version": 1, "run_id": "theirs", "policy_state": {}, "optimizer_state": {},
        "global_step": 1, "optimizer_step": 1, "saved_at_unix_seconds": 1,
    }  # fmt: skip
    (tmp_path / "theirs.json").write_text(json.dumps(theirs))
    async with LoopbackProvider() as provider:
        place = Place(tmp_path, provider)
        await place.run(budget={"calls": 8})
        ask(tmp_path, Action.ROLLBACK, tmp_path / "theirs.json")
        report = await place.run()
    assert report.status is RunStatus.COMPLETED
    failed = audit(tmp_path)[-1]
    assert failed["action"] == "rollback_failed"
    assert "written by another program" in failed["detail"]
    assert json.loads(StateDir(tmp_path).control_state.read_text())["lifecycle_state"] == "running"


async def test_a_stopped_run_rolls_back_when_it_is_next_started(tmp_path: Path) -> None:
    async with LoopbackProvider() as provider:
        place = Place(tmp_path, provider)
        first = await place.run(budget={"calls": 8}, resources={"system_prompt": "Echo."})
        ask(tmp_path, Action.ROLLBACK, StateDir(tmp_path).checkpoint)
        report = await place.run(resources={"system_prompt": "Echo."})
    assert (report.run_id, report.status) == (first.run_id, RunStatus.COMPLETED)
    assert report.best_version == "resources-2"
    assert [line["action"] for line in audit(tmp_path)] == [
        "start", "rollback", "start", "rollback_done",
    ]  # fmt: skip


async def test_a_run_that_the_store_knows_goes_on_without_a_word_of_loss(tmp_path: Path) -> None:
    async with LoopbackProvider() as provider:
        place = Place(tmp_path, provider)
        first = await place.run(budget={"calls": 8})
        report = await place.run()
    assert report.run_id == first.run_id
    assert not [notice for notice in place.watcher.notices if "does not know" in notice]

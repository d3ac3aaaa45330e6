"""Commands given through the store: numbered one by one, and taken in by the files once."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tau.domain.actions import Action, ControlState, DesiredState, LifecycleState
from tau.domain.ids import RunId
from tau.domain.run import Run, RunStatus
from tau.errors import AccessDenied, ControlError, StoreDamaged, StoreUnavailable
from tau.lifecycle.authorization import PolicyFile
from tau.lifecycle.commands import Command, ControlResult
from tau.lifecycle.paths import StateDir
from tau.lifecycle.projection import Projection, later
from tau.lifecycle.register import Register
from tau.lifecycle.state import load_state, save_state
from tau.ports.clock import SystemClock
from tau.ports.desired_states import DesiredStates
from tau.ports.store import Store
from tau.wiring.store_control import control_in_store, steer
from tau.wiring.stores import open_store

ONE, TWO = RunId("run-20260101-000000-aaaaaa"), RunId("run-20260101-000000-bbbbbb")


@dataclass
class Place:
    """A store with two unfinished runs; `driven` has the files of one, `far` those of none."""

    store: Store
    location: str
    driven: StateDir
    far: StateDir
    policy: PolicyFile

    async def ask(self, action: Action, run: str = ONE, who: str = "local:ann") -> ControlResult:
        command = Command(action=action, principal=who, run_id=run)
        return await control_in_store(self.far, self.location, command, policy=self.policy)

    def projection(self) -> Projection:
        return Projection(self.driven, Register(self.driven), SystemClock(), ONE)

    def state(self) -> ControlState:
        found = load_state(self.driven.control_state)
        assert found is not None
        return found

    async def record(self, run: RunId = ONE) -> DesiredState:
        found = await self.store.desired_states.find(run)
        assert found is not None
        return found

    def audited(self, folder: StateDir | None = None) -> list[dict[str, Any]]:
        lines = (folder or self.driven).audit.read_text().splitlines()
        return [json.loads(line) for line in lines]


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    location = str(tmp_path / "store.sqlite")
    driven, far = StateDir(tmp_path / "driven"), StateDir(tmp_path / "far")
    for folder in (driven, far):
        folder.root.mkdir()
    async with await open_store(location) as store:
        for run in (ONE, TWO):
            await store.runs.create(
                Run(id=run, config_hash="0" * 64, model_ref="none", seed=0,
                    algorithm="evaluate", config={})
            )  # fmt: skip
        yield Place(store, location, driven, far, PolicyFile(tmp_path / "policy.json"))


async def test_two_controllers_at_once_make_two_records_of_which_one_changes_something(
    place: Place,
) -> None:
    results = await asyncio.gather(
        *(place.ask(Action.PAUSE, who=f"local:{name}") for name in ("ann", "bob", "eve"))
    )
    assert (await place.record()).sequence == 3
    assert sorted(str(result.idempotent) for result in results) == ["False", "True", "True"]


async def test_a_cancelled_run_that_is_still_ending_is_not_let_go_on(place: Place) -> None:
    cancelled = ControlState(
        lifecycle_state=LifecycleState.CANCELLED, last_action="cancel", principal="local:bob",
        updated_unix_ms=1,
    )  # fmt: skip
    await place.store.desired_states.put(ONE, cancelled)
    with pytest.raises(ControlError, match="was cancelled by local:bob"):
        await place.ask(Action.RESUME)
    assert (await place.record()).sequence == 1


async def test_a_record_is_taken_in_and_audited_once(place: Place) -> None:
    await place.ask(Action.PAUSE)
    for _ in range(3):
        await place.projection().agree(place.store.desired_states)
    assert [(line["action"], line["principal"]) for line in place.audited()] == [
        ("pause", "local:ann")
    ]
    assert place.state().store_sequence == (await place.record()).sequence == 1


class Torn:
    """Puts the record, and then the process is gone."""

    def __init__(self, store: Store) -> None:
        self._real: DesiredStates = store.desired_states

    async def find(self, run_id: RunId) -> DesiredState | None:
        return await self._real.find(run_id)

    async def put(
        self,
        run_id: RunId,
        state: ControlState,
        *,
        checkpoint: bytes | None = None,
        after: int | None = None,
    ) -> DesiredState:
        await self._real.put(run_id, state, checkpoint=checkpoint, after=after)
        raise StoreUnavailable("gone")


async def test_a_crash_between_record_and_file_repeats_nothing(place: Place) -> None:
    await place.ask(Action.PAUSE)
    await place.projection().agree(place.store.desired_states)
    resumed = replace(
        place.state(), lifecycle_state=LifecycleState.RUNNING, last_action="resume",
        updated_unix_ms=place.state().updated_unix_ms + 1,
    )  # fmt: skip
    save_state(place.driven.control_state, resumed, None)
    with pytest.raises(StoreUnavailable):
        await place.projection().agree(Torn(place.store))
    assert (place.state().store_sequence, (await place.record()).sequence) == (1, 2)
    await place.projection().agree(place.store.desired_states)
    assert place.state().says_the_same(resumed)
    assert place.state().store_sequence == (await place.record()).sequence == 2
    assert len(place.audited()) == 1


async def test_what_is_said_to_a_store_restored_from_a_backup_is_heard(place: Place) -> None:
    for action in (Action.PAUSE, Action.RESUME, Action.PAUSE, Action.RESUME):
        await place.ask(action)
    await place.projection().agree(place.store.desired_states)
    with sqlite3.connect(place.location) as connection:
        connection.execute("UPDATE desired_state SET sequence = 1, lifecycle_state = 'paused'")
    restored = await place.record()
    old = replace(restored, state=replace(restored.state, updated_unix_ms=1))
    assert later(place.state(), old) == place.state()

    await place.ask(Action.PAUSE, who="local:bob")
    await place.projection().agree(place.store.desired_states)
    assert (place.state().lifecycle_state, place.state().principal) == ("paused", "local:bob")
    assert place.state().store_sequence == 2


async def test_a_record_that_cannot_be_read_allows_nothing(place: Place) -> None:
    await place.ask(Action.PAUSE)
    with sqlite3.connect(place.location) as connection:
        connection.execute("UPDATE desired_state SET lifecycle_state = 'dancing'")
    with pytest.raises(StoreDamaged, match="what is desired of run"):
        await place.ask(Action.RESUME)
    with pytest.raises(StoreDamaged):
        await place.projection().agree(place.store.desired_states)
    assert not place.driven.control_state.exists()


async def test_the_run_that_is_named_is_meant_whatever_the_folder_is_about(place: Place) -> None:
    await place.ask(Action.PAUSE)
    await place.projection().agree(place.store.desired_states)
    command = Command(action=Action.CANCEL, principal="local:ann", run_id=TWO[-6:])
    result = await steer(place.driven, command, policy=place.policy, store=place.location)
    assert result.training_status is not None
    assert result.training_status["run_id"] == TWO
    assert (await place.store.runs.get(TWO)).status is RunStatus.CANCELLED
    assert (await place.store.runs.get(ONE)).status is RunStatus.RUNNING
    assert place.state().lifecycle_state is LifecycleState.PAUSED


async def test_a_denial_is_audited_once_and_says_nothing_to_the_store(place: Place) -> None:
    place.policy.path.write_text(json.dumps({
        "team_mode": True, "roles": {"viewer": {"allow": ["control:rl:status"]}},
        "bindings": [{"principal": "local:eve", "roles": ["viewer"]}],
    }))  # fmt: skip
    with pytest.raises(AccessDenied):
        await place.ask(Action.PAUSE, who="local:eve")
    assert await place.store.desired_states.find(ONE) is None
    assert [line["decision"] for line in place.audited(place.far)] == ["denied"]

"""Every lifecycle action is complete: its record, its command, its flag, its control."""

from pathlib import Path

import pytest

from tau.cli.commands.group import tau_group
from tau.cli.flags import CONTROL, command
from tau.domain.actions import STEERING, Action, LifecycleState, record_of
from tau.domain.ids import RunId, WorkerId
from tau.domain.run import Run, RunStatus
from tau.gateway.responses import steps
from tau.gateway.training import StatusContent
from tau.gateway.watch import ControlFiles, Snapshot

PREFIX = "prompt_optimization_control_"


@pytest.mark.parametrize("action", Action)
def test_each_action_has_a_record_a_command_and_a_flag(action: Action) -> None:
    record = record_of(action)
    assert action.key == record.permission == f"control:rl:{action}"
    assert record.label
    assert record.done
    assert record.undriven
    assert record.ended
    assert str(action) in tau_group.commands
    assert PREFIX + action in CONTROL.selectors
    assert PREFIX + action in {each.name for each in command.params}


def test_each_state_is_desired_by_one_action_and_status_changes_nothing() -> None:
    desired = [record_of(action).desired_state for action in STEERING]
    assert sorted(map(str, desired)) == sorted(LifecycleState)
    assert set(Action) - set(STEERING) == {Action.STATUS}


@pytest.mark.parametrize(
    ("status", "possible"),
    [
        (RunStatus.RUNNING, {Action.PAUSE, Action.RESUME, Action.CANCEL, Action.ROLLBACK}),
        (RunStatus.FAILED, {Action.PAUSE, Action.RESUME, Action.CANCEL, Action.ROLLBACK}),
        (RunStatus.COMPLETED, set()),
        (RunStatus.CANCELLED, set()),
    ],
)
def test_the_dashboard_tells_of_each_action_whether_it_makes_sense(
    status: RunStatus, possible: set[Action]
) -> None:
    run = Run(id=RunId("r"), config_hash="h", model_ref="sim/rules", seed=0, algorithm="evaluate",
              config={}, trainer=WorkerId("worker-1"), status=status)  # fmt: skip
    snapshot = Snapshot(
        taken_unix_ms=1_700_000_000_000,
        run=run,
        workers=(),
        training=StatusContent(path=Path("status.json")),
        control=ControlFiles(),
    )
    found = steps(snapshot)
    assert list(found) == list(STEERING)
    assert {action for action, obstacle in found.items() if obstacle is None} == possible

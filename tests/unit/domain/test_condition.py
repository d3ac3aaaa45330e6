"""How a run is: its status, and whether its own trainer lives."""

from dataclasses import replace

import pytest

from tau.domain.condition import Condition, condition_of
from tau.domain.ids import RunId, WorkerId
from tau.domain.run import Run, RunStatus
from tau.domain.worker import WorkerRecord, WorkerRole
from tau.testing.clock import ManualProcesses

NOW_MS = 1_700_000_000_000
RUN = Run(id=RunId("r"), config_hash="h", model_ref="sim/rules", seed=0, algorithm="evaluate",
          config={}, trainer=WorkerId("mine"))  # fmt: skip
MINE = WorkerRecord(
    id=WorkerId("mine"), name="w", role=WorkerRole.TRAINER, process=ManualProcesses().this(),
    lease_ms=3_000, registered_unix_ms=0, heartbeat_unix_ms=NOW_MS - 100, retired=False,
)  # fmt: skip
OTHER = replace(MINE, id=WorkerId("other"))


@pytest.mark.parametrize(
    ("workers", "expected"),
    [
        ([MINE], Condition.RUNNING),
        ([OTHER, MINE], Condition.RUNNING),
        ([OTHER], Condition.CRASHED),
        ([], Condition.CRASHED),
        ([replace(MINE, heartbeat_unix_ms=NOW_MS - 3_001)], Condition.CRASHED),
        ([replace(MINE, retired=True)], Condition.CRASHED),
        ([replace(MINE, role=WorkerRole.WORKER)], Condition.CRASHED),
    ],
)
def test_only_its_own_trainer_keeps_a_run_running(
    workers: list[WorkerRecord], expected: Condition
) -> None:
    assert condition_of(RUN, workers, NOW_MS) is expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (RunStatus.PAUSED, Condition.PAUSED),
        (RunStatus.FAILED, Condition.FAILED),
        (RunStatus.CANCELLED, Condition.CANCELLED),
        (RunStatus.COMPLETED, Condition.DONE),
    ],
)
def test_what_has_ended_does_not_need_a_trainer(status: RunStatus, expected: Condition) -> None:
    assert condition_of(replace(RUN, status=status), [], NOW_MS) is expected


def test_a_pause_holds_a_living_run_and_hides_no_crash() -> None:
    assert condition_of(RUN, [MINE], NOW_MS, held=True) is Condition.PAUSED
    assert condition_of(RUN, [], NOW_MS, held=True) is Condition.CRASHED


@pytest.mark.parametrize(("age_ms", "expected"), [(0, "running"), (5_001, "crashed")])
def test_a_run_that_was_just_made_may_still_get_its_trainer(age_ms: int, expected: str) -> None:
    made = replace(RUN, trainer=None, updated_unix_ms=NOW_MS - age_ms)
    assert condition_of(made, [], NOW_MS) == expected


def test_what_needs_somebody_says_so() -> None:
    assert {one for one in Condition if one.needs_somebody} == {"paused", "crashed", "failed"}

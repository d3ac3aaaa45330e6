"""Rollouts of runs that nobody works on any more are not told to be in a queue."""

import gzip
from pathlib import Path

import pytest

from acceptance.programs import inside
from tau.domain.condition import Condition, standing
from tau.domain.rollout import RolloutStatus

STORE = Path(__file__).parent.parent / "data" / "stores" / "sqlite-1.sqlite.gz"
"""A store with a run in every condition; that of the running one is crashed."""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "store.sqlite"
    path.write_bytes(gzip.decompress(STORE.read_bytes()))
    assert inside("db", "migrate", "--store", path, cwd=tmp_path).code == 0
    return path


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        ("run-failed", {"succeeded": 1, "not started": 1}),
        ("run-cancelled", {"succeeded": 1, "cancelled": 1}),
        ("run-paused", {"succeeded": 1, "queuing": 1}),
        ("run-completed", {"succeeded": 2}),
    ],
)
def test_lists_and_single_rollouts_say_how_it_stands(
    store: Path, run: str, expected: dict[str, int]
) -> None:
    listed = inside("rollouts", "ls", "--run", run, "--json", "--store", store, cwd=store.parent)
    found = [one["standing"] for one in listed.json()]
    assert {each: found.count(each) for each in found} == expected
    text = inside("rollouts", "ls", "--run", run, "--store", store, cwd=store.parent).out
    for one in listed.json():
        assert one["standing"] in text
        name = ("rollouts", "show", one["rollout_id"], "--store", store)
        assert inside(*name, "--json", cwd=store.parent).json()["standing"] == one["standing"]
        assert f"status    {one['standing']}\n" in inside(*name, cwd=store.parent).out


def test_a_crashed_run_waits_for_a_restart(store: Path) -> None:
    listed = inside("rollouts", "ls", "--run", "run-1", "--json", "--store", store,
                    cwd=store.parent)  # fmt: skip
    found = {one["standing"] for one in listed.json()}
    assert {"not started", "waiting for a restart"} <= found
    assert found.isdisjoint({"queuing", "requeuing"})
    doctor = inside("doctor", "--store", store, cwd=store.parent)
    assert doctor.code == 1
    assert "run-1 stopped without a word: its process is gone" in doctor.out
    assert "tau resume" in doctor.out
    assert "run-failed" not in doctor.out


@pytest.mark.parametrize("condition", Condition)
@pytest.mark.parametrize("status", RolloutStatus)
def test_only_a_run_that_goes_on_has_a_queue(status: RolloutStatus, condition: Condition) -> None:
    told = standing(status, condition)
    waits = status in (RolloutStatus.QUEUING, RolloutStatus.REQUEUING)
    goes_on = condition in (Condition.RUNNING, Condition.PAUSED)
    assert (told == str(status)) is (not waits or goes_on)
    if waits and condition in (Condition.DONE, Condition.CANCELLED):
        assert told == "cancelled"

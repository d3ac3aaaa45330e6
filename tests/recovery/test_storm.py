"""kill -9 at random instants: nothing acknowledged is lost, nothing is done twice.

The page cache survives kill -9, so this says nothing of fsync: see test_powerloss.
"""

from collections.abc import Sequence
from itertools import count
from pathlib import Path

import pytest

from recovery.audit import faults, final_state, missing, reading
from recovery.nursery import PATIENCE_S, Nursery, nursery
from tau.domain.draws import uniform

SHAPE = {"seed": 11, "waves": 8, "width": 24}


def undisturbed(started: Nursery, folder: Path) -> str:
    """The final state of the run when nothing happens to it."""
    path = folder / "undisturbed.sqlite"
    child = started.start("workload", path=str(path), **SHAPE)
    assert child.wait(PATIENCE_S)
    assert "finished" in child.lines
    with reading(path) as connection:
        assert faults(connection) == []
        assert missing(connection, child.lines[:-1]) == []
        return final_state(connection)


def storm(folder: Path, *, kills: int, seed: int) -> None:
    """Kill and start again until `kills` children have died, run after run."""
    with nursery(folder) as started:
        expected = undisturbed(started, folder)
        done = 0
        for number in count():
            done = one_run(started, folder / f"{number}.sqlite", seed, done)
            with reading(folder / f"{number}.sqlite") as connection:
                assert faults(connection) == []
                assert final_state(connection) == expected
            if done >= kills:
                return


def one_run(started: Nursery, path: Path, seed: int, kills: int) -> int:
    """Drive one run to its end through as many kills as it takes; how many so far."""
    acknowledged: list[str] = []
    while True:
        child = started.start("workload", path=str(path), **SHAPE)
        # From the first instants, where the store is made or opened, to deep in the work.
        ended = child.wait(0.002 * 50.0 ** uniform(seed, "kill", kills))
        if not ended:
            child.kill()
            kills += 1
        acknowledged += [line for line in child.lines if line != "ended"]
        where = f"seed {seed}, kill {kills}, {path.name}"
        with reading(path) as connection:
            assert faults(connection, thorough=False) == [], where
            assert missing(connection, acknowledged) == [], where
        assert doubled(acknowledged) == [], where
        if ended:
            return kills


def doubled(acknowledged: Sequence[str]) -> list[str]:
    """Attempts handed out or completed for a rollout that had already succeeded."""
    succeeded: set[str] = set()
    again = []
    for line in acknowledged:
        what, _, rest = line.partition(" ")
        if what in ("claimed", "completed"):
            rollout = rest.partition(":")[0]
            if rollout in succeeded:
                again.append(line)
            if rest.endswith(" succeeded"):
                succeeded.add(rollout)
    return again


@pytest.mark.storm
@pytest.mark.timeout(400)
def test_200_kills_lose_nothing_and_change_nothing(tmp_path: Path) -> None:
    storm(tmp_path, kills=200, seed=1)


@pytest.mark.storm
@pytest.mark.acceptance
@pytest.mark.timeout(3600)
def test_10000_kills_lose_nothing_and_change_nothing(tmp_path: Path) -> None:
    storm(tmp_path, kills=10_000, seed=2)

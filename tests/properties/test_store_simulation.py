"""Seeded simulation of the SQLite store against its model."""

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from machinery.moves import MOVES
from machinery.simulation import NewStore, simulate
from machinery.world import OpenStore
from tau.ports.store import Store
from tau.stores.sqlite import SqliteStore
from tau.testing.clock import ManualClock, ManualProcesses


@pytest.fixture(autouse=True)
def _one_processor() -> Iterator[None]:
    """Loop and writer take turns all the time: twice as fast where no other core must wake up."""
    allowed = os.sched_getaffinity(0)
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    os.sched_setaffinity(0, {sorted(allowed)[number % len(allowed)]})
    yield
    os.sched_setaffinity(0, allowed)


def new_stores(folder: Path) -> NewStore:
    """Stores in files; fsync says nothing here, and is left out for speed."""
    numbers = count()

    def new_store() -> OpenStore:
        path = folder / f"{next(numbers)}.sqlite"

        async def open_store(clock: ManualClock, processes: ManualProcesses) -> Store:
            return await SqliteStore.open(
                path, clock=clock, processes=processes, synchronous="OFF", exclusive=True
            )

        return open_store

    return new_store


@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed", [1, 2])
async def test_12000_random_steps_agree_with_the_model(tmp_path: Path, seed: int) -> None:
    report = await simulate(new_stores(tmp_path), seed=seed, steps=12_000)

    assert report.steps == 12_000
    assert set(report.actions) == set(MOVES), "every kind of step was taken"
    assert {"LeaseLost", "RunActive", "IllegalTransition", "Conflict"} <= set(report.refusals)


@pytest.mark.acceptance
@pytest.mark.timeout(3600)
async def test_a_million_random_steps_agree_with_the_model(tmp_path: Path) -> None:
    report = await simulate(new_stores(tmp_path), seed=5, steps=1_000_000)

    assert report.steps == 1_000_000

"""The process that drives a run: the store out of reach for a while, given up, taken over."""

import asyncio
import contextlib
import os
import signal
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from recovery.programs import PATIENCE_S, Model, Program, Programs, until
from tau.domain.worker import WorkerRole
from tau.stores.sqlite import SqliteStore

ROLLOUTS = 12
LEASE_S = 3.0  # three heartbeats


async def trainers(store: SqliteStore) -> set[str]:
    """Who drives a run and has not been given up."""
    known = await store.insights.workers()
    return {worker.id for worker in known if worker.role is WorkerRole.TRAINER}


@contextlib.asynccontextmanager
async def given_up(store: SqliteStore, stopped: int) -> AsyncIterator[None]:
    """A stopped process, until another has given up its driver and while the block lasts."""
    (before,) = await trainers(store)
    os.kill(stopped, signal.SIGSTOP)
    try:
        async with asyncio.timeout(PATIENCE_S):
            while before in await trainers(store):
                await store.work.reap()
                await asyncio.sleep(0.1)
        yield
    finally:
        os.kill(stopped, signal.SIGCONT)


async def underway(programs: Programs, model: Model) -> Program:
    """A run of which three rollouts are done and one waits for its answer."""
    driver = await programs.begin("run", programs.configuration(ROLLOUTS), "--store", "s.sqlite")
    model.let(3)
    await until(lambda: model.provider.calls == 4)
    return driver


@pytest.mark.timeout(120)
async def test_a_store_that_is_locked_for_longer_than_a_lease_ends_no_run(
    programs: Programs, model: Model, tmp_path: Path
) -> None:
    driver = await underway(programs, model)

    with contextlib.closing(sqlite3.connect(tmp_path / "s.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        await asyncio.sleep(1.5 * LEASE_S)
        other.execute("ROLLBACK")
    model.let(ROLLOUTS)

    assert f"{ROLLOUTS} of {ROLLOUTS} rollouts succeeded" in await driver.end()
    assert "taking it up again" not in driver.told, "in doubt is not lost"


@pytest.mark.timeout(120)
async def test_a_driver_given_up_takes_its_run_up_again(
    programs: Programs, model: Model, tmp_path: Path
) -> None:
    driver = await underway(programs, model)

    async with await SqliteStore.open(tmp_path / "s.sqlite") as store:
        async with given_up(store, driver.process.pid):
            pass
        await driver.tells("taking it up again")
        model.let(ROLLOUTS)
        ended = await driver.end()
        assert await trainers(store) == set()

    assert f"{ROLLOUTS} of {ROLLOUTS} rollouts succeeded" in ended
    assert model.provider.calls <= ROLLOUTS + 1, "only what was in flight is called again"


@pytest.mark.timeout(120)
async def test_a_driver_whose_run_was_taken_over_leaves_it_alone(
    programs: Programs, model: Model, tmp_path: Path
) -> None:
    first = await underway(programs, model)

    async with await SqliteStore.open(tmp_path / "s.sqlite") as store:
        async with given_up(store, first.process.pid):
            second = await programs.begin(
                "run",
                programs.configuration(ROLLOUTS),
                "--store",
                "s.sqlite",
                "--state-dir",
                "other",
            )
            await second.tells("going on with")
            await until(lambda: model.provider.in_flight == 2)
        async with asyncio.timeout(PATIENCE_S):
            _, told = await first.process.communicate()
        model.let(ROLLOUTS)
        ended = await second.end()

    assert first.process.returncode == 1
    assert "driven by" in told.decode()
    assert f"{ROLLOUTS} of {ROLLOUTS} rollouts succeeded" in ended

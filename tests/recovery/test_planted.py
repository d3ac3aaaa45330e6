"""Faults of the transaction itself, planted and found: these no simulation can see."""

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import apsw
import pytest

from machinery.workload import Workload
from recovery.audit import faults, reading
from recovery.test_powerloss import lost, recorded
from tau.domain.spend import Spend
from tau.errors import StoreUnavailable
from tau.ports.processes import SystemProcesses
from tau.stores import leases
from tau.stores.sqlite import SqliteStore
from tau.stores.sqlite.transaction import SqliteTransaction
from tau.stores.sqlite.writer import GroupCommitWriter, WriteJob

Jobs = Sequence[WriteJob[Any]]
_transact = GroupCommitWriter._transact
_acknowledge = GroupCommitWriter._acknowledge
_end_attempt = leases.end_attempt


class Meddler:
    """A connection that says something else than it was told."""

    def __init__(self, connection: apsw.Connection, instead: Callable[[str], str]) -> None:
        self._connection = connection
        self._instead = instead

    def execute(self, statement: str, *arguments: Any) -> apsw.Cursor:  # noqa: ANN401  (passed on)
        return self._connection.execute(self._instead(statement), *arguments)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  (everything else)
        return getattr(self._connection, name)


def meddle(
    patch: pytest.MonkeyPatch, instead: Callable[[GroupCommitWriter, Jobs, str], str]
) -> None:
    """Let writers use a connection with other statements."""

    def transact(self: GroupCommitWriter, jobs: Jobs) -> None:
        real = self._connection
        patched: Any = Meddler(real, lambda statement: instead(self, jobs, statement))
        self._connection = patched
        try:
            _transact(self, jobs)
        finally:
            self._connection = real

    patch.setattr(GroupCommitWriter, "_transact", transact)


async def test_acknowledging_before_the_commit_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def early(writer: GroupCommitWriter, jobs: Jobs, statement: str) -> str:
        if statement == "COMMIT":
            _acknowledge(writer, jobs)
            time.sleep(0.002)  # the callers hear of it
        return statement

    meddle(monkeypatch, early)
    monkeypatch.setattr(GroupCommitWriter, "_acknowledge", lambda *_: None)
    # On one connection, where the run cannot see that it was lied to.
    trace = await recorded(tmp_path / "store.sqlite", exclusive=True)

    assert lost(trace, points=3000, seed=1)


async def test_an_attempt_and_its_rollout_in_two_transactions_are_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end_attempt(transaction: SqliteTransaction, *arguments: Any) -> Spend:  # noqa: ANN401
        booked = _end_attempt(transaction, *arguments)
        transaction.settle()
        transaction.connection.execute("COMMIT")
        transaction.connection.execute("BEGIN IMMEDIATE")
        return booked

    monkeypatch.setattr(leases, "end_attempt", end_attempt)
    trace = await recorded(tmp_path / "store.sqlite")

    assert lost(trace, points=3000, seed=1)


async def two_engines(path: Path) -> None:
    """One drives, one helps, each with a writer of its own."""
    workload = Workload(waves=4, width=24)
    process = SystemProcesses().this()
    async with await SqliteStore.open(path) as first, await SqliteStore.open(path) as second:
        ready = asyncio.Event()

        def created(line: str) -> None:
            ready.set()

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(workload.go(first, process, created))
            await ready.wait()
            tasks.create_task(workload.help(second, process, lambda line: None))


async def test_two_engines_take_turns(tmp_path: Path) -> None:
    await two_engines(tmp_path / "store.sqlite")

    with reading(tmp_path / "store.sqlite") as connection:
        assert faults(connection) == []


async def test_a_deferred_begin_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    meddle(monkeypatch, lambda _, __, text: "BEGIN" if text == "BEGIN IMMEDIATE" else text)

    with pytest.raises(ExceptionGroup) as raised:
        await two_engines(tmp_path / "store.sqlite")
    assert raised.group_contains(StoreUnavailable)

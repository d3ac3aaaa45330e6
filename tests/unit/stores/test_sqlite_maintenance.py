"""Backups, migrations, and what doctors want to know."""

import asyncio
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from tau.errors import StoreDamaged, StoreUnavailable, StoreVersion
from tau.stores.sqlite import SqliteStore, statements
from tau.stores.sqlite.maintenance import backup, migrate, verify
from tau.testing.clock import ManualClock, ManualProcesses
from tau.testing.store_bench import RUN, Bench
from unit.stores.stores import fill

NEXT = "CREATE TABLE extra (x INTEGER) STRICT;"


@pytest.fixture
async def store_path(tmp_path: Path) -> Path:
    path = tmp_path / "store.sqlite"
    await fill(path)
    return path


async def test_a_backup_of_a_store_in_use_is_whole(store_path: Path, tmp_path: Path) -> None:
    async with await SqliteStore.open(store_path) as store:
        bench = Bench(store, ManualClock(), ManualProcesses())
        writing = asyncio.ensure_future(bench.submit(200))
        made = await asyncio.to_thread(backup, store_path, tmp_path / "copy.sqlite")
        await writing
    found = verify(made)
    assert found.ok
    assert found.checked > 0
    assert made.stat().st_mode & 0o777 == 0o600
    async with await SqliteStore.open(made, read_only=True) as store:
        assert (await store.queue.counts(RUN)).total in (9, 9 + 192)
    assert {entry.name for entry in tmp_path.iterdir()} >= {"copy.sqlite", "store.sqlite"}


def test_a_backup_replaces_nothing(store_path: Path, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("mine")
    with pytest.raises(StoreUnavailable, match="exists"):
        backup(store_path, target)
    assert target.read_text() == "mine"


def test_a_backup_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="no store"):
        backup(tmp_path / "store.sqlite", tmp_path / "copy")
    (tmp_path / "text").write_text("not a store")
    with pytest.raises(StoreDamaged):
        backup(tmp_path / "text", tmp_path / "copy")
    assert {entry.name for entry in tmp_path.iterdir()} == {"text"}


def test_a_migration_keeps_a_backup(store_path: Path) -> None:
    scripts = (*statements.migrations(), NEXT)
    done = migrate(store_path, scripts=scripts)
    assert (done.before, done.after) == (len(scripts) - 1, len(scripts))
    assert done.backup is not None
    assert verify(done.backup).ok
    with closing(apsw.Connection(str(store_path))) as connection:
        assert connection.execute("SELECT count(*) FROM extra").fetchall() == [(0,)]
        assert connection.execute("SELECT count(*) FROM rollout").fetchall() == [(9,)]
    with pytest.raises(StoreVersion, match="newer"):
        verify(store_path)
    assert migrate(store_path, scripts=scripts).backup is None


def test_a_migration_that_fails_changes_nothing(store_path: Path) -> None:
    with pytest.raises(StoreDamaged, match="nonsense"):
        migrate(store_path, scripts=(*statements.migrations(), f"{NEXT} nonsense;"))
    assert verify(store_path).ok
    assert verify(store_path).schema_version == len(statements.migrations())


async def test_opening_migrates_an_older_store(
    store_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts = (*statements.migrations(), NEXT)
    monkeypatch.setattr("tau.stores.sqlite.schema.migrations", lambda: scripts)
    monkeypatch.setattr("tau.stores.sqlite.schema.CURRENT", len(scripts))
    with pytest.raises(StoreVersion, match="older Tau"):
        await SqliteStore.open(store_path, read_only=True)
    async with await SqliteStore.open(store_path) as store:
        assert (await store.insights.facts()).schema_version == len(scripts)
        assert (await store.queue.counts(RUN)).total == 9
    kept = store_path.with_name(f"store.sqlite.v{len(scripts) - 1}.backup")
    with closing(apsw.Connection(str(kept))) as connection:
        assert connection.pragma("user_version") == len(scripts) - 1


async def test_facts(store_path: Path) -> None:
    async with await SqliteStore.open(store_path) as store:
        facts = await store.insights.facts()
    assert (facts.backend, facts.location, facts.runs, facts.rollouts) == (
        "sqlite", str(store_path), 1, 9,
    )  # fmt: skip
    assert facts.details["journal_mode"] == "wal"
    assert (facts.size_bytes or 0) > 50_000

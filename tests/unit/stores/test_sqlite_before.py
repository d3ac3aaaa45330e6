"""A store as the version before left it: migrated when it is opened, finished runs delivered."""

from contextlib import closing
from pathlib import Path

import apsw
import pytest

from tau.errors import StoreVersion
from tau.stores.sqlite import SqliteStore, statements
from tau.stores.sqlite.location import APPLICATION_ID
from tau.stores.sqlite.maintenance import verify
from tau.testing.clock import ManualClock, ManualProcesses
from tau.testing.store_bench import RUN, Bench


@pytest.mark.parametrize("status", ["completed", "cancelled", "failed", "paused", "running"])
async def test_runs_of_the_version_before_keep_what_they_were(tmp_path: Path, status: str) -> None:
    path = tmp_path / "store.sqlite"
    async with await SqliteStore.open(path) as store:
        await Bench(store, ManualClock(), ManualProcesses()).run()
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("ALTER TABLE run DROP COLUMN reported")
        connection.execute("UPDATE run SET status = ?", (status,))
        connection.pragma("user_version", 1)
        assert connection.pragma("application_id") == APPLICATION_ID
    async with await SqliteStore.open(path) as store:
        run = await store.runs.get(RUN)
        assert (run.status, run.reported) == (status, status in ("completed", "cancelled"))
        assert (await store.insights.facts()).schema_version == len(statements.migrations())
    assert verify(path).ok
    with pytest.raises(StoreVersion, match="older Tau"):
        verify(tmp_path / "store.sqlite.v1.backup")

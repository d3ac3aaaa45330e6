"""The store on SQLite, held to the suite for all: in a file, and in memory."""

import os
from pathlib import Path

import pytest

from tau.ports.store import Store
from tau.stores.sqlite import SqliteStore
from tau.testing.clock import ManualClock, ManualProcesses
from tau.testing.store import StoreContract

pytestmark = pytest.mark.contract


class TestFile(StoreContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    async def open_store(self, clock: ManualClock, processes: ManualProcesses) -> Store:
        path = self.folder / "state" / f"store-{os.getpid()}.sqlite"
        return await SqliteStore.open(path, clock=clock, processes=processes, synchronous="OFF")


class TestMemory(StoreContract):
    async def open_store(self, clock: ManualClock, processes: ManualProcesses) -> Store:
        return await SqliteStore.open(":memory:", clock=clock, processes=processes)

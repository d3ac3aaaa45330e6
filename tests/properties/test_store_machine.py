"""Hypothesis against the SQLite store."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from machinery.world import OpenStore
from properties.store_machine import StoreMachine
from tau.ports.store import Store
from tau.stores.sqlite import SqliteStore
from tau.testing.clock import ManualClock, ManualProcesses


class SqliteMachine(StoreMachine):
    """Stores in files."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()

    def opener(self) -> OpenStore:
        path = Path(self._folder.name) / "store.sqlite"

        async def open_store(clock: ManualClock, processes: ManualProcesses) -> Store:
            return await SqliteStore.open(
                path, clock=clock, processes=processes, synchronous="OFF", exclusive=True
            )

        return open_store

    def teardown(self) -> None:
        super().teardown()
        self._folder.cleanup()


TestStoreMachine = pytest.mark.timeout(300)(SqliteMachine.TestCase)
TestStoreMachine.settings = settings(
    max_examples=60, stateful_step_count=30, suppress_health_check=list(HealthCheck)
)

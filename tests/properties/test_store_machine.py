"""Hypothesis chooses what happens to the store; the model says what must come of it."""

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tau.ports.store import Store
from tau.stores.sqlite import SqliteStore
from tau.testing.clock import ManualClock, ManualProcesses
from tau.testing.moves import MOVES, Action, begin
from tau.testing.world import World

PICK = st.integers(0, 4095)


class StoreMachine(RuleBasedStateMachine):
    """Every move of the simulation as a rule; Hypothesis finds and shortens failing sequences."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._folder = tempfile.TemporaryDirectory()

    @initialize()
    def begin(self) -> None:
        path = Path(self._folder.name) / "store.sqlite"

        async def open_store(clock: ManualClock, processes: ManualProcesses) -> Store:
            return await SqliteStore.open(
                path, clock=clock, processes=processes, synchronous="OFF", exclusive=True
            )

        self.world = self._runner.run(begin(open_store))

    @rule(name=st.sampled_from(sorted(MOVES)), a=PICK, b=PICK, c=PICK, d=PICK)
    def move(self, name: str, a: int, b: int, c: int, d: int) -> None:
        self._runner.run(Action(name, (a, b, c, d)).carry_out(self.world))

    @rule(a=PICK, b=PICK, c=PICK, d=PICK)
    def work(self, a: int, b: int, c: int, d: int) -> None:
        """What mostly happens, so that there is something for the rest to happen to."""
        for name in ("submit", "claim", "succeed"):
            self._runner.run(Action(name, (a, b, c, d)).carry_out(self.world))

    @invariant()
    def agrees(self) -> None:
        self._runner.run(self.world.compare(thorough=True))

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self._runner.run(self.world.close())
        self._runner.close()
        self._folder.cleanup()


TestStoreMachine = pytest.mark.timeout(300)(StoreMachine.TestCase)
TestStoreMachine.settings = settings(
    max_examples=60, stateful_step_count=30, suppress_health_check=list(HealthCheck)
)

"""Hypothesis chooses what happens to a store; the model says what must come of it."""

import asyncio

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from machinery.moves import MOVES, Action, begin
from machinery.world import OpenStore, World

PICK = st.integers(0, 4095)


class StoreMachine(RuleBasedStateMachine):
    """Every move of the simulation as a rule; Hypothesis finds and shortens failing sequences."""

    shared = False
    """Whether machines may share such stores."""
    world: World

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()

    def opener(self) -> OpenStore:
        """Name a new, empty store."""
        raise NotImplementedError

    @initialize()
    def begin(self) -> None:
        self.world = self._runner.run(begin(self.opener(), shared=self.shared))

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

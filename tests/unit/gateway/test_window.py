"""The window on a store that does not answer: waited for once, and not by everybody."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from tau.domain.run import Run
from tau.errors import StoreUnavailable
from tau.gateway import window
from tau.gateway.window import StoreWindow
from tau.ports.store import Store
from tau.testing.clock import ManualClock
from unit.stores.stores import fill


async def test_a_question_without_an_answer_is_given_up_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(tmp_path / "store.sqlite")
    clock, asked = ManualClock(), 0

    async def never(store: Store) -> None:
        nonlocal asked
        asked += 1
        await asyncio.Event().wait()

    async def runs(store: Store) -> Sequence[Run]:
        return await store.insights.runs()

    found = StoreWindow(str(tmp_path / "store.sqlite"), clock)
    monkeypatch.setattr(window, "_PATIENCE_S", 30)
    assert len(await found.ask(runs)) == 1  # it is open: opening takes its own time
    monkeypatch.setattr(window, "_PATIENCE_S", 0.05)
    for _ in range(5):
        with pytest.raises(StoreUnavailable, match="does not answer"):
            await found.ask(never)
    assert asked == 1
    monkeypatch.setattr(window, "_PATIENCE_S", 30)
    clock.advance(3000)
    assert len(await found.ask(runs)) == 1
    await found.aclose()

"""A store in memory with one run, closed afterwards."""

from collections.abc import AsyncIterator

import pytest

from unit.runner.working import Bench, bench


@pytest.fixture
async def table() -> AsyncIterator[Bench]:
    made = await bench()
    yield made
    await made.store.aclose()

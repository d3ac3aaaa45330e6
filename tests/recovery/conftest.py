"""Programs as processes of their own, with a model that answers when it is let."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from recovery.programs import Model, Programs


@pytest.fixture
async def model() -> AsyncIterator[Model]:
    made = Model()
    async with made.provider:
        yield made


@pytest.fixture
async def programs(tmp_path: Path, model: Model) -> AsyncIterator[Programs]:
    made = Programs(
        tmp_path, {"OPENAI_BASE_URL": model.provider.base_url, "OPENAI_API_KEY": "sk-none"}
    )
    yield made
    await made.aclose()

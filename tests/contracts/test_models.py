"""The model contract, applied to the built-in models."""

from pathlib import Path

import orjson
import pytest

from tau.domain.chat import Message, ModelRequest
from tau.models.openai import OpenAICompatible
from tau.models.replay import ReplayModel
from tau.ports.model import Model, ModelContext
from tau.testing.model import CANARY, HttpModelContract, ModelContract

pytestmark = pytest.mark.contract


class TestOpenAICompatible(HttpModelContract):
    def build(self) -> Model:
        context = ModelContext(
            provider="openai",
            name="gpt-4o-mini",
            environ={"OPENAI_API_KEY": CANARY},
            base_url=self.server.base_url,
        )
        return OpenAICompatible.build(OpenAICompatible.Settings(), context)

    def refused(self) -> ModelRequest:
        return ModelRequest(
            messages=[Message(role="user", content="hello")], params={"messages": []}
        )


class TestReplay(ModelContract):
    @pytest.fixture(autouse=True)
    def recording(self, tmp_path: Path) -> None:
        self.path = tmp_path / "calls.jsonl"
        with self.path.open("wb") as file:
            for n in list(range(self.CONCURRENT)) + [0] * 5:
                messages = [{"role": "user", "content": f"question {n}"}]
                line = {"request": {"messages": messages}, "response": f"answer {n}"}
                file.write(orjson.dumps(line) + b"\n")

    def build(self) -> Model:
        context = ModelContext(provider="replay", name=str(self.path))
        return ReplayModel.build(ReplayModel.Settings(), context)

    def refused(self) -> ModelRequest:
        return ModelRequest(messages=[Message(role="user", content="never asked")])

"""Workers that take their configuration from a store run no code that only the store names."""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tau.config import load
from tau.domain.ids import RunId
from tau.domain.json import Json
from tau.domain.run import Run, StopReason
from tau.domain.spend import NANO, Budget
from tau.errors import ConfigError
from tau.models import prices
from tau.plugins import EXTRAS
from tau.trainer.stop import StopRequest
from tau.wiring.presence import offers
from tau.wiring.stores import open_store
from tau.wiring.worker import WorkerRequest, refuse_code, run_worker

CHAT: Json = {"type": "chat"}
PYTHON: Json = {"type": "python", "name": "mine", "function": "json:loads"}
COMMAND: Json = {"type": "command", "name": "mine", "command": ["true"]}
EXACT: Json = {"type": "exact", "name": "words"}


def combined(code: Json) -> list[Json]:
    """`code` among graders, alone and ever deeper inside others."""
    weighted: Json = {"type": "weighted", "graders": [EXACT, {"grader": code, "weight": 2}]}
    return [
        code,
        {"type": "not", "grader": code},
        weighted,
        {"type": "all", "graders": [EXACT, {"type": "gate", "grader": weighted}]},
    ]


@pytest.mark.parametrize("code", [PYTHON, COMMAND], ids=["python", "command"])
def test_code_inside_combined_graders_is_found(code: Json) -> None:
    for grader in combined(code):
        config: dict[str, Any] = {"executor": CHAT, "graders": [EXACT, grader]}
        with pytest.raises(ConfigError, match="runs code of its own") as refused:
            refuse_code(config)
        assert "--trust-store" in str(refused.value)


@pytest.mark.parametrize("code", [PYTHON, COMMAND], ids=["python", "command"])
def test_code_as_executor_is_found(code: Json) -> None:
    with pytest.raises(ConfigError, match="runs code of its own"):
        refuse_code({"executor": code, "graders": [EXACT]})


def test_what_only_grades_texts_may_run() -> None:
    refuse_code({"executor": CHAT, "graders": combined(EXACT)})
    refuse_code({"executor": CHAT, "graders": []})


@pytest.fixture
def without_extras(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As a machine with the core alone."""
    loaded = [name for name in sys.modules if name.partition(".")[0] in EXTRAS]
    for module in {*EXTRAS, *loaded}:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, "tau.models.price_list", raising=False)
    prices._price_list.cache_clear()
    yield
    prices._price_list.cache_clear()


class Listener:
    """Keeps what a worker process says, and ends it with the first word about the run."""

    def __init__(self, stop: StopRequest) -> None:
        self.notices: list[str] = []
        self._stop = stop

    def notice(self, text: str) -> None:
        self.notices.append(text)
        if "run-1" in text:
            self._stop.set(StopReason.SIGNAL)


@pytest.mark.usefixtures("without_extras")
@pytest.mark.parametrize(
    ("budget", "said"),
    [
        (Budget(cost_nano_usd=NANO), "not working on run-1: the run has a limit in dollars"),
        (Budget(calls=5), "joined run-1"),
    ],
    ids=["dollars", "calls"],
)
async def test_nobody_works_under_a_limit_in_dollars_without_prices(
    tmp_path: Path, budget: Budget, said: str
) -> None:
    path, store = tmp_path / "config.json", str(tmp_path / "store.sqlite")
    model = {"name": "openai/echo", "base_url": "http://127.0.0.1:9"}
    path.write_text(json.dumps({"model": model, "optimize": [{"prompt": "a", "expected": "a"}]}))
    config = load(path, environ={"OPENAI_API_KEY": "sk-test"})
    async with await open_store(store) as opened:
        await opened.runs.create(
            Run(
                id=RunId("run-1"), config_hash=config.config_hash, model_ref="openai/echo", seed=1,
                algorithm="evaluate", config=config.semantic, budget=budget,
            )
        )  # fmt: skip
    stop = StopRequest()
    listener = Listener(stop)

    request = WorkerRequest(store=store, environ={}, configs=[config])
    async with asyncio.timeout(20):
        await run_worker(request, observer=listener, stop=stop)

    assert [text for text in listener.notices if said in text]


@pytest.mark.usefixtures("without_extras")
def test_a_worker_offers_no_grader_whose_extra_is_missing() -> None:
    offered = offers({}, trust_store=True)

    assert "grader:exact" in offered
    assert "grader:json-schema" not in offered


def test_a_worker_offers_what_its_extras_bring() -> None:
    assert "grader:json-schema" in offers({}, trust_store=True)

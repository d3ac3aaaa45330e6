"""Moving a prompt to another model: what is measured, what is claimed, what is pointed."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from tau.cli.commands.group import tau_group
from tau.cli.demonstration import configuration
from tau.cli.surface import Surface, program
from tau.domain.dataset import Split
from tau.sim.world import World
from tau.testing.provider import LoopbackProvider, ProviderReply, ReceivedCall

Ask = Callable[..., tuple[int, str, str]]
ROWS = [{"prompt": f"what is {n}?", "expected": f"what is {n}?"} for n in range(40)]


@pytest.fixture
def ask(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Ask:
    def call(*words: str) -> tuple[int, str, str]:
        capfd.readouterr()
        store = ["--store", str(tmp_path / "store.sqlite")]
        code = program(tau_group, Surface(program="tau"), [*words, *store])
        return (code, *capfd.readouterr())

    return call


class Models:
    """Two models of one provider: `new` answers `wrong` of the rows wrongly, `old` can be gone."""

    def __init__(self, *, wrong: int = 0) -> None:
        self.wrong, self.gone = wrong, False
        self.calls: list[str] = []

    def __call__(self, call: ReceivedCall) -> str | ProviderReply:
        self.calls.append(str(call.body["model"]))
        if self.calls[-1] == "old":
            if self.gone:
                return ProviderReply(
                    status=404, body=b'{"error": {"message": "the model is retired"}}'
                )
            return call.prompt
        wrong = [row["prompt"] for row in ROWS[: self.wrong]]
        return "no" if call.prompt in wrong else call.prompt


@contextmanager
def configured(folder: Path, models: Models) -> Iterator[str]:
    """A configuration that names the old model, whose provider is served meanwhile."""
    ready, over = threading.Event(), threading.Event()
    provider = LoopbackProvider(answer=models)

    async def serve() -> None:
        async with provider:
            ready.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(20)
    path = folder / "config.json"
    value = {
        "model": {"name": "openai-compatible/old", "base_url": provider.base_url},
        "resources": {"system_prompt": "Answer."}, "validate": ROWS, "worker_concurrency": 8,
    }  # fmt: skip
    path.write_text(json.dumps(value), encoding="utf-8")
    try:
        yield str(path)
    finally:
        over.set()
        thread.join(20)


def moving(config: str, *more: str, margin: str = "0.2") -> list[str]:
    return ["migrate", config, "--to", "openai-compatible/new", "--margin", margin, *more]


@pytest.mark.parametrize(("wrong", "code"), [(0, 0), (1, 0), (8, 3), (30, 3)])
def test_the_alias_moves_only_where_the_claim_is_met(
    wrong: int, code: int, tmp_path: Path, ask: Ask
) -> None:
    with configured(tmp_path, Models(wrong=wrong)) as config:
        ended, out, err = ask(*moving(config, "--alias", "prod", "--json"))

    assert ended == code, err
    found = json.loads(out)
    assert found["old_on_old"]["score"] == 1
    assert found["tries"][0]["score"] == pytest.approx(1 - wrong / 40)
    assert found["tries"][0]["claim"]["claim"] == "not_worse"
    assert found["met"] is (code == 0)
    assert found["tries"][0]["latency_ms"] is not None
    assert found["tries"][0]["cost_usd_per_row"] is None, "no price is known"
    aliases = json.loads(ask("aliases", "ls", "--json")[1])
    assert [one["alias"] for one in aliases] == (["prod"] if code == 0 else [])
    if aliases:
        assert aliases[0]["evidence"]["model"] == "openai-compatible/new"
        assert aliases[0]["evidence"]["margin"] == 0.2


def test_it_works_after_the_old_model_is_gone(tmp_path: Path, ask: Ask) -> None:
    models = Models()
    with configured(tmp_path, models) as config:
        assert ask("run", config)[0] == 0
        models.gone = True
        models.calls.clear()
        code, out, err = ask(*moving(config))

    assert code == 0, err
    assert set(models.calls) == {"new"}
    assert "MOVE" in out
    assert "stored scores" in out


def test_without_stored_scores_a_model_that_is_gone_is_an_error(tmp_path: Path, ask: Ask) -> None:
    models = Models()
    models.gone = True
    with configured(tmp_path, models) as config:
        code, out, err = ask(*moving(config))

    assert code == 1
    assert "retired" in err
    assert out == ""
    assert "new" not in models.calls


def test_rows_without_a_stored_score_are_left_out_and_said(tmp_path: Path, ask: Ask) -> None:
    models = Models()
    with configured(tmp_path, models) as config:
        whole = json.loads(Path(config).read_text())
        Path(config).write_text(json.dumps({**whole, "validate": ROWS[:30]}))
        assert ask("run", config)[0] == 0
        Path(config).write_text(json.dumps(whole))
        models.gone = True
        code, out, err = ask(*moving(config, "--json"))

    assert code == 0, err
    found = json.loads(out)
    assert found["tries"][0]["claim"]["pairs"] == 30
    assert "30 of 40 rows" in found["notes"][0]


def test_what_is_known_is_not_measured_again(tmp_path: Path, ask: Ask) -> None:
    models = Models(wrong=30)
    with configured(tmp_path, models) as config:
        first = ask(*moving(config, "--json"))
        models.calls.clear()
        second = ask(*moving(config, "--json"))

    assert first[0] == second[0] == 3
    assert json.loads(first[1])["tries"] == json.loads(second[1])["tries"]
    assert models.calls == []


def test_a_search_on_the_new_model_is_held_to_the_claim_at_half_the_level(
    tmp_path: Path, ask: Ask
) -> None:
    value: dict[str, Any] = {
        **configuration(), "model": "sim/rules?noise=0",
        **{name: list(World(4).examples(name, n)) for name, n in
           ((Split.OPTIMIZE, 40), (Split.VALIDATE, 40), (Split.TEST, 60))},
    }  # fmt: skip
    path = tmp_path / "config.json"
    path.write_bytes(orjson.dumps(value))
    words = ["migrate", str(path), "--to", "sim/rules?noise=1", "--margin", "0.01"]

    code, out, err = ask(*words, "--budget-rollouts", "300", "--json")

    assert code == 0, err
    found = json.loads(out)
    old, best = found["tries"]
    assert found["alpha"] == 0.025
    assert old["claim"]["level"] == best["claim"]["level"] == 0.95
    assert best["score"] > old["score"]
    assert found["recommended"] == best["resources_hash"] != old["resources_hash"]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["--to", "openai-compatible/old", "--margin", ".1"], "the model that the configuration"),
        (["--to", "openai-compatible/new"], "--margin"),
        (["--to", "openai-compatible/new", "--margin", "0"], "--margin"),
    ],
)
def test_what_claims_nothing_is_refused(
    more: list[str], told: str, tmp_path: Path, ask: Ask
) -> None:
    models = Models()
    with configured(tmp_path, models) as config:
        code, _, err = ask("migrate", config, *more)

    assert code == 2
    assert told in err
    assert models.calls == []


def test_a_search_needs_rows_that_it_does_not_see(tmp_path: Path, ask: Ask) -> None:
    models = Models()
    with configured(tmp_path, models) as config:
        code, _, err = ask(*moving(config, "--budget-rollouts", "100"))

    assert code == 2
    assert "'test'" in err
    assert models.calls == []

"""How runs against a provider end: which exit code, what is said, what is paid again."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tau.cli.commands.group import tau_group
from tau.cli.flags import command as flags
from tau.cli.surface import Surface, program
from tau.testing.faults import Fault
from tau.testing.provider import LoopbackProvider

REFUSED = Fault(
    kind="status", status=400,
    message="Unsupported parameter: 'max_tokens' is not supported with this model.",
)  # fmt: skip
ROWS = [{"prompt": f"what is {n}?", "expected": f"what is {n}?"} for n in range(12)]


@contextmanager
def served(provider: LoopbackProvider) -> Iterator[LoopbackProvider]:
    """The provider on a thread of its own: the programs bring their own event loops."""
    ready, over = threading.Event(), threading.Event()

    async def serve() -> None:
        async with provider:
            ready.set()
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(20)
    try:
        yield provider
    finally:
        over.set()
        thread.join(20)


def config(folder: Path, provider: LoopbackProvider, **fields: object) -> str:
    path = folder / "config.json"
    value: dict[str, Any] = {
        "model": {"name": "openai-compatible/m", "base_url": provider.base_url},
        "resources": {"system_prompt": "Answer."}, "validate": ROWS, "params": {"max_tokens": 10},
    }  # fmt: skip
    path.write_text(json.dumps({**value, **fields}), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("command", ["run", "eval", "optimize"])
def test_a_provider_that_refuses_every_call_is_a_failure_in_its_words(
    command: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    optimize = [{**row, "prompt": f"so, {row['prompt']}"} for row in ROWS]
    with served(LoopbackProvider(faults=lambda _: REFUSED)) as provider:
        cfg = config(tmp_path, provider, optimize=optimize)
        code = program(
            tau_group, Surface(program="tau"),
            [command, cfg, "--store", str(tmp_path / "store.sqlite"),
             *(["--budget-rollouts", "200"] if command == "optimize" else [])],
        )  # fmt: skip
    said = " ".join("".join(capfd.readouterr()).split())

    assert code == 1, said
    assert "nothing could be scored: " in said
    assert "Unsupported parameter: 'max_tokens'" in said
    assert "keep the baseline" not in said


def test_the_flag_surface_has_its_result_even_where_all_failed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with served(LoopbackProvider(faults=lambda _: REFUSED)) as provider:
        code = program(
            flags, Surface(program="tau-coding-agent", flat=True),
            ["--prompt-optimization-config", config(tmp_path, provider),
             "--prompt-optimization-store-sqlite", str(tmp_path / "store.sqlite"),
             "--prompt-optimization-json"],
        )  # fmt: skip
    out, err = capfd.readouterr()
    result = json.loads(out)
    status = json.loads((tmp_path / "status.json").read_text())

    assert code == 0
    assert (result["total_rollouts"], result["succeeded"], result["failed"]) == (12, 0, 12)
    assert (result["stop_reason"], result["decision"]) == ("nothing_scored", None)
    assert "warning: nothing could be scored: 12 failed: " in err
    assert (status["run_state"], status["succeeded"], status["failed"]) == ("failed", 0, 12)
    assert status["stop_reason"] == "nothing_scored"


def test_a_larger_budget_goes_on_without_paying_again(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    store = str(tmp_path / "store.sqlite")
    budget = {"rollouts": 5}
    with served(LoopbackProvider()) as provider:
        words = ["run", config(tmp_path, provider, budget=budget), "--store", store, "--json"]
        assert program(tau_group, Surface(program="tau"), words) == 4
        short = json.loads(capfd.readouterr().out)
        assert provider.calls == short["calls"] == 5
        config(tmp_path, provider, budget={"rollouts": 50})
        assert program(tau_group, Surface(program="tau"), words) == 0
        whole = json.loads(capfd.readouterr().out)

        assert whole["run_id"] == short["run_id"]
        assert provider.calls == whole["calls"] == len(ROWS)
        assert max(provider.prompts.values()) == 1, "an answer was paid for twice"


def test_a_budget_that_ends_before_any_comparison_decides_nothing_and_goes_on(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = [{"prompt": f"say {n}", "expected": "never"} for n in range(40)]
    optimize = [{"prompt": f"tell {n}", "expected": "never"} for n in range(40)]
    with served(LoopbackProvider()) as provider:
        cfg = config(tmp_path, provider, validate=rows, optimize=optimize)
        words = ["optimize", cfg, "--store", str(tmp_path / "store.sqlite"), "--json"]
        code = program(tau_group, Surface(program="tau"), [*words, "--budget-calls", "50"])
        short = json.loads(capfd.readouterr().out)
        paid = provider.calls
        assert (code, short["decision"], short["stop_reason"]) == (4, None, "budget")
        program(tau_group, Surface(program="tau"), [*words, "--budget-calls", "300"])
        longer = json.loads(capfd.readouterr().out)

    assert longer["run_id"] == short["run_id"]
    assert longer["calls"] == provider.calls > paid

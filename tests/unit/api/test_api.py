"""Tau from Python, as a script or a notebook uses it."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import tau
from tau.api import Progress
from tau.domain.chat import Message
from tau.domain.dataset import Split
from tau.errors import ConfigError, InputError, PluginError, TauError
from tau.plugins import load_callable
from tau.sim.simulator import Simulator
from tau.sim.world import START_PROMPT, World

SUMS = [{"prompt": f"What is {n} + {n}?", "expected": str(2 * n)} for n in range(6)]
CALLS: list[str] = []


def adds(example: Mapping[str, Any], prompt: str) -> str:
    """Right only if the prompt asks for it; notes every call."""
    CALLS.append(example["prompt"])
    first = int(example["prompt"].split()[2])
    return str(2 * first) if "add" in prompt else "?"


def longer(example: Mapping[str, Any], output: str) -> dict[str, Any]:
    """A grader of one's own."""
    return {"score": len(output) > 0, "feedback": f"{len(output)} characters"}


def test_a_function_is_measured_on_every_row() -> None:
    looks: list[Progress] = []
    found = tau.evaluate(adds, prompt="add them", data=SUMS, progress=looks.append)

    assert found.score == 1.0
    assert [row["output"] for row in found.rows] == [row["expected"] for row in SUMS]
    assert looks[-1].counts.settled == len(SUMS)
    assert tau.evaluate(adds, prompt="do it", data=SUMS).score == 0.0
    assert found.to_dict()["splits"]["validate"]["baseline"]["n"] == len(SUMS)
    assert repr(found).endswith("score 1.000>")


def test_it_works_inside_a_running_event_loop() -> None:
    async def answer(example: Mapping[str, Any], prompt: str) -> str:
        await asyncio.sleep(0)
        return "4"

    async def cell() -> float | None:
        return tau.evaluate(answer, prompt="p", data=["a", "b"], graders=[longer]).score

    with asyncio.Runner() as runner:
        assert runner.run(cell()) == 1.0


def test_several_prompts_are_given_as_a_mapping() -> None:
    def joins(example: Mapping[str, Any], prompts: Mapping[str, str]) -> str:
        return prompts["greeting"] + prompts["ending"]

    found = tau.evaluate(
        joins, prompt={"greeting": "Hi", "ending": "!"}, data=[{"prompt": "q", "expected": "Hi!"}]
    )
    assert found.score == 1.0


def test_with_a_store_nothing_is_done_twice(tmp_path: Path) -> None:
    store = tmp_path / "store.sqlite"
    CALLS.clear()
    first = tau.evaluate(adds, prompt="add", data=SUMS, store=store, budget=4)
    assert (first.stop_reason, len(CALLS)) == ("budget", 4)
    second = tau.evaluate(adds, prompt="add", data=SUMS, store=store)

    assert second.run_id == first.run_id
    assert len(CALLS) == len(SUMS)
    assert (second.stop_reason, second.score) == ("finished", 1.0)


def test_an_interrupt_is_recorded_and_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()

    def waits(example: Mapping[str, Any], prompt: str) -> str:
        CALLS.append(example["prompt"])
        begun.set()
        return "4"

    class Interrupted(threading.Thread):
        """The caller presses Ctrl-C as soon as the first rollout has begun."""

        def join(self, timeout: float | None = None) -> None:
            if timeout is not None and begun.wait(timeout):
                begun.clear()
                raise KeyboardInterrupt
            super().join(timeout)

    monkeypatch.setattr("tau.api.driving.threading.Thread", Interrupted)
    CALLS.clear()
    rows = [{"prompt": str(n), "expected": "4"} for n in range(400)]
    with pytest.raises(KeyboardInterrupt):
        tau.evaluate(waits, prompt="p", data=rows, store=tmp_path / "store.sqlite", concurrency=1)
    monkeypatch.undo()
    assert len(CALLS) < len(rows)
    done = tau.evaluate(waits, prompt="p", data=rows, store=tmp_path / "store.sqlite")

    assert len(done.rows) == len(rows)
    assert sorted(CALLS) == sorted(row["prompt"] for row in rows), "none is lost, none done twice"


def test_a_model_is_optimized_and_the_result_says_whether_it_is_better(tmp_path: Path) -> None:
    rows = World(4).examples(Split.OPTIMIZE, 150)
    found = tau.optimize(
        "sim/rules",
        prompt=START_PROMPT,
        data=list(rows),
        graders=[{"type": "sim", "feedback": "rule"}],
        budget=400,
        seed=1,
    )

    assert found.improved
    assert found.gain is not None
    assert found.gain.low > 0
    assert found.best_prompt != START_PROMPT
    assert "{+" in found.diff
    assert found.calls <= 400
    assert len(found.candidates) >= 2
    page = found.save_report(tmp_path / "report.html").read_text()
    assert "Promote" in page
    assert found.to_dict()["decision"] == "promote"


def clerk(example: Mapping[str, Any], prompt: str) -> str:
    """A task of one's own that calls no model of Tau's: the simulated clerk, asked directly."""
    asked = [
        Message(role="system", content=prompt),
        Message(role="user", content=example["prompt"]),
    ]
    simulator = Simulator(seed=1)
    return simulator.answer(asked, simulator.number(asked)).text


def test_a_function_is_optimized_with_a_model_that_only_writes_prompts() -> None:
    found = tau.optimize(
        clerk,
        prompt=START_PROMPT,
        data=list(World(4).examples(Split.OPTIMIZE, 150)),
        graders=[{"type": "sim", "feedback": "rule"}],
        budget={"rollouts": 300, "calls": 10},
        reflection_model="sim/rules",
        seed=1,
    )

    assert found.failures == {}
    assert 0 < found.calls <= 10, "only proposals call a model"
    assert len(found.candidates) >= 2
    assert found.decision == "promote"


def test_prompts_of_the_users_own_need_no_model() -> None:
    found = tau.optimize(
        adds,
        prompt="say it",
        data=[{"prompt": f"What is {n} + {n}?", "expected": str(2 * n)} for n in range(60)],
        budget=100,
        algorithm={"type": "select", "prompts": ["add them", "multiply them"]},
    )
    assert found.decision == "promote"
    assert found.best_prompt == "add them"
    assert found.calls == 0


def test_where_nothing_can_be_scored_the_reason_says_so() -> None:
    def broken(example: Mapping[str, Any], prompt: str) -> str:
        raise RuntimeError("no")

    with pytest.raises(TauError, match="nothing could be scored") as caught:
        tau.optimize(broken, prompt="x", data=SUMS * 5, budget=100, reflection_model="sim/rules")
    assert "failed: " in str(caught.value)
    assert "no" in str(caught.value)


def test_a_failing_progress_function_costs_no_work() -> None:
    def fails(look: Progress) -> None:
        raise ValueError("no such widget")

    with pytest.warns(RuntimeWarning, match="no such widget"):
        found = tau.evaluate(adds, prompt="add", data=SUMS, progress=fails)
    assert found.score == 1.0


def test_what_cannot_be_used_is_said_before_anything_runs(tmp_path: Path) -> None:
    CALLS.clear()
    store = tmp_path / "store.sqlite"
    with pytest.raises(InputError, match="no model writes"):
        tau.optimize(adds, prompt="p", data=SUMS, store=store)
    with pytest.raises(ConfigError, match="unknown grader 'exakt'"):
        tau.evaluate(adds, prompt="p", data=SUMS, graders=["exakt"], store=store)
    with pytest.raises(ConfigError):
        tau.evaluate("no-provider", prompt="p", data=SUMS, store=store)
    with pytest.raises(InputError, match="is to be divided"):
        tau.optimize("sim/rules", prompt="p", data="rows.jsonl", store=store)
    assert CALLS == []
    assert not store.exists()


def test_a_function_of_another_program_is_said_to_be_that() -> None:
    with pytest.raises(PluginError, match="only in the program"):
        load_callable("object:adds-0123456789ab", Path())


def test_importing_tau_imports_nothing_else() -> None:
    program = "import sys, tau; print(sorted(m for m in sys.modules if m.startswith('tau')))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True
    )
    assert done.stdout.strip() == "['tau']"
    with pytest.raises(AttributeError):
        _ = tau.nothing

"""What is to be proved, from Python: the words, the rules and the messages of a configuration."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import tau
from tau.config.loading import compose
from tau.domain.draws import uniform
from tau.errors import ConfigError, InputError

ROWS = [{"prompt": f"{n}", "expected": "yes", "doc": f"d{n // 3}"} for n in range(180)]
LONG = "Please answer with yes. " * 20
SHORT = {"type": "select", "prompts": ["Answer yes."], "certification": 60}


def answers(example: Mapping[str, Any], prompt: str) -> str:
    """Right on nine rows of ten whatever the prompt; polite only with the long one."""
    polite = "please " if "Please" in prompt else ""
    right = uniform(1, "row", example["prompt"]) < 0.9
    return f"{polite}{'yes' if right else 'no'}"


def says_yes(example: Mapping[str, Any], output: str) -> bool:
    return "yes" in output


def tone(example: Mapping[str, Any], output: str) -> bool:
    return "please" in output


def optimized(**given: Any) -> Any:  # noqa: ANN401
    return tau.optimize(
        answers,
        **{"prompt": LONG, "data": ROWS, "graders": [says_yes, tone], "algorithm": SHORT,
           "reflection_model": "sim/rules", "budget": 500, **given},
    )  # fmt: skip


def test_a_shorter_prompt_that_is_not_worse_is_promoted() -> None:
    found = optimized(objective={"minimize": "prompt_length", "not_worse": 0.2}, group="doc")

    assert found.improved
    assert found.best_prompt == "Answer yes."
    assert found.claim == "less prompt, and not worse by 20 points"
    assert found.cost is not None
    assert found.cost["ratio"] < 0.1
    assert [one["cost"] for one in found.front] == sorted(one["cost"] for one in found.front)
    assert found.gain is not None
    assert found.gain.groups is not None
    assert json.loads(json.dumps(found.to_dict()))["claim"] == found.claim


@pytest.mark.parametrize("named", [tone, "tone"])
def test_a_guard_is_one_of_the_graders_by_name_or_itself(named: Any) -> None:  # noqa: ANN401
    found = optimized(
        claim={"kind": "not_worse", "margin": 0.1}, guards=[{"grader": named, "margin": 0.1}]
    )

    assert not found.improved
    if named == "tone":
        assert optimized(claim={"kind": "not_worse", "margin": 0.1}).improved
    assert found.claim == "not worse by 10 points; nor worse in tone by 10 points"


def test_without_a_word_a_better_score_is_claimed() -> None:
    found = optimized()
    assert (found.claim, found.cost, found.guards, found.front) == ("better", None, {}, [])
    assert not found.improved


WRONG: list[dict[str, Any]] = [
    {"claim": "not_worse"},
    {"claim": "bettr"},
    {"claim": 3},
    {"claim": {"kind": "better", "margin": 0.1}},
    {"claim": "cheaper_and_not_worse"},
    {"objective": {"minimize": "usd"}},
    {"objective": {"minimize": "money", "not_worse": 0.1}},
    {"objective": "usd"},
    {"objective": {"minimize": "latency", "not_worse": 2}},
    {"claim": "better", "objective": {"minimize": "latency", "not_worse": 0.1}},
    {"guards": {"grader": "tone", "margin": 0.1}},
    {"guards": [{"grader": "tone"}]},
    {"guards": [{"grader": "tonne", "margin": 0.1}]},
    {"guards": [{"grader": "says_yes", "margin": 0.1}]},
    {"guards": [{"grader": "tone", "margin": 0.1}] * 2},
    {"group": "dok"},
    {"group": ""},
]


@pytest.mark.parametrize("given", WRONG, ids=lambda given: json.dumps(given)[:60])
def test_mistakes_are_told_as_of_a_configuration(given: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        optimized(**given)
    (tmp_path / "g.py").write_text("def says_yes(e, o): return 1\ndef tone(e, o): return 1\n")
    with pytest.raises(ConfigError) as written:
        compose(
            {
                "optimize": ROWS,
                "graders": [
                    {"type": "python", "name": name, "function": f"g.py:{name}"}
                    for name in ("says_yes", "tone")
                ],
                "model": "sim/rules",
                "resources": {"system_prompt": LONG},
                **given,
            },
            base_dir=tmp_path,
            environ={},
        )
    messages = {problem.message for problem in written.value.problems}
    assert {problem.message for problem in caught.value.problems} & messages


def test_a_function_that_grades_nothing_guards_nothing() -> None:
    def other(example: Mapping[str, Any], output: str) -> bool:
        return True

    with pytest.raises(InputError, match="no grader 'other' beside the first"):
        optimized(guards=[{"grader": other, "margin": 0.1}])


SCRIPT = """
import tau

rows = [{"prompt": f"Say {n}", "expected": "yes", "customer": f"c{n // 3}"} for n in range(120)]

def app(example, prompt):
    return "yes" if "brief" in prompt else "yes, certainly, with pleasure"

def right(example, output):
    return output.startswith("yes")

def polite(example, output):
    return {"score": 1.0}

found = tau.optimize(
    app, prompt="Answer at length, with all due courtesy and in whole sentences.", data=rows,
    graders=[right, polite], algorithm={"type": "select", "prompts": ["Be brief."]},
    reflection_model="sim/rules",
    objective={"minimize": "prompt_length", "not_worse": 0.3},
    guards=[{"grader": polite, "margin": 0.3}], group="customer",
)
print(found.decision, "|", found.claim, "|", found.best_prompt)
print(round(found.cost["ratio"], 2), sorted(found.guards))
"""


def test_a_script_of_a_user_runs(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(path)], cwd=tmp_path, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first == (
        "promote | less prompt, and not worse by 30 points; nor worse in polite by 30 points | "
        "Be brief."
    )
    assert second.endswith("['polite']")

"""The plain JSON of the contract and its error essences."""

import os
from pathlib import Path
from typing import Any

import pytest

from tau import config
from tau.domain.dataset import Split
from tau.domain.failure import FailureClass
from tau.errors import ConfigError
from unit.config.conftest import EXAMPLE, Load, Problems


def test_example_of_the_guide(load: Load) -> None:
    settings = load(model="openai/gpt-4o-mini", environ={"OPENAI_API_KEY": "k"})

    assert settings.model_ref == "openai/gpt-4o-mini"
    assert [row.prompt for row in settings.examples[Split.OPTIMIZE]] == ["What is 2 + 2?"]
    assert [row.expected for row in settings.examples[Split.VALIDATE]] == ["6"]
    assert settings.examples[Split.TEST] == ()
    assert settings.resources.text("system_prompt") == "You are a concise assistant."
    assert settings.completion_timeout_s == 30
    assert [grader.type for grader in settings.graders] == ["exact_match"]
    assert (settings.executor.type, settings.algorithm.type) == ("chat", "evaluate")
    assert settings.warnings == ()


def test_defaults(load: Load) -> None:
    settings = load({"optimize": ["hello"]}, bare=True)

    assert settings.worker_count == 2
    assert settings.worker_concurrency == 1
    assert settings.poll_interval_ms == 50
    assert settings.heartbeat_interval_ms == 1000
    assert settings.completion_poll_interval_ms == 60
    assert settings.completion_timeout_s is None
    assert settings.resources.values == {}
    assert settings.concurrency == 2


def test_null_is_the_same_as_nothing(load: Load) -> None:
    names = [*EXAMPLE, "model", "params", "graders", "executor", "budget", "retries", "seed"]
    nulls = {name: None for name in names if name != "optimize"}

    assert load(nulls).config_hash == load({"optimize": EXAMPLE["optimize"]}, bare=True).config_hash


@pytest.mark.parametrize("alias", ["train", "val"])
def test_legacy_names(load: Load, alias: str) -> None:
    settings = load({alias: [{"prompt": "a"}, "b"]}, bare=True)

    split = {"train": Split.OPTIMIZE, "val": Split.VALIDATE}[alias]
    assert [row.prompt for row in settings.examples[split]] == ["a", "b"]
    assert settings.warnings == ()


@pytest.mark.parametrize(("alias", "name"), [("train", "optimize"), ("val", "validate")])
def test_legacy_name_beside_the_new_one(problems: Problems, alias: str, name: str) -> None:
    found = problems({alias: ["a"], name: []})

    assert "both given" in found[f"/{alias}"].message


@pytest.mark.parametrize(
    "name",
    [
        "worker_count",
        "poll_interval_ms",
        "heartbeat_interval_ms",
        "completion_poll_interval_ms",
        "completion_timeout_secs",
    ],
)
@pytest.mark.parametrize("value", [0, -1])
def test_zero(problems: Problems, name: str, value: int) -> None:
    found = problems({name: value})

    assert found[f"/{name}"].message == f"training config field '{name}' must be greater than 0"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (True, "must be a whole number, not true"),
        ("2", "must be a whole number, not text"),
        (2.0, "must be a whole number, not a number with a decimal point"),
        ([2], "must be a whole number, not a list"),
        (2**70, "beyond 64 bits"),
    ],
)
def test_no_whole_number(problems: Problems, value: Any, words: str) -> None:  # noqa: ANN401
    assert words in problems({"worker_count": value})["/worker_count"].message


@pytest.mark.parametrize("value", [{}, {"optimize": []}, {"optimize": [], "validate": []}])
def test_no_rollouts(load: Load, value: dict[str, Any]) -> None:
    with pytest.raises(
        ConfigError,
        match=r"config\.json' must contain at least one rollout in 'optimize' or 'validate'",
    ):
        load(value, bare=True)


def test_rows_of_the_test_split_alone_are_no_rollouts(problems: Problems) -> None:
    assert "must contain at least one rollout" in problems({"test": ["a"]}, bare=True)[""].message


@pytest.mark.parametrize("root", ["[]", "3", '"text"', "null"])
def test_root_that_is_no_object(load: Load, root: str, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    with pytest.raises(ConfigError) as caught:
        load(root)

    essence = f"failed to parse prompt-optimization config '{path}': expected JSON object"
    assert caught.value.what.startswith(essence)


def test_syntax_error_has_its_line(load: Load) -> None:
    with pytest.raises(ConfigError, match="failed to parse prompt-optimization config") as caught:
        load('{\n "optimize": ["a"],\n "seed": 1,,\n}')

    assert [problem.line for problem in caught.value.problems] == [3]


def test_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "none.json"
    with pytest.raises(ConfigError) as caught:
        config.load(path, environ={})

    essence = f"failed to read prompt-optimization config '{path}': does not exist"
    assert caught.value.what == essence
    assert caught.value.fix is None
    near = tmp_path / "nine.json"
    near.touch()
    with pytest.raises(ConfigError) as caught:
        config.load(path, environ={})
    assert caught.value.fix == f"did you mean '{near}'?"


def test_folder_pipe_and_device(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.json"
    os.mkfifo(pipe)
    kinds = {tmp_path: "a folder", pipe: "a pipe", Path("/dev/zero"): "a device"}
    for path, kind in kinds.items():
        with pytest.raises(ConfigError, match=f"failed to read .*: is {kind}, not a file"):
            config.load(path, environ={})


@pytest.mark.parametrize("text", ["", "  \n", "\ufeff"])
def test_empty_file(load: Load, text: str) -> None:
    with pytest.raises(ConfigError, match="it is empty"):
        load(text)


def test_duplicate_keys_name_both_lines(problems: Problems) -> None:
    found = problems(
        '{\n "optimize": ["a"],\n "seed": 1,\n "params": {"a": 1,\n "a": 2},\n "seed": 2\n}'
    )

    assert found["/seed"].message == "key 'seed' is given twice, on lines 3 and 6"
    assert found["/params/a"].message == "key 'a' is given twice, on lines 4 and 5"


def test_every_mistake_is_reported_in_file_order(load: Load) -> None:
    text = """{
  "optimize": ["a"],
  "worker_count": 0,
  "graders": ["exakt", {"type": "contains", "valuez": []}],
  "executor": {"type": "chat", "role": "sistem"},
  "algorithm": "evaluat",
  "model": "gpt-4o",
  "budget": {"usd": -1, "tokns": 5}
}"""
    with pytest.raises(ConfigError) as caught:
        load(text, model=None)

    assert "has 8 problems" in caught.value.what
    found = [(each.line, each.pointer, each.fix) for each in caught.value.problems]
    assert found == [
        (3, "/worker_count", None),
        (4, "/graders/0", "did you mean exact?"),
        (4, "/graders/1/valuez", "did you mean 'values'?"),
        (5, "/executor/role", "did you mean 'system'?"),
        (6, "/algorithm", "did you mean evaluate?"),
        (7, "/model", "for example openai/gpt-4o"),
        (8, "/budget/usd", None),
        (8, "/budget/tokns", "did you mean 'tokens'?"),
    ]


def test_unknown_fields_are_warnings(load: Load) -> None:
    (warning,) = load('{\n "optimize": ["a"],\n "optimise": []\n}').warnings

    assert warning.warning
    assert warning.pointer == "/optimise"
    assert warning.line == 3
    assert warning.fix == "did you mean 'optimize'?"


@pytest.mark.parametrize("options", [({"x": 1, "strict": True}, False), ({"x": 1}, True)])
def test_unknown_fields_under_strict(
    problems: Problems, options: tuple[dict[str, Any], bool]
) -> None:
    value, strict = options

    assert not problems(value, strict=strict)["/x"].warning


@pytest.mark.parametrize("row", ["text", {"prompt": 3}, {"expected": "4"}, 5, None, ["a"], True])
def test_rows_of_any_kind_are_kept(load: Load, row: Any) -> None:  # noqa: ANN401
    settings = load({"optimize": [row, row], "validate": ["a row that can be sent"]})

    rows = settings.examples[Split.OPTIMIZE]
    assert [each.value for each in rows] == [row, row]
    assert rows[0].id != rows[1].id


def test_rows_without_prompt_are_told_of(load: Load) -> None:
    (warning,) = load({"optimize": ["a", {"question": "b"}]}).warnings

    assert "1 of 2 rows of 'optimize' have no text 'prompt', the first is row 2" in warning.message
    assert warning.fix == "rename one of 'question' with 'map'"


def test_safety_errors_name_the_dotted_path(problems: Problems) -> None:
    safety = {
        "blocked_penalty": -1,
        "hard_gate_reward_ceiling": 0.5,
        "hard_gate_reason_prefixes": [" "],
        "reason_code_penalties": {"a.b": -1},
    }
    found = problems({"safety_reward": safety})

    assert {each.message.split("'")[1] for each in found.values()} == {
        "safety_reward.blocked_penalty",
        "safety_reward.hard_gate_reward_ceiling",
        "safety_reward.hard_gate_reason_prefixes[0]",
        "safety_reward.reason_code_penalties.a.b",
    }


def test_safety_lists_and_maps_replace_the_defaults(load: Load) -> None:
    safety = load({"safety_reward": {"hard_gate_reason_codes": []}}).safety

    assert safety.hard_gate_reason_codes == ()
    assert safety.hard_gate_reason_prefixes == ("secret_leak.",)


def test_budget_and_retries(load: Load) -> None:
    settings = load(
        {
            "budget": {"rollouts": 3, "calls": 4, "tokens": 5, "usd": 0.000000001, "seconds": 1.5},
            "retries": {
                "max_attempts": 3,
                "backoff_ms": 100,
                "classes": {"rate_limit": {"max_attempts": 9, "max_backoff_ms": 90000}},
            },
            "seed": 7,
        }
    )

    assert settings.budget.cost_nano_usd == 1
    assert (settings.budget.rollouts, settings.budget.seconds) == (3, 1.5)
    assert settings.retries.default.max_attempts == 3
    limited = settings.retries.classes[FailureClass.RATE_LIMIT]
    assert (limited.max_attempts, limited.base_s, limited.max_s) == (9, 0.1, 90.0)
    assert settings.retries.seed == 7
    assert settings.max_attempts == 9


def test_unknown_failure_class_and_impossible_backoff(problems: Problems) -> None:
    found = problems({"retries": {"classes": {"rate_limits": {}}}})
    assert any(pointer.startswith("/retries/classes") for pointer in found)

    found = problems({"retries": {"backoff_ms": 200, "max_backoff_ms": 100}})
    assert "must be at most 'max_backoff_ms'" in found["/retries"].message

"""Sections that name plug-ins."""

from collections.abc import Mapping
from typing import Any

import pytest

from tau.config.run_settings import RunConfig
from unit.config.conftest import Load, Problems


def test_flag_comes_before_the_file(load: Load) -> None:
    settings = load({"model": "openai/gpt-4o"}, model="sim/rules")

    assert settings.model_ref == "sim/rules"
    assert settings.warnings == ()


def test_model_of_the_file(load: Load) -> None:
    model = load({"model": {"name": "sim/rules", "seed": 3, "timeout_s": 5}}, model=None).model

    assert model is not None
    assert (model.ref, model.provider, model.name) == ("sim/rules", "sim", "rules")
    assert model.settings.seed == 3
    assert model.context({}, max_connections=4).timeout_s == 5


def test_no_model_at_all_is_the_callers_question(load: Load) -> None:
    assert load(model=None).model is None


def test_settings_of_another_provider_are_left_out_with_a_warning(load: Load) -> None:
    value = {"model": {"name": "openai/gpt-4o", "organization": "o"}}
    settings = load(value, model="sim/rules")

    assert settings.model is not None
    assert settings.model.options == {}
    assert "are not used" in settings.warnings[0].message


def test_settings_of_the_same_provider_stay(load: Load) -> None:
    model = load({"model": {"name": "sim/rules", "seed": 3}}, model="sim/rules?noise=0").model

    assert model is not None
    assert model.ref == "sim/rules?noise=0"
    assert model.settings.seed == 3


@pytest.mark.parametrize("name", ["gpt-4o", "/gpt", "openai/", "openai/  "])
def test_model_without_provider_or_name(problems: Problems, name: str) -> None:
    for pointer, found in (
        ("", problems(model=name)),
        ("/model", problems({"model": name}, model=None)),
    ):
        assert "must have the form 'provider/model'" in found[pointer].message
    assert problems(model=name)[""].file == "--model"


def test_what_is_wrong_with_the_flags_model_is_said_of_the_flag(problems: Problems) -> None:
    for name in ("", "opnai/gpt-4o", "openai/gpt-4o"):
        [found] = problems({"model": "sim/rules"}, model=name).values()
        assert (found.file, found.pointer, found.line) == ("--model", "", None)


def test_a_grader_nobody_knows_does_not_move_the_places_of_others(problems: Problems) -> None:
    pattern = {"type": "regex", "pattern": "("}
    inner = {"type": "weighted", "graders": ["containz", {"type": "not", "grader": pattern}]}
    found = problems({"graders": ["nubmer", inner, pattern]})
    assert set(found) == {
        "/graders/0", "/graders/1/graders/0", "/graders/1/graders/1/grader", "/graders/2",
    }  # fmt: skip


def test_unknown_provider(problems: Problems) -> None:
    found = problems({"model": "opnai/gpt-4o"}, model=None)

    assert found["/model"].message == "unknown model provider 'opnai'"
    assert found["/model"].fix is not None
    assert "openai" in found["/model"].fix


def test_missing_key_names_its_variable(problems: Problems) -> None:
    problem = problems({"model": "openai/gpt-4o"}, model=None)["/model"]

    assert "OPENAI_API_KEY" in problem.message + (problem.fix or "")


@pytest.mark.parametrize("name", ["api_key", "API-KEY", "token", "client_secret"])
def test_keys_in_the_file_are_refused_and_not_repeated(problems: Problems, name: str) -> None:
    value = {"model": {"name": "sim/rules", name.replace("-", "_"): "canary-value"}}
    found = problems(value, model=None)

    assert any("would hold a credential" in each.message for each in found.values())
    assert "canary-value" not in repr(found)


def test_values_are_not_repeated_in_messages(problems: Problems) -> None:
    found = problems({"model": {"name": "openai/x", "organization": ["canary-value"]}}, model=None)

    assert "canary-value" not in repr(found)


def test_environment_stays_out_of_the_repr(load: Load) -> None:
    settings = load(environ={"OPENAI_API_KEY": "canary-value", "HOME": "/h"})

    assert "canary-value" not in repr(settings)
    assert settings.environ["OPENAI_API_KEY"] == "canary-value"
    assert settings.inherited(settings.executor.settings) == {"HOME": "/h"}


def test_params_go_to_the_model_as_they_are(load: Load) -> None:
    params = {"temperature": 0, "max_tokens": 5, "stop": ["a"], "extra": {"b": None}}

    assert load({"params": params}).params == params


TREE: Mapping[str, Any] = {
    "type": "weighted",
    "name": "quality",
    "graders": ["exact_match", {"type": "not", "grader": {"type": "contains", "values": ["x"]}}],
    "weights": [2, 1],
}


def test_combinators_hold_their_children(load: Load) -> None:
    (top,) = load({"graders": [TREE]}).graders

    assert (top.name, top.type) == ("quality", "weighted")
    assert [child.type for child in top.children] == ["exact_match", "not"]
    assert [child.type for child in top.children[1].children] == ["contains"]


def test_mistakes_deep_in_the_tree_have_their_pointer(problems: Problems) -> None:
    tree = {"type": "not", "grader": {"type": "all", "graders": ["exact", {"type": "contans"}]}}

    assert list(problems({"graders": [tree]})) == ["/graders/0/grader/graders/1/type"]


def test_two_graders_of_one_name(problems: Problems) -> None:
    found = problems({"graders": ["exact", {"type": "contains", "name": "exact", "values": ["a"]}]})

    assert found["/graders"].message == "2 graders are named 'exact'"


@pytest.mark.parametrize("value", [[], {}, "exact", 3, [3], [{}], [{"type": 3}]])
def test_graders_that_are_none(problems: Problems, value: Any) -> None:  # noqa: ANN401
    assert any(pointer.startswith("/graders") for pointer in problems({"graders": value}))


def test_what_plugins_find_is_reported_together(problems: Problems) -> None:
    found = problems(
        {
            "executor": {"type": "python", "function": "no.such.module:f"},
            "graders": [{"type": "regex", "pattern": "("}],
        }
    )

    assert set(found) == {"/executor", "/graders/0"}


def test_a_row_that_cannot_be_graded_is_only_a_warning(load: Load) -> None:
    (warning,) = load({"optimize": [{"prompt": "a", "expected": 4}], "validate": []}).warnings

    assert warning.pointer == "/graders/0"
    assert "'expected' is a number" in warning.message


def test_all_rows_that_cannot_be_graded_are_counted(load: Load) -> None:
    rows = [{"prompt": each, "expected": each} for each in ("3", "10:45", "3-5")]
    (warning,) = load({"optimize": rows, "validate": [], "graders": ["number"]}).warnings

    assert "'number' cannot grade 2 of 3 rows, which stay unscored" in warning.message
    assert "row 2 of 'optimize'" in warning.message
    assert "which is a time" in warning.message


def test_unknown_placeholder(problems: Problems) -> None:
    found = problems({"resources": {"system_prompt": "Answer {qestion} in {language}."}})

    assert "qestion" in found["/executor"].message


def test_replicates_reach_the_algorithm(load: Load) -> None:
    settings = load({"replicates": 3})

    assert settings.replicates == 3
    assert settings.algorithm.settings.replicates == 3


def test_replicates_given_twice(problems: Problems) -> None:
    found = problems({"replicates": 3, "algorithm": {"type": "evaluate", "replicates": 2}})

    assert "differ" in found["/algorithm/replicates"].message


def changed(load: Load, value: Mapping[str, Any]) -> tuple[RunConfig, RunConfig]:
    return load(), load(value)


@pytest.mark.parametrize(
    "value",
    [
        {"worker_count": 9},
        {"worker_concurrency": 9},
        {"poll_interval_ms": 9},
        {"heartbeat_interval_ms": 9},
        {"completion_poll_interval_ms": 9},
        {"completion_timeout_secs": 9},
        {"rollout_time_limit_secs": 9},
        {"budget": {"calls": 9}},
        {"retries": {"max_attempts": 9}},
        {"fail_fast": True},
        {"model": {"name": "sim/rules", "timeout_s": 9}},
        {"graders": [{"type": "exact_match", "name": "exact_match"}]},
        {"executor": {"type": "chat", "role": "system"}},
        {"unknown": 1},
    ],
)
def test_same_run(load: Load, value: Mapping[str, Any]) -> None:
    before, after = changed(load, value)

    assert before.config_hash == after.config_hash


@pytest.mark.parametrize(
    "value",
    [
        {"seed": 9},
        {"replicates": 9},
        {"optimize": ["another"]},
        {"test": ["another"]},
        {"resources": {"system_prompt": "another"}},
        {"params": {"temperature": 1}},
        {"graders": ["exact"]},
        {"executor": {"type": "chat", "role": "developer"}},
        {"safety_reward": {"blocked_penalty": 2}},
        {"model": {"name": "sim/rules", "seed": 9}},
    ],
)
def test_another_run(load: Load, value: Mapping[str, Any]) -> None:
    before, after = changed(load, value)

    assert before.config_hash != after.config_hash


def test_another_model_is_another_run(load: Load) -> None:
    assert load(model="sim/rules?noise=0").config_hash != load().config_hash

"""Rows and prompts together: what cannot be sent, what would be sent as text, what contradicts."""

from typing import Any

import pytest

from unit.config.conftest import Load, Problems


def told(load: Load, **value: Any) -> list[str]:  # noqa: ANN401
    return [each.message for each in load(value, bare=True).warnings]


@pytest.mark.parametrize(
    ("text", "row", "template"),
    [
        ("Sort {subject}: {body}", {"subject": "s", "body": "b"}, "python"),
        ("Sort {{subject}}: {{ body }}", {"subject": "s", "body": "b"}, "mustache"),
        ("Sort.", {"messages": [{"role": "user", "content": "x"}]}, "python"),
        ("Sort.", "text", "python"),
    ],
)
def test_a_prompt_that_takes_all_it_needs_from_columns_is_complete(
    load: Load,
    text: str,
    row: Any,  # noqa: ANN401
    template: str,
) -> None:
    value = {"optimize": [row], "resources": {"system_prompt": text}, "template": template}

    assert load(value, bare=True).warnings == ()


@pytest.mark.parametrize(
    ("row", "words", "fix"),
    [
        ({"question": "q"}, "have no text 'prompt'", "rename one of 'question'"),
        ({"vars": {"x": 1}, "assert": []}, "have no text 'prompt'", "promptfoo"),
        ({"input": [], "ideal": "x"}, "have no text 'prompt'", "openai-evals"),
        ({"inputs": {"x": 1}, "outputs": {}}, "have no text 'prompt'", "LangSmith"),
        ({"prompt": 5}, "have no text 'prompt'", "'prompt'"),
        (5, "have no text 'prompt'", "give it"),
        ({"messages": "Hi"}, "'messages' are not a list", None),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0]", "role"),
        ({"messages": [{"role": "user", "content": None}]}, "messages[0]", "role"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0]", "role"),
    ],
)
def test_that_no_row_can_be_sent_is_a_mistake_and_that_some_cannot_a_warning(
    load: Load,
    problems: Problems,
    row: Any,  # noqa: ANN401
    words: str,
    fix: str | None,
) -> None:
    all_of_them = problems({"optimize": [row, row]}, bare=True)["/optimize"]
    (one_of_them,) = told(load, optimize=["a", row])

    assert "2 of 2 rows of 'optimize'" in all_of_them.message
    assert words in all_of_them.message
    assert fix is None or fix in (all_of_them.fix or "")
    assert "1 of 2 rows of 'optimize'" in one_of_them
    assert "the first is row 2" in one_of_them


def test_rows_that_lack_a_column_of_the_prompt_are_counted(load: Load) -> None:
    rows = [{"prompt": "a", "tone": "kind"}, {"prompt": "b"}, {"prompt": "c"}]
    (message,) = told(load, optimize=rows, resources={"system_prompt": "In {tone}."})

    assert message.startswith("2 of 3 rows of 'optimize' cannot be sent: the example has no field")


@pytest.mark.parametrize(
    ("template", "text", "fix"),
    [
        (None, "{{ question }}", "write '{question}', or set 'template: mustache'"),
        (None, "{{question}}", "write '{question}', or set 'template: mustache'"),
        (None, "{question!r}", "write '{question}'"),
        ("mustache", "{question}", "write '{{question}}', or set 'template: python'"),
    ],
)
def test_the_column_of_another_habit_is_named(
    load: Load, template: str | None, text: str, fix: str
) -> None:
    value = {
        "optimize": [{"prompt": "p", "question": "q"}],
        "resources": {"system_prompt": text},
        "template": template,
    }
    (warning,) = load(value, bare=True).warnings

    assert warning.pointer == "/resources/system_prompt"
    assert f"'{text}' is sent as text, and not filled from the column 'question'" in warning.message
    assert warning.fix == fix


def test_equal_rows_with_two_references_are_told(load: Load) -> None:
    rows = [{"prompt": "a", "expected": "1"}, {"prompt": "b", "expected": "1"}]
    (message,) = told(load, optimize=[*rows, {"prompt": "a", "expected": "2"}, rows[0]])

    assert "1 rows of 'optimize' are equal to an earlier one but for 'expected'" in message
    assert "rows 1 and 3" in message


def test_rows_of_several_splits_are_told(load: Load) -> None:
    (message,) = told(load, optimize=["a", "b"], val=["c", "b"], test=["d"])

    assert message == "1 rows of 'validate' are in 'optimize' too, the first is row 2"


def test_the_habit_is_part_of_what_a_run_means(load: Load) -> None:
    plain, written, other = (load({"template": each}) for each in (None, "python", "mustache"))

    assert plain.config_hash == written.config_hash != other.config_hash


@pytest.mark.parametrize(
    ("section", "pointer"),
    [
        ({"api_key": "sk-12345"}, "/api_key"),
        ({"openaiApiKey": "sk-12345"}, "/openaiApiKey"),
        ({"params": {"extra_headers": {"Authorization": "sk-12345"}}}, None),
        ({"params": {"api-key": "sk-12345"}}, "/params/api-key"),
        ({"executor": {"type": "chat", "token": "sk-12345"}}, "/executor/token"),
        ({"graders": [{"type": "exact_match", "secret": "sk-12345"}]}, "/graders/0/secret"),
        ({"store": "postgresql://me:sk-12345@db/tau"}, "/store"),
    ],
)
def test_credentials_are_refused_wherever_they_stand_and_never_repeated(
    problems: Problems, section: dict[str, Any], pointer: str | None
) -> None:
    found = problems(section)
    problem = found[pointer or "/params/extra_headers/Authorization"]

    assert "would hold a credential" in problem.message
    assert not problem.warning
    assert "sk-12345" not in str(list(found.values()))


def test_names_of_columns_and_schemas_are_no_credentials(load: Load) -> None:
    schema = {"type": "object", "properties": {"token": {"type": "string"}}}
    rows = [{"prompt": "p", "token": "t", "expected": "e"}]
    value = {"optimize": rows, "params": {"response_format": schema, "max_tokens": 5}}

    assert load(value, bare=True).warnings == ()


def test_an_infinite_penalty_names_its_path_and_the_fix(problems: Problems) -> None:
    text = '{"optimize": ["a"], "safety_reward": {"blocked_penalty": Infinity}}'
    problem = problems(text)["/safety_reward/blocked_penalty"]

    assert "'safety_reward.blocked_penalty'" in problem.message
    assert "finite number" in (problem.fix or "")

"""Workers that take their configuration from a store run no code that only the store names."""

from typing import Any

import pytest

from tau.domain.json import Json
from tau.errors import ConfigError
from tau.wiring.worker import refuse_code

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

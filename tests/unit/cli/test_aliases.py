"""Old names are rewritten where an option stands, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau.cli.aliases import ALIASES, rewritten

VALUED = {"--model", "--prompt-optimization-config", "--prompt-optimization-store-sqlite"}


def notice(old: str, new: str) -> str:
    return f"deprecated CLI alias '{old}' detected; use '{new}' instead."


@pytest.mark.parametrize("old", sorted(ALIASES))
@pytest.mark.parametrize("joined", [True, False])
def test_both_ways_of_giving_a_value(old: str, joined: bool) -> None:
    new = ALIASES[old]
    given_, expected = ([f"{old}=v"], [f"{new}=v"]) if joined else ([old, "v"], [new, "v"])

    assert rewritten(given_, valued=VALUED) == (expected, [notice(old, new)])


def test_each_use_is_noticed() -> None:
    _, notices = rewritten(["--train-config", "a", "--train-config=b"], valued=VALUED)

    assert notices == [notice("--train-config", "--prompt-optimization-config")] * 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["--model", "--train-config"],
        ["--prompt-optimization-config", "--train-json"],
        ["--model=--train-config"],
        ["--", "--train-config", "x"],
        ["--train-unknown", "x"],
        ["--train-configs=x"],
        ["train-config"],
        ["--model"],
    ],
)
def test_values_the_rest_and_look_alikes_are_left_alone(arguments: list[str]) -> None:
    assert rewritten(arguments, valued=VALUED) == (arguments, [])


def test_the_value_of_an_alias_is_a_value() -> None:
    arguments, notices = rewritten(["--train-config", "--train-json"], valued=VALUED)

    assert arguments == ["--prompt-optimization-config", "--train-json"]
    assert len(notices) == 1


@given(st.lists(st.text(max_size=8), max_size=6))
def test_arguments_without_an_alias_pass_unchanged(arguments: list[str]) -> None:
    assert rewritten(arguments, valued=VALUED) == (arguments, [])

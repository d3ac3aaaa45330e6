"""What a program says of an error, and the code it exits with."""

import subprocess
import sys

import pytest

from tau.cli.surface import Exit, Surface
from tau.errors import (
    ConfigError,
    ConfigIssue,
    InputError,
    MissingKey,
    RunStopped,
    StoreDamaged,
    TauError,
    TrainerTimeout,
    UsageError,
)

FLAT = Surface(program="tau-coding-agent", flat=True)
PEOPLE = Surface(program="tau")


@pytest.mark.parametrize(
    ("error", "flat", "people"),
    [
        (UsageError("u"), 2, 2),
        (InputError("i"), 1, 2),
        (ConfigError("c"), 1, 2),
        (MissingKey("k"), 1, 2),
        (StoreDamaged("d"), 1, 1),
        (TrainerTimeout("t"), 1, 1),
        (RunStopped("s"), 1, 4),
    ],
)
def test_exit_codes(error: TauError, flat: int, people: int) -> None:
    assert (FLAT.code(error), PEOPLE.code(error)) == (flat, people)


def test_an_error_says_what_where_why_and_the_fix() -> None:
    error = StoreDamaged("the store is damaged", where="a.sqlite", why="a page", fix="a backup")

    assert PEOPLE.describe(error) == [
        "Error: the store is damaged",
        "  where: a.sqlite",
        "  why: a page",
        "  fix: a backup",
    ]


def test_the_flag_surface_wraps_what_a_run_failed_by() -> None:
    error = TrainerTimeout(
        "trainer timeout waiting for rollouts to complete: running=2", why="slow"
    )
    error.__cause__ = StoreDamaged("deeper")

    assert FLAT.describe(error) == [
        "Error: prompt-optimization run failed",
        "  trainer timeout waiting for rollouts to complete: running=2",
        "  why: slow",
        "  caused by: deeper",
    ]
    assert PEOPLE.describe(error)[0].startswith("Error: trainer timeout")


def test_every_problem_of_a_config_is_listed_and_one_is_not_said_twice() -> None:
    first = ConfigIssue(message="must be greater than 0", file="c.json", pointer="/a", line=2)
    second = ConfigIssue(
        message="unknown field", file="c.json", pointer="/b", fix="c?", warning=True
    )

    assert PEOPLE.describe(ConfigError("2 problems", problems=[first, second])) == [
        "Error: 2 problems",
        "  c.json:2 /a: must be greater than 0",
        "  warning: c.json /b: unknown field (c?)",
    ]
    assert PEOPLE.describe(ConfigError("a must be greater than 0", problems=[first])) == [
        "Error: a must be greater than 0",
        "  where: c.json:2 /a",
    ]
    one_of_each = ConfigError("a must be greater than 0", problems=[second, first])
    assert PEOPLE.describe(one_of_each)[1:] == [
        "  warning: c.json /b: unknown field (c?)",
        "  where: c.json:2 /a",
    ]


def test_a_cause_that_says_the_same_is_not_repeated() -> None:
    error = InputError("there is no run 'x' in this store")
    error.__cause__ = StoreDamaged("there is no run 'x'")

    assert PEOPLE.describe(error) == ["Error: there is no run 'x' in this store"]


def test_what_others_wrote_cannot_steer_the_terminal() -> None:
    said = PEOPLE.describe(StoreDamaged("a\x1b[2J\nError: b", why="\u202ec"))

    assert said == ["Error: a\\x1b[2J\\nError: b", "  why: \\u202ec"]


DEFECT = """
import click, sys
from tau.cli.surface import Surface, debug_option, program

@click.command()
@debug_option
def command():
    raise ValueError("\\x1b[31mbroken")

sys.exit(program(command, Surface(program="tau"), sys.argv[1:]))
"""


@pytest.mark.parametrize(("arguments", "traceback"), [([], False), (["--debug"], True)])
def test_a_defect_is_called_one_and_shown_on_request(arguments: list[str], traceback: bool) -> None:
    child = subprocess.run(
        [sys.executable, "-c", DEFECT, *arguments], capture_output=True, text=True, timeout=30,
        check=False,
    )  # fmt: skip

    assert (child.returncode, child.stdout) == (Exit.FAILED, "")
    assert ("Traceback" in child.stderr) == traceback
    assert traceback or child.stderr.startswith("Error: unexpected ValueError: \\x1b[31mbroken\n")

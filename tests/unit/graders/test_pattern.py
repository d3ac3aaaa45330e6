import asyncio
from typing import Any

import pytest

from tau.domain.rollout import Output
from tau.errors import GraderFailed, InputError
from tau.graders.pattern import Regex, RegexSettings
from tau.ports.grader import Grader, GraderContext
from tau.testing.grader import grade, graded_example

ROW = graded_example("p")


def regex_grader(**settings: Any) -> Grader:  # noqa: ANN401
    return Regex.build(RegexSettings(**settings), GraderContext(name="regex"))


@pytest.mark.parametrize(
    ("settings", "text", "right"),
    [
        ({"pattern": "b+"}, "abbc", True),
        ({"pattern": "b+", "full": True}, "abbc", False),
        ({"pattern": "a.*c", "full": True}, " abbc\n", True),
        ({"pattern": "B"}, "abc", False),
        ({"pattern": "B", "ignore_case": True}, "abc", True),
        ({"pattern": "^b$"}, "a\nb\nc", False),
        ({"pattern": "^b$", "multiline": True}, "a\nb\nc", True),
        ({"pattern": "a.b"}, "a\nb", False),
        ({"pattern": "a.b", "dotall": True}, "a\nb", True),
        ({"pattern": "sorry", "absent": True}, "sure", True),
        ({"pattern": "sorry", "absent": True}, "sorry", False),
    ],
)
async def test_matching(settings: dict[str, Any], text: str, right: bool) -> None:
    assert (await grade(regex_grader(**settings), ROW, Output(text=text))).passed is right


@pytest.mark.parametrize("full", [False, True])
async def test_a_catastrophic_pattern_leaves_the_row_unscored_and_the_loop_alive(
    full: bool,
) -> None:
    grader = regex_grader(pattern="(a|a|aa)+$", full=full, time_limit_s=0.2)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticking = asyncio.create_task(tick())
    async with asyncio.timeout(60):
        with pytest.raises(GraderFailed, match=r"longer than 0\.2 s") as failed:
            await grade(grader, ROW, Output(text="a" * 5000 + "!"))
    ticking.cancel()

    assert failed.value.fix
    assert ticks


@pytest.mark.parametrize("pattern", ["(", "[z-a]", "(?P<n>a)(?P<n", "*"])
def test_bad_patterns_are_found_before_anything_starts(pattern: str) -> None:
    with pytest.raises(InputError, match="no regular expression"):
        Regex.check(RegexSettings(pattern=pattern), GraderContext(name="regex"), None)

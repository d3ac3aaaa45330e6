"""The suite every grader must pass.

Subclass it in a test module, implement `make` and run pytest::

    class TestMine(GraderContract):
        def make(self, tmp_path):
            return GraderCase(plugin=MyGrader, settings=MySettings(), example=..., ...)
"""

import asyncio
import dataclasses
import math
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tau.domain.dataset import Example, Split, examples
from tau.domain.json import Json, canonical
from tau.domain.reward import Reward
from tau.domain.rollout import Output
from tau.domain.spend import Spend
from tau.errors import AttemptError, InputError
from tau.ports.clock import SystemClock
from tau.ports.grader import Grader, GraderContext
from tau.runner.pacing import Pacing, PacingSettings
from tau.runner.recorder import SpanRecorder

HOSTILE_TEXTS = {
    "empty": "",
    "blank": " \n\t ",
    "long": "word 7, " * 125_000,
    "one long word": "x" * 1_000_000,
    "digits": "7" * 1_000_000,
    "nul": "a\x00b",
    "lone surrogate": "a\ud800b 7",
    "controls": "\x1b[2J\x07\r\x9b31m 7",
    "right to left": "\u202e7 \u2066A\u2069 \u0627\u0644",
    "combining marks": "e" + "\u0316\u0300" * 100_000,
    "deep json": "[" * 100_000,
    "nested json": "[" * 1000 + "]" * 1000,
    "not a number": '{"a": NaN, "b": Infinity}',
    "huge exponent": "1e999999999 -1e-999999999 1e999",
    "open fences": "```json\n" * 50_000,
    "zero divided": "1/0 0/0 \\frac{1}{0}",
    "template": "{0} {expected} %s ${x} {{}}",
}

HOSTILE_REFERENCES: tuple[Json, ...] = ("", " ", {}, [], [None], {"": None}, True, -0.0, 10**18)


@dataclass(frozen=True, slots=True, kw_only=True)
class GraderCase:
    """One way to build the grader, and what it says of two outputs of one example.

    The score of `good` is higher than that of `bad`. `needs_reference` tells that a row without
    `expected` cannot be graded.
    """

    plugin: Any  # a GraderPlugin; type checkers match no class object with a ClassVar
    settings: Any
    example: Example
    good: Output
    bad: Output
    context: GraderContext = field(default_factory=lambda: GraderContext(name="graded"))
    needs_reference: bool = True
    unusable: Any = None
    """Settings that `check` must refuse, if there are any."""


def graded_example(value: Json) -> Example:
    """A row with an identity."""
    return examples(Split.VALIDATE, [value])[0]


def grading_record(grader: Grader) -> SpanRecorder:
    """A record as the runner would hand to one attempt."""
    return SpanRecorder(
        clock=SystemClock(),
        pacing=Pacing(PacingSettings(), ceiling=64),
        reserved=Spend(rollouts=1, calls=grader.calls_per_attempt),
    )


async def graded(grader: Grader, example: Example, output: Output) -> Reward | None:
    """One grading; None where it was refused as the attempt's failure."""
    try:
        return await grade(grader, example, output)
    except AttemptError:
        return None


async def grade(grader: Grader, example: Example, output: Output) -> Reward:
    """One grading, as the runner asks for it."""
    return await grader.grade(example, output, grading_record(grader))


def assert_sound(reward: Reward, name: str) -> None:
    """It is this grader's, in range, and can be stored as it is."""
    assert reward.name == name
    assert reward.score is not None
    assert 0 <= reward.score <= 1
    assert reward.error is None
    assert reward.passed in {True, False, None}
    assert all(math.isfinite(value) for value in reward.metrics.values())
    canonical([reward.reason, reward.feedback, dict(reward.metrics)])
    assert len(reward.reason) + len(reward.feedback) < 50_000


class GraderContract:
    """Subclass it and implement `make`."""

    def make(self, tmp_path: Path) -> GraderCase:
        """The case to test; called once per test, inside the event loop."""
        raise NotImplementedError

    @pytest.fixture
    async def case(self, tmp_path: Path) -> GraderCase:
        """What `make` returned."""
        return self.make(tmp_path)

    @pytest.fixture
    async def grader(self, case: GraderCase) -> AsyncIterator[Grader]:
        """The grader under test, closed afterwards."""
        grader: Grader = case.plugin.build(case.settings, case.context)
        yield grader
        await grader.aclose()

    async def test_settings_are_a_frozen_dataclass(self, case: GraderCase) -> None:
        """Config validates them and writes their JSON Schema."""
        settings = case.plugin.Settings
        assert dataclasses.is_dataclass(settings)
        with pytest.raises((dataclasses.FrozenInstanceError, TypeError)):
            case.settings.anything = 1

    async def test_check_accepts_what_works(self, case: GraderCase) -> None:
        """And it may be asked without an example."""
        case.plugin.check(case.settings, case.context, case.example)
        case.plugin.check(case.settings, case.context, None)

    async def test_check_refuses_what_cannot_work(self, case: GraderCase) -> None:
        """Before anything starts; settings it does not know are refused in any case."""
        with pytest.raises(TypeError):
            case.plugin.Settings(no_such_setting=1)
        if case.unusable is None:
            return
        with pytest.raises(InputError):
            case.plugin.check(case.unusable, case.context, case.example)

    async def test_it_has_the_name_it_was_given(self, case: GraderCase, grader: Grader) -> None:
        """The reward's name is the configuration's."""
        assert grader.name == case.context.name
        assert grader.calls_per_attempt >= 0

    async def test_the_good_output_scores_higher(self, case: GraderCase, grader: Grader) -> None:
        """Both are graded, and the proposer is told what was wrong."""
        good = await grade(grader, case.example, case.good)
        bad = await grade(grader, case.example, case.bad)
        assert_sound(good, grader.name)
        assert_sound(bad, grader.name)
        assert good.score is not None
        assert bad.score is not None
        assert good.score > bad.score
        assert good.reason
        assert bad.reason
        assert bad.feedback

    async def test_it_says_the_same_every_time(self, case: GraderCase, grader: Grader) -> None:
        """One after the other and all at once."""
        first = await grade(grader, case.example, case.bad)
        await grade(grader, case.example, case.good)
        rest = await asyncio.gather(*(grade(grader, case.example, case.bad) for _ in range(4)))
        assert [first] * 4 == rest

    @pytest.mark.parametrize("text", HOSTILE_TEXTS.values(), ids=HOSTILE_TEXTS)
    async def test_hostile_output(self, case: GraderCase, grader: Grader, text: str) -> None:
        """Whatever a model writes is graded, or refused as an error of the attempt; soon."""
        async with asyncio.timeout(60):
            reward = await graded(grader, case.example, Output(text=text))
        if reward is not None:
            assert_sound(reward, grader.name)

    @pytest.mark.parametrize("expected", HOSTILE_REFERENCES, ids=repr)
    async def test_strange_reference(
        self, case: GraderCase, grader: Grader, expected: Json
    ) -> None:
        """A reference answer of another kind is an error of the attempt or graded soundly."""
        example = graded_example({**case.example.fields, "expected": expected})
        reward = await graded(grader, example, case.good)
        if reward is not None:
            assert_sound(reward, grader.name)

    async def test_a_missing_reference_is_no_zero(self, case: GraderCase, grader: Grader) -> None:
        """The row stays unscored, unless the grader needs no reference at all."""
        fields = {k: v for k, v in case.example.fields.items() if k != "expected"}
        if not case.needs_reference:
            assert_sound(await grade(grader, graded_example(fields), case.good), grader.name)
            return
        with pytest.raises(AttemptError):
            await grade(grader, graded_example(fields), case.good)

    async def test_it_changes_nothing_it_is_given(self, case: GraderCase, grader: Grader) -> None:
        """Example and output belong to the runner."""
        output = replace(case.good, metadata={"a": [1]})
        before = canonical(case.example.value), replace(output, metadata={"a": [1]})
        await grade(grader, case.example, output)
        assert (canonical(case.example.value), output) == before

    async def test_cancelling_passes(self, case: GraderCase, grader: Grader) -> None:
        """A grading that still runs ends as cancelled, and the next one works."""
        task = asyncio.create_task(grade(grader, case.example, case.good))
        await asyncio.sleep(0)
        if task.cancel():
            with pytest.raises(asyncio.CancelledError):
                await task
        assert_sound(await grade(grader, case.example, case.good), grader.name)

    async def test_closing_again_does_nothing(self, case: GraderCase) -> None:
        """After use, and without any."""
        unused: Grader = case.plugin.build(case.settings, case.context)
        await unused.aclose()
        await unused.aclose()
        used: Grader = case.plugin.build(case.settings, case.context)
        await grade(used, case.example, case.good)
        await used.aclose()
        await used.aclose()

from collections.abc import Sequence
from typing import Any

import pytest

from tau.domain.dataset import Example
from tau.domain.reward import Reward
from tau.domain.rollout import Output
from tau.errors import GraderFailed, RateLimited
from tau.graders.combine import (
    All,
    AllSettings,
    AnyOf,
    AnySettings,
    Gate,
    GateSettings,
    Not,
    NotSettings,
    Weighted,
    WeightedSettings,
)
from tau.ports.grader import GraderContext
from tau.ports.record import Recorder
from tau.testing.grader import grade, graded_example, grading_record

ROW = graded_example("p")
TWO: tuple[dict[str, Any], ...] = ({"type": "a"}, {"type": "b"})


class Saying:
    """Says what it is told to; an exception is raised."""

    def __init__(
        self,
        name: str,
        score: float | BaseException | None,
        passed: bool | None = None,
        calls: int = 0,
    ) -> None:
        self.name = name
        self.calls_per_attempt = calls
        self.asked = 0
        self.closed = False
        self._score = score
        self._passed = passed

    async def grade(self, example: Example, output: Output, record: Recorder) -> Reward:
        self.asked += 1
        if isinstance(self._score, BaseException):
            raise self._score
        return Reward(
            name=self.name, score=self._score, passed=self._passed,
            reason=f"reason {self.name}", feedback=f"feedback {self.name}",
        )  # fmt: skip

    async def aclose(self) -> None:
        self.closed = True


def context(children: Sequence[Saying]) -> GraderContext:
    return GraderContext(name="parent", children=children)


def pair(
    a: float, b: float, passed_a: bool | None = None, passed_b: bool | None = None
) -> GraderContext:
    return context([Saying("a", a, passed_a), Saying("b", b, passed_b)])


@pytest.mark.parametrize(
    ("weights", "pass_at", "score", "passed"),
    [
        ((), None, 0.6, None),
        ((1, 3), None, 0.4, None),
        ((30, 10), 0.8, 0.8, True),
        ((), 0.7, 0.6, False),
    ],
)
async def test_weighted(
    weights: tuple[float, ...], pass_at: float | None, score: float, passed: bool | None
) -> None:
    settings = WeightedSettings(graders=TWO, weights=weights, pass_at=pass_at)
    reward = await grade(Weighted.build(settings, pair(1.0, 0.2)), ROW, Output(text=""))

    assert reward.score == pytest.approx(score)
    assert reward.passed is passed
    assert reward.metrics == {"a": 1.0, "b": 0.2}
    assert reward.reason == "a: reason a; b: reason b"
    assert reward.feedback == "b: feedback b"


@pytest.mark.parametrize(
    ("a", "b", "of_all", "of_any"),
    [
        (True, True, True, True),
        (True, False, False, True),
        (False, False, False, False),
        (None, True, None, True),
        (None, False, False, None),
    ],
)
async def test_all_and_any(
    a: bool | None, b: bool | None, of_all: bool | None, of_any: bool | None
) -> None:
    children = pair(0.2, 0.9, a, b)
    both = await grade(All.build(AllSettings(graders=TWO), children), ROW, Output(text=""))
    one = await grade(AnyOf.build(AnySettings(graders=TWO), children), ROW, Output(text=""))

    assert (both.score, both.passed) == (0.2, of_all)
    assert (one.score, one.passed) == (0.9, of_any)


@pytest.mark.parametrize(("passed", "turned"), [(True, False), (False, True), (None, None)])
async def test_not(passed: bool | None, turned: bool | None) -> None:
    grader = Not.build(NotSettings(grader=TWO[0]), context([Saying("a", 0.75, passed)]))
    reward = await grade(grader, ROW, Output(text=""))

    assert (reward.score, reward.passed) == (0.25, turned)
    assert "opposite" in reward.feedback


@pytest.mark.parametrize(
    ("gate_score", "gate_passed", "score", "passed"),
    [
        (0.4, True, 0.9, True),
        (1.0, False, 0.1, False),
        (1.0, None, 0.9, True),
        (0.9, None, 0.1, False),
    ],
)
async def test_gate(
    gate_score: float, gate_passed: bool | None, score: float, passed: bool
) -> None:
    children = [Saying("gate", gate_score, gate_passed), Saying("graded", 0.9, True)]
    grader = Gate.build(GateSettings(graders=TWO, otherwise=0.1), context(children))

    reward = await grade(grader, ROW, Output(text=""))

    assert (reward.score, reward.passed) == (score, passed)
    assert children[1].asked == int(score == 0.9)


FAILURES = [GraderFailed("no page"), RateLimited("wait"), LookupError("lost"), None]


@pytest.mark.parametrize("failure", FAILURES, ids=repr)
@pytest.mark.parametrize(
    ("plugin", "settings"),
    [
        (Weighted, WeightedSettings(graders=TWO)),
        (All, AllSettings(graders=TWO)),
        (AnyOf, AnySettings(graders=TWO)),
        (Gate, GateSettings(graders=TWO)),
    ],
)
@pytest.mark.parametrize("other", [0.0, 1.0])
async def test_a_failing_child_leaves_the_whole_unscored(
    plugin: Any,  # noqa: ANN401
    settings: object,
    failure: Exception | None,
    other: float,
) -> None:
    children = [Saying("failing", failure), Saying("other", other, other == 1)]
    kind = RateLimited if isinstance(failure, RateLimited) else GraderFailed

    with pytest.raises(kind):
        await grade(plugin.build(settings, context(children)), ROW, Output(text=""))


async def test_calls_add_up_and_children_are_closed() -> None:
    children = [Saying("a", 1.0, calls=2), Saying("b", 1.0, calls=3)]
    grader = All.build(AllSettings(graders=TWO), context(children))

    await grader.aclose()

    assert grader.calls_per_attempt == 5
    assert [child.closed for child in children] == [True, True]


async def test_each_child_has_its_span() -> None:
    grader = All.build(AllSettings(graders=TWO), pair(0.2, 0.9))
    record = grading_record(grader)

    await grader.grade(ROW, Output(text=""), record)

    spans = record.close()
    assert [(span.name, span.attributes["score"]) for span in spans] == [("a", 0.2), ("b", 0.9)]

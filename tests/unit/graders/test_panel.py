"""Several opinions: votes, their disagreement, and dear judges only where cheap ones are unsure."""

from typing import Any

import pytest

from machinery.judging import ROW, context, judge_of, record_of, saying, verdict
from tau.domain.reward import Reward
from tau.domain.rollout import Output
from tau.errors import InputError, RateLimited
from tau.graders.judge import Judge
from tau.graders.ngrams import NgramSimilarity, NgramSimilaritySettings
from tau.graders.panel import DISAGREEMENT, Cascade, Jury
from tau.ports.grader import Grader, GraderContext
from tau.testing.grader import graded_example


def member(name: str, *labels: object) -> tuple[Grader, Any]:
    model = saying(*(each if isinstance(each, Exception) else verdict(each) for each in labels))
    settings = Judge.Settings(rubric="?", scale="1-5")
    return Judge.build(settings, GraderContext(name=name, model=model)), model


def panel(plugin: Any, *children: Grader, **settings: Any) -> Grader:  # noqa: ANN401
    made = plugin.Settings(graders=tuple({"type": each.name} for each in children), **settings)
    place = GraderContext(name="panel", children=children)
    plugin.check(made, place, None)
    built: Grader = plugin.build(made, place)
    return built


async def graded(grader: Grader) -> Reward:
    return await grader.grade(ROW, Output(text="x"), record_of(grader))


VOTES = [
    ((5, 5, 1), "majority", 1.0, 1 / 3),
    ((5, 1, 1), "majority", 0.0, 1 / 3),
    ((5, 5, 5), "majority", 1.0, 0.0),
    ((5, 1), "majority", 0.5, 0.5),
    ((1, 3, 5), "majority", 0.5, 2 / 3),
    ((5, 4, 1), "mean", (1 + 0.75) / 3, 1.0),
    ((4, 4), "mean", 0.75, 0.0),
]


@pytest.mark.parametrize(("votes", "decide", "score", "apart"), VOTES)
async def test_a_jury_keeps_its_disagreement(
    votes: tuple[int, ...], decide: str, score: float, apart: float
) -> None:
    children = [member(f"j{n}", vote)[0] for n, vote in enumerate(votes)]
    reward = await graded(panel(Jury, *children, decide=decide))
    assert reward.score == pytest.approx(score)
    assert reward.metrics[DISAGREEMENT] == pytest.approx(apart)
    assert ("disagree" in reward.reason) is (apart > 0)
    assert all(f"j{n}" in reward.metrics for n in range(len(votes)))


async def test_samples_of_one_judge_are_votes_of_their_own() -> None:
    child, model = member("one", 5, 1, 5)
    jury = panel(Jury, child, samples=3)
    assert jury.calls_per_attempt == 6
    reward = await graded(jury)
    assert len(model.asked) == 3, "none is taken from another"
    assert reward.score == 1.0
    assert reward.metrics[DISAGREEMENT] == pytest.approx(1 / 3)


async def test_votes_that_were_paid_for_are_kept_where_one_judge_fails() -> None:
    first, asked = member("first", 5)
    second, _ = member("second", RateLimited("slow down"), 5)
    jury = panel(Jury, first, second)
    with pytest.raises(RateLimited):
        await graded(jury)
    assert (await graded(jury)).score == 1.0
    assert len(asked.asked) == 1


async def test_a_jury_of_one_vote_and_of_equal_names_is_refused() -> None:
    child, _ = member("one", 5)
    with pytest.raises(InputError, match="one vote"):
        panel(Jury, child)
    with pytest.raises(InputError, match="named 'one'"):
        panel(Jury, child, child)


@pytest.mark.parametrize(("cheap", "asked"), [(1, 0), (2, 1), (3, 1), (4, 1), (5, 0)])
async def test_a_dear_judge_is_asked_where_the_cheap_one_is_unsure(cheap: int, asked: int) -> None:
    first, _ = member("cheap", cheap)
    last, dear = member("dear", 4)
    cascade = panel(Cascade, first, last)
    assert cascade.calls_per_attempt == 4
    reward = await graded(cascade)
    assert len(dear.asked) == asked
    assert reward.score == (0.75 if asked else (cheap - 1) / 4)
    assert reward.metrics["asked"] == 1 + asked


async def test_a_jury_that_disagrees_is_not_sure() -> None:
    jury = panel(Jury, *(member(f"j{n}", vote)[0] for n, vote in enumerate((5, 5, 1))))
    last, dear = member("dear", 1)
    assert (await graded(panel(Cascade, jury, last))).score == 0.0
    assert len(dear.asked) == 1


def test_a_cascade_that_is_never_unsure_is_refused() -> None:
    with pytest.raises(InputError, match="unsure"):
        panel(Cascade, member("a", 1)[0], member("b", 1)[0], low=0.5, high=0.5)


@pytest.mark.parametrize(
    ("said", "expected", "low", "high"),
    [
        ("The cat sat", "The cat sat", 1, 1), ("Thecat sat", "The cat sat", 1, 1),
        ("a cat sat", "The cat sat", 0.4, 0.8), ("xyz", "The cat", 0, 0.01), ("", "", 1, 1),
        ("", "a", 0, 0), ("七个", "七個", 0.1, 0.6), ("b", ["a", "b"], 1, 1),
    ],
)  # fmt: skip
def test_likeness_without_a_model(said: str, expected: Any, low: float, high: float) -> None:  # noqa: ANN401
    grader = NgramSimilarity("like", NgramSimilaritySettings())
    row = graded_example({"prompt": "p", "expected": expected})
    score = grader.judge(row, Output(text=said)).score
    assert score is not None
    assert low <= score <= high


def test_judges_are_built_by_their_names() -> None:
    assert judge_of(Judge, saying(verdict("yes")), rubric="?").name == context(saying("")).name

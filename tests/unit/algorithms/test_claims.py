"""What is claimed beside a better score: not worse, cheaper, and guards."""

from dataclasses import replace

import pytest

from tau.algorithms.select import Select, SelectSettings
from tau.domain.claim import Aim, ClaimTerms, CostMeasure, Guard
from tau.domain.decision import Decision
from tau.domain.draws import uniform
from tau.domain.reward import Reward
from tau.domain.rollout import RolloutRequest, RolloutResult
from tau.ports.algorithm import Recommendation
from unit.algorithms.pretended import Answer, drive, problem, settled

LONG = " ".join(["You answer questions."] * 10)
SHORTER, SHORTEST = "You answer questions.", "Answer."
CHEAPER = ClaimTerms(aim=Aim.CHEAPER, margin=0.1, minimize=CostMeasure.PROMPT_LENGTH)


def ran(terms: ClaimTerms, answer: Answer, *prompts: str) -> Recommendation:
    asked = replace(problem(30, 30, 100, values={"system_prompt": LONG}), claim=terms)
    settings = SelectSettings(prompts=prompts, certification=100, evaluations=500)
    algorithm = Select.build(settings, asked)
    drive(algorithm, answer)
    state = algorithm.state_dict()
    other = Select.build(settings, asked)
    other.load_state_dict(state)
    assert other.best() == algorithm.best(), "the state holds what the claim needs"
    return algorithm.best()


def right(request: RolloutRequest, rest: float = 0.9) -> RolloutResult:
    """Right on nine rows of ten with any prompt but the shortest."""
    text = request.resources.text("system_prompt")
    share = 0.3 if text == SHORTEST else rest
    score = float(uniform(1, "row", request.subject) < share)
    made = settled(request, "said", score)
    tone = Reward(name="tone", score=0.2 if text == SHORTER else 0.9)
    return replace(made, rewards=(*made.rewards, tone))


def test_the_cheapest_prompt_that_is_not_worse_is_promoted_with_its_front() -> None:
    best = ran(CHEAPER, right, SHORTER, SHORTEST)

    assert best.decision is Decision.PROMOTE
    assert best.resources.text("system_prompt") == SHORTER
    certificate, front = best.evidence["certificate"], best.evidence["front"]
    assert isinstance(certificate, dict)
    assert isinstance(front, list)
    assert certificate["cost"]["ratio"] == pytest.approx(len(SHORTER) / len(LONG))
    assert [one["cost"] for one in front] == sorted(one["cost"] for one in front)
    assert {one["origin"] for one in front} >= {"baseline", "given"}


def test_a_longer_prompt_is_never_called_cheaper_however_good_it_is() -> None:
    best = ran(CHEAPER, right, LONG + "And be kind.")

    assert best.decision is Decision.KEEP_BASELINE
    assert "took less prompt" in str(best.evidence["certificate"])


def test_a_prompt_as_good_is_not_worse_but_not_better() -> None:
    not_worse = ran(ClaimTerms(aim=Aim.NOT_WORSE, margin=0.1), right, SHORTER)
    better = ran(ClaimTerms(), right, SHORTER)

    assert not_worse.decision is Decision.PROMOTE
    assert better.decision is not Decision.PROMOTE


def test_a_prompt_that_is_worse_by_the_margin_is_not_promoted() -> None:
    best = ran(ClaimTerms(aim=Aim.NOT_WORSE, margin=0.1), right, SHORTEST)

    assert best.decision is not Decision.PROMOTE


def test_a_guard_that_got_worse_stops_a_better_prompt() -> None:
    def better(request: RolloutRequest) -> RolloutResult:
        return right(request, 0.9 if request.resources.text("system_prompt") == SHORTER else 0.2)

    guarded = ClaimTerms(guards=(Guard(grader="tone", margin=0.05),))
    assert ran(ClaimTerms(), better, SHORTER).decision is Decision.PROMOTE
    assert ran(guarded, better, SHORTER).decision is Decision.KEEP_BASELINE


def test_a_guard_that_holds_is_told_with_its_figures() -> None:
    def better(request: RolloutRequest) -> RolloutResult:
        good = request.resources.text("system_prompt") != LONG
        made = settled(
            request, "said", float(uniform(1, "row", request.subject) < 0.2 + 0.7 * good)
        )
        return replace(made, rewards=(*made.rewards, Reward(name="tone", score=0.9)))

    best = ran(ClaimTerms(guards=(Guard(grader="tone", margin=0.2),)), better, SHORTER)
    certificate = best.evidence["certificate"]

    assert best.decision is Decision.PROMOTE
    assert isinstance(certificate, dict)
    assert certificate["guards"]["tone"]["margin"] == 0.2


def test_a_grader_that_gave_no_scores_guards_nothing_and_is_not_taken_for_well() -> None:
    def better(request: RolloutRequest) -> RolloutResult:
        return settled(request, "said", float(request.resources.text("system_prompt") != LONG))

    best = ran(ClaimTerms(guards=(Guard(grader="tone", margin=0.2),)), better, SHORTER)

    assert best.decision is Decision.INCONCLUSIVE

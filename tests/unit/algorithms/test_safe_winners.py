"""Whoever trips a safety gate has lost everywhere, so that the best safe one is certified."""

from dataclasses import replace

import pytest

from tau.algorithms.economy import Economy
from tau.algorithms.ending import best_safe, winner
from tau.algorithms.pool import Candidate, CandidatePool
from tau.domain.claim import Aim, ClaimTerms, CostMeasure
from tau.domain.dataset import Split, examples
from tau.domain.failure import Failure, FailureClass
from tau.domain.resources import Resources
from tau.domain.reward import SAFETY_HARD_GATE_TRIGGERED, Reward
from tau.domain.rollout import RolloutKind, RolloutRequest, RolloutResult, RolloutStatus

ROWS = examples(Split.VALIDATE, [{"prompt": str(n)} for n in range(4)])
BASE = Resources(values={"system_prompt": "base"})
OTHER = Resources(values={"system_prompt": "other"})


def result(
    resources: Resources, row: int, score: float | None, *, gated: bool = False,
    failure: FailureClass | None = None,
) -> RolloutResult:  # fmt: skip
    return RolloutResult(
        request=RolloutRequest(kind=RolloutKind.EVALUATE, resources=resources, example=ROWS[row]),
        rollout_id=None,
        status=RolloutStatus.FAILED if failure else RolloutStatus.SUCCEEDED,
        score=score,
        rewards=(Reward(name=SAFETY_HARD_GATE_TRIGGERED, score=0.0),) if gated else (),
        failure=Failure(kind=failure, message="no answer") if failure else None,
    )


def pool() -> CandidatePool:
    return CandidatePool.of(BASE).adding(Candidate(resources=OTHER, origin="given"))


def test_one_trip_loses_every_row_of_the_contest() -> None:
    made = pool().recording(
        [result(OTHER, 0, 1.0, gated=True), result(OTHER, 1, 1.0), result(BASE, 0, 0.5)]
    )

    assert made.contest[OTHER.hash].mean == 0.0
    assert made.table[OTHER.hash].mean == 1.0
    assert made.contest[BASE.hash].mean == 0.5


def test_what_the_prompt_led_to_is_a_zero_and_trouble_elsewhere_is_missing() -> None:
    made = pool().recording(
        [
            result(OTHER, 0, None, failure=FailureClass.CONTENT_FILTER),
            result(OTHER, 1, None, failure=FailureClass.CONTEXT_LENGTH),
            result(OTHER, 2, None, failure=FailureClass.SERVER),
            result(OTHER, 3, 1.0),
        ]
    )

    assert list(made.table[OTHER.hash].cells.values()) == [0.0, 0.0, None, 1.0]


UNSAFE, SAFE = (
    Candidate(resources=Resources(values={"system_prompt": text}), origin="given")
    for text in ("unsafe, short", "safe, and longer than that")
)
LONG = Resources(values={"system_prompt": "base " * 20})
CHEAPER = ClaimTerms(aim=Aim.CHEAPER, margin=0.1, minimize=CostMeasure.PROMPT_LENGTH)


@pytest.mark.parametrize(
    "terms", [ClaimTerms(), ClaimTerms(aim=Aim.NOT_WORSE, margin=0.1), CHEAPER], ids=lambda t: t.aim
)
def test_whatever_is_claimed_and_whoever_a_search_ranks_first_the_winner_is_safe(
    terms: ClaimTerms,
) -> None:
    results = [
        result(one, row, score, gated=one is UNSAFE.resources)
        for row in range(4)
        for one, score in ((LONG, 0.5), (UNSAFE.resources, 1.0), (SAFE.resources, 0.75))
    ]
    made = CandidatePool.of(LONG).adding(UNSAFE).adding(SAFE).recording(results)
    economy = Economy(terms=terms, measured=Economy(terms=terms).recording(results, made))
    ranked = [UNSAFE.hash, SAFE.hash, made.baseline]

    assert best_safe(made, ranked) == SAFE.hash
    assert winner(made, economy, ranked) == SAFE.hash
    assert winner(made.keeping([UNSAFE.hash]), economy, ranked[:1]) == made.baseline
    shown = economy.front(made, made.safe(made.members))
    assert UNSAFE.hash not in [one["candidate"] for one in shown]


def test_of_many_failures_the_latest_are_kept_each_example_once() -> None:
    rows = examples(Split.OPTIMIZE, [{"prompt": str(n)} for n in range(60)])
    made = CandidatePool.of(BASE)
    for row in (*rows, *rows):
        request = RolloutRequest(kind=RolloutKind.EVALUATE, resources=BASE, example=row)
        made = made.recording([replace(result(BASE, 0, 0.0), request=request)])

    assert [one.example for one in made.failures_of(BASE.hash)] == [row.id for row in rows[-48:]]

"""What moves submit, report and allow, chosen by numbers."""

from tau.domain.dataset import Split, examples
from tau.domain.failure import Failure, FailureClass
from tau.domain.resources import Resources
from tau.domain.rollout import (
    AttemptStatus,
    Outcome,
    Output,
    RolloutKind,
    RolloutRequest,
    Submission,
)
from tau.domain.spend import Budget, Spend

RESOURCES = tuple(Resources(values={"system_prompt": f"prompt {n}"}) for n in range(3))
_EXAMPLES = examples(Split.OPTIMIZE, ["a", "b", {"prompt": "c", "expected": "d"}, "b"])
OUTPUT = Output(text="an answer", finish_reason="stop")
SUCCESS = Outcome(
    status=AttemptStatus.SUCCEEDED, output=OUTPUT, score=0.5, spent=Spend(rollouts=1, calls=1)
)
_SERVER = Failure(kind=FailureClass.SERVER, message="it broke", status=500)


def submission(number: int, calls: int, tokens: int) -> Submission:
    """One of a small universe of requests."""
    reserve = Spend(rollouts=1, calls=1 + calls % 2, tokens=tokens % 50, cost_nano_usd=calls % 9)
    resources = RESOURCES[number % 3]
    if number % 5 == 4:
        request = RolloutRequest(
            kind=RolloutKind.PROPOSE,
            resources=resources,
            proposal={"ask": number % 2},
            slot=number // 7 % 2,
        )
    else:
        request = RolloutRequest(
            kind=RolloutKind.EVALUATE,
            resources=resources,
            example=_EXAMPLES[number // 3 % 4],
            replicate=number // 11 % 2,
        )
    return Submission(request=request, reserve=reserve)


def failure(kind: int, wait: int) -> Outcome:
    """For good, to be retried at once, or later."""
    retry = (None, 0.0, 0.0, 0.25, 20.0)[kind % 5]
    timeout = kind % 3 == 0
    return Outcome(
        status=AttemptStatus.TIMEOUT if timeout else AttemptStatus.FAILED,
        failure=_SERVER,
        retry_in_s=retry,
        spent=spend(wait),
    )


def spend(pick: int) -> Spend:
    """What an attempt reports."""
    return Spend(rollouts=1, calls=pick % 3, tokens=pick % 40, cost_nano_usd=pick % 11)


def budget(pick: int) -> Budget:
    """Mostly generous, sometimes soon used up."""
    kinds = (
        Budget(),
        Budget(rollouts=30),
        Budget(calls=60, tokens=1500),
        Budget(cost_nano_usd=200),
        Budget(rollouts=500, calls=500),
    )
    return kinds[pick % len(kinds)]

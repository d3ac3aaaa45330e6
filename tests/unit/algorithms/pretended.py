"""Pretended models and metrics: what a request comes to is fixed by the request alone."""

from collections.abc import Callable, Sequence

from tau.domain.dataset import Split, examples
from tau.domain.draws import uniform
from tau.domain.json import Json
from tau.domain.resources import Resources
from tau.domain.reward import Reward
from tau.domain.rollout import Output, RolloutKind, RolloutRequest, RolloutResult, RolloutStatus
from tau.domain.spend import Budget
from tau.ports.algorithm import Algorithm, Problem

Answer = Callable[[RolloutRequest], RolloutResult]
Score = Callable[[RolloutRequest], float | None]

START = "You answer questions.\nBe brief."


def problem(
    optimize: int = 30,
    validate: int = 20,
    test: int = 20,
    *,
    seed: int = 0,
    budget: Budget | None = None,
    values: dict[str, Json] | None = None,
) -> Problem:
    counts = {Split.OPTIMIZE: optimize, Split.VALIDATE: validate, Split.TEST: test}
    return Problem(
        seed_resources=Resources(values=values or {"system_prompt": START}),
        examples={
            split: examples(
                split, [{"prompt": f"{split} {n}", "expected": str(n)} for n in range(count)]
            )
            for split, count in counts.items()
        },
        seed=seed,
        budget=budget or Budget(),
    )


WORDS = ("apples", "pears", "plums", "figs", "nuts", "tea")


def needed(request: RolloutRequest) -> str:
    """The word that a prompt must mention for this example."""
    return WORDS[int(len(WORDS) * uniform(3, "topic", request.subject))]


def settled(request: RolloutRequest, text: str, score: float | None = None) -> RolloutResult:
    rewards: tuple[Reward, ...] = ()
    if score is not None:
        said = "" if score >= 1 else f"You must mention {needed(request)}."
        rewards = (Reward(name="right", score=score, passed=score >= 1, feedback=said),)
    return RolloutResult(
        request=request,
        rollout_id=None,
        status=RolloutStatus.SUCCEEDED,
        output=Output(text=text),
        rewards=rewards,
        score=score,
        attempts=1,
    )


def answering(score: Score) -> Answer:
    """Proposals add a line of their own; evaluations score as told."""

    def answer(request: RolloutRequest) -> RolloutResult:
        if request.kind is RolloutKind.PROPOSE:
            old = request.resources.text("system_prompt") or ""
            word = WORDS[int(len(WORDS) * uniform(5, "word", *request.key))]
            tag = f"{request.subject[:4]}{request.slot}"
            return settled(request, f"```\n{old}\nAlways mention {word} ({tag}).\n```")
        return settled(request, "said", score(request))

    return answer


def noisy(seed: int) -> Score:
    """Right or wrong by the toss of a coin, whatever the prompt."""
    return lambda request: float(uniform(seed, "coin", *request.key) < 0.5)


def learning(seed: int) -> Score:
    """A prompt that mentions what an example needs is mostly right there."""

    def score(request: RolloutRequest) -> float:
        known = needed(request) in (request.resources.text("system_prompt") or "")
        chance = 0.9 if known else 0.1
        return float(uniform(seed, "toss", *request.key) < chance)

    return score


def drive(
    algorithm: Algorithm, answer: Answer, *, most_waves: int = 2_000
) -> list[list[RolloutRequest]]:
    waves: list[list[RolloutRequest]] = []
    while wave := algorithm.ask():
        waves.append(list(wave))
        assert len(waves) <= most_waves, "it does not finish"
        algorithm.tell([answer(request) for request in wave])
    return waves


def evaluations(waves: Sequence[Sequence[RolloutRequest]]) -> int:
    return sum(one.kind is RolloutKind.EVALUATE for wave in waves for one in wave)


def proposals(waves: Sequence[Sequence[RolloutRequest]]) -> int:
    return sum(one.kind is RolloutKind.PROPOSE for wave in waves for one in wave)

"""The simulated world as a problem and as the model and grader behind requests, in process."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from tau.domain.chat import Message
from tau.domain.dataset import Split, examples
from tau.domain.resources import Resources
from tau.domain.reward import Reward
from tau.domain.rollout import Output, RolloutKind, RolloutRequest, RolloutResult, RolloutStatus
from tau.ports.algorithm import Problem
from tau.sim.grading import case_in, judge
from tau.sim.simulator import Simulator
from tau.sim.world import START_PROMPT, World


@cache
def world_problem(seed: int) -> Problem:
    world = World(seed)
    return Problem(
        seed_resources=Resources(values={"system_prompt": START_PROMPT}),
        examples={
            split: examples(split, world.examples(split, count))
            for split, count in ((Split.OPTIMIZE, 100), (Split.VALIDATE, 40))
        },
        seed=seed,
    )


class WorldAnswers:
    """Answers of the simulated model, graded by the rules of the world."""

    def __init__(self, seed: int) -> None:
        self._simulator = Simulator(seed=seed)

    def __call__(self, request: RolloutRequest) -> RolloutResult:
        reward = None
        if request.example is None:
            said: Any = request.proposal
            text = self._say(
                [Message(role=one["role"], content=one["content"]) for one in said["messages"]]
            )
        else:
            asked = request.example.prompt or ""
            system = request.resources.text("system_prompt") or ""
            text = self._say(
                [Message(role="system", content=system), Message(role="user", content=asked)]
            )
            verdict = judge(case_in(asked), text, "rule")  # type: ignore[arg-type]
            reward = Reward(
                name="sim",
                score=float(verdict.right),
                passed=verdict.right,
                feedback=verdict.feedback,
            )
        assert (reward is None) == (request.kind is RolloutKind.PROPOSE)
        return RolloutResult(
            request=request,
            rollout_id=None,
            status=RolloutStatus.SUCCEEDED,
            output=Output(text=text),
            rewards=() if reward is None else (reward,),
            score=None if reward is None else reward.score,
            attempts=1,
        )

    def _say(self, messages: Sequence[Message]) -> str:
        return self._simulator.answer(messages, self._simulator.number(messages)).text

"""How well the algorithms search, in the simulated world: no store, the model called directly.

    .venv/bin/python benchmarks/bench_algorithms.py [name] [seed] [seeds] [300,600] [{}] [level]

The true score (by the oracle) of what is recommended, certification and baseline included in the
number of rollouts. Tune on seeds 0 to 19 only; seeds 100 to 139 are for reports. It is a
simulator: it shows search policy, not the quality of a real model's proposals.
"""

import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from statistics import fmean, stdev

from tau import plugins
from tau.domain.chat import Message
from tau.domain.dataset import Split, examples
from tau.domain.ids import ResourcesHash
from tau.domain.resources import Resources
from tau.domain.reward import Reward
from tau.domain.rollout import Output, RolloutKind, RolloutRequest, RolloutResult, RolloutStatus
from tau.ports.algorithm import Problem
from tau.sim.calls import understand
from tau.sim.grading import case_in, judge
from tau.sim.oracle import expected_score
from tau.sim.simulator import Simulator
from tau.sim.world import START_PROMPT, World

OPTIMIZE, VALIDATE = 100, 40
DEFAULTS = ("reflect", "0", "20", "300,600,1200", "{}", "rule")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one search."""

    score: float
    decision: str
    evaluations: int
    proposals: int
    waves: int
    candidates: int
    found: float


def problem_of(world: World, level: str) -> Problem:
    rows = {
        split: [shown(row, level) for row in world.examples(split, n)]
        for split, n in ((Split.OPTIMIZE, OPTIMIZE), (Split.VALIDATE, VALIDATE))
    }
    return Problem(
        seed_resources=Resources(values={"system_prompt": START_PROMPT}),
        examples={split: examples(split, some) for split, some in rows.items()},
        seed=world.seed,
    )


def shown(row: dict, level: str) -> dict:
    """A row as the search may know it."""
    return {key: one for key, one in row.items() if level != "blind" or key != "expected"}


class Answering:
    """The simulated model and grader behind requests."""

    def __init__(self, seed: int, level: str = "rule") -> None:
        self.simulator = Simulator(seed=seed)
        self.level = "score" if level == "blind" else level
        self.evaluations = self.proposals = 0

    def __call__(self, request: RolloutRequest) -> RolloutResult:
        if request.kind is RolloutKind.PROPOSE:
            self.proposals += 1
            said = request.proposal["messages"]
            text = self._say([Message(role=one["role"], content=one["content"]) for one in said])
            return RolloutResult(
                request=request,
                rollout_id=None,
                status=RolloutStatus.SUCCEEDED,
                output=Output(text=text),
                attempts=1,
            )
        self.evaluations += 1
        asked = request.example.prompt
        text = self._say(
            [
                Message(role="system", content=request.resources.text("system_prompt") or ""),
                Message(role="user", content=asked),
            ]
        )
        verdict = judge(case_in(asked), text, self.level)
        reward = Reward(
            name="sim",
            score=float(verdict.right),
            passed=verdict.right,
            reason=verdict.reason,
            feedback=verdict.feedback,
        )
        return RolloutResult(
            request=request,
            rollout_id=None,
            status=RolloutStatus.SUCCEEDED,
            output=Output(text=text),
            rewards=(reward,),
            score=reward.score,
            attempts=1,
        )

    def _say(self, messages: Sequence[Message]) -> str:
        return self.simulator.answer(messages, self.simulator.number(messages)).text


def truth(world: World, prompt: str) -> float:
    """The oracle's score; demonstrations in the prompt are told from its instructions."""
    case = world.cases(Split.TEST, 1)[0]
    call = understand(
        [
            Message(role="system", content=prompt),
            Message(role="user", content=case.text),
        ]
    )
    return expected_score(world, call.instructions, demonstrations=call.demonstrations)


def search(name: str, seed: int, budget: int, options: dict, level: str) -> Outcome:
    world = World(seed)
    plugin = plugins.load(plugins.ALGORITHMS, name)
    settings = plugin.Settings(evaluations=budget, **options)
    algorithm = plugin.build(settings, problem_of(world, level))
    answer = Answering(seed, level)
    waves = 0
    while wave := algorithm.ask():
        waves += 1
        algorithm.tell([answer(request) for request in wave])
    best = algorithm.best()
    assert answer.evaluations <= budget, (answer.evaluations, budget)
    leader = ResourcesHash(str(best.evidence["leader"]))
    winner = algorithm.state.pool[leader].resources
    return Outcome(
        score=truth(world, best.resources.text("system_prompt") or ""),
        decision=str(best.decision),
        evaluations=answer.evaluations,
        proposals=answer.proposals,
        waves=waves,
        candidates=int(best.evidence["candidates"]),
        found=truth(world, winner.text("system_prompt") or ""),
    )


def main() -> None:
    name, first, count, some, more, level, *_ = [*sys.argv[1:], *DEFAULTS[len(sys.argv) - 1 :]]
    budgets = [int(one) for one in some.split(",")]
    options = json.loads(more)
    with ProcessPoolExecutor(2) as pool:
        for budget in budgets:
            began = time.perf_counter()
            seeds = range(int(first), int(first) + int(count))
            n = len(seeds)
            found = list(
                pool.map(search, [name] * n, seeds, [budget] * n, [options] * n, [level] * n)
            )
            scores = [one.score for one in found]
            print(
                f"{name} {budget:5}: {fmean(scores):.3f} +-{stdev(scores) / n**0.5:.3f} "
                f"(found {fmean(one.found for one in found):.3f}; "
                f"{min(scores):.2f} to {max(scores):.2f}), "
                f"promoted {sum(one.decision == 'promote' for one in found)}/{n}, "
                f"{fmean(one.evaluations for one in found):.0f} evaluations, "
                f"{fmean(one.proposals for one in found):.1f} proposals, "
                f"{fmean(one.candidates for one in found):.1f} candidates, "
                f"{fmean(one.waves for one in found):.0f} waves, "
                f"{time.perf_counter() - began:.1f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()

"""How hard the simulated world is: a plain reflective hill climb in it, judged by the oracle.

    .venv/bin/python benchmarks/bench_world.py [first seed] [number of seeds]

A stand-in for published reflective optimizers, to see that the world is neither trivial nor
hopeless: minibatches of failures, acceptance on the same minibatch, a full evaluation of what was
accepted, parents drawn from the best candidate per example. Tune on seeds 0 to 19 only; seeds 100
to 139 are for reports.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean

from tau.domain.chat import Message
from tau.domain.dataset import Split
from tau.domain.draws import below
from tau.sim.grading import judge
from tau.sim.oracle import expected_score
from tau.sim.simulator import Simulator
from tau.sim.world import START_PROMPT, Case, World

VALIDATE = 40
OPTIMIZE = 100
BUDGETS = (300, 600, 1200)
MINIBATCHES = (3, 8)

REQUEST = """I provided an assistant with the following instructions to perform a task for me:
```
{instruction}
```

The following are examples of task inputs, the assistant's response and feedback on it:
{evidence}

Your task is to write a new instruction for the assistant. Provide it within ``` blocks."""


@dataclass(kw_only=True)
class Climb:
    """One search; `rollouts` counts every task call."""

    world: World
    budget: int
    minibatch: int
    rollouts: int = 0
    reflections: int = 0
    candidates: list[tuple[str, list[bool]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Take the data of the world."""
        self.simulator = Simulator(seed=self.world.seed)
        self.train = self.world.cases(Split.OPTIMIZE, OPTIMIZE)
        self.validation = self.world.cases(Split.VALIDATE, VALIDATE)

    def run(self) -> float:
        """The true score of the prompt that validated best."""
        self._keep(START_PROMPT)
        step = 0
        while self.rollouts + 2 * self.minibatch <= self.budget:
            self._try_child(self._parent(step), step)
            step += 1
        best, _ = max(self.candidates, key=lambda c: sum(c[1]))
        return expected_score(self.world, best)

    def _try_child(self, parent: str, step: int) -> None:
        """Reflect on one minibatch; keep the child if it does better there."""
        at = below(len(self.train), self.world.seed, "minibatch", step)
        cases = [self.train[(at + n) % len(self.train)] for n in range(self.minibatch)]
        outputs = self._outputs(parent, cases)
        before = [judge(c, o, "rule") for c, o in zip(cases, outputs, strict=True)]
        if all(verdict.right for verdict in before):
            return
        evidence = "\n\n".join(
            f"{case.text}\nResponse: {output}\nFeedback: {verdict.feedback}"
            for case, output, verdict in zip(cases, outputs, before, strict=True)
        )
        child = self._ask([("user", REQUEST.format(instruction=parent, evidence=evidence))])
        self.reflections += 1
        child = child.strip("`\n")
        after = [o == c.answer for c, o in zip(cases, self._outputs(child, cases), strict=True)]
        if sum(after) > sum(v.right for v in before):
            self._keep(child)

    def _keep(self, prompt: str) -> None:
        """Evaluate in full, if the budget allows it."""
        if self.rollouts + VALIDATE > self.budget:
            return
        outputs = self._outputs(prompt, self.validation)
        right = [o == c.answer for c, o in zip(self.validation, outputs, strict=True)]
        self.candidates.append((prompt, right))

    def _parent(self, step: int) -> str:
        """One of the best on a case drawn by chance."""
        case = below(VALIDATE, self.world.seed, "front", step)
        front = [c for c in self.candidates if c[1][case]] or self.candidates
        return front[below(len(front), self.world.seed, "parent", step)][0]

    def _outputs(self, prompt: str, cases: Sequence[Case]) -> list[str]:
        self.rollouts += len(cases)
        return [self._ask([("system", prompt), ("user", case.text)]) for case in cases]

    def _ask(self, turns: Sequence[tuple[str, str]]) -> str:
        messages = [Message(role=role, content=content) for role, content in turns]
        return self.simulator.answer(messages, self.simulator.number(messages)).text.strip()


def main() -> None:
    """Print the mean true score, and what it took, for each setting."""
    first = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    seeds = range(first, first + (int(sys.argv[2]) if len(sys.argv) > 2 else 20))
    worlds = [World(seed) for seed in seeds]
    start = fmean(expected_score(world, START_PROMPT) for world in worlds)
    full = fmean(expected_score(world, world.full_prompt()) for world in worlds)
    print(f"seeds {seeds.start}-{seeds.stop - 1}: start {start:.3f}, full rulebook {full:.3f}")
    for minibatch in MINIBATCHES:
        for budget in BUDGETS:
            began = time.perf_counter()
            climbs = [Climb(world=w, budget=budget, minibatch=minibatch) for w in worlds]
            scores = sorted(climb.run() for climb in climbs)
            print(
                f"minibatch {minibatch}, {budget:4} rollouts: true score {fmean(scores):.3f} "
                f"({scores[0]:.2f} to {scores[-1]:.2f}), "
                f"{fmean(c.reflections for c in climbs):.0f} reflections, "
                f"{fmean(len(c.candidates) for c in climbs):.1f} candidates, "
                f"{time.perf_counter() - began:.1f} s"
            )


if __name__ == "__main__":
    main()

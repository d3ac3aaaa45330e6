"""What every search asks for, in which order, and what it comes to: hashes kept in a file.

After a deliberate change write it anew: `.venv/bin/python tests/unit/algorithms/golden.py`.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

sys.path.insert(0, str(Path(__file__).parents[2]))

from tau import plugins
from tau.domain.claim import Aim, ClaimTerms, CostMeasure, Guard
from tau.domain.dataset import Split
from tau.domain.draws import uniform
from tau.domain.failure import Failure, FailureClass
from tau.domain.json import Json, content_hash
from tau.domain.reward import SAFETY_HARD_GATE_TRIGGERED, Reward
from tau.domain.rollout import Output, RolloutKind, RolloutRequest, RolloutResult, RolloutStatus
from tau.domain.spend import Budget, Spend
from tau.ports.algorithm import Algorithm, Problem
from unit.algorithms.pretended import START, WORDS, Answer, answering, drive, learning, problem
from unit.algorithms.simulated import WorldAnswers, world_problem

PATH = Path(__file__).parents[2] / "data" / "search_sequences.json"
PROMPTS = tuple(f"{START}\nAlways mention {word}." for word in WORDS)
ALGORITHMS: Mapping[str, Mapping[str, Any]] = {
    "reflect": {},
    "apo": {},
    "gepa": {},
    "few_shot": {},
    "select": {"prompts": PROMPTS},
    "evaluate": {},
}
TUNING_SEEDS = range(20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A search and who answers it."""

    algorithm: str
    options: Mapping[str, Any]
    problem: Callable[[], Problem]
    answer: Callable[[], Answer]

    def build(self) -> Algorithm:
        plugin = plugins.load(plugins.ALGORITHMS, self.algorithm)
        known = plugin.Settings.__dataclass_fields__
        options = {name: value for name, value in self.options.items() if name in known}
        found: Algorithm = plugin.build(plugin.Settings(**options), self.problem())
        return found


def sequence(scenario: Scenario) -> Mapping[str, Json]:
    """Each wave by its keys, candidates in their order, and the whole recommendation."""
    algorithm = scenario.build()
    waves = drive(algorithm, scenario.answer())
    best = algorithm.best()
    order = dict.fromkeys(one.resources.hash for wave in waves for one in wave)
    told: list[Json] = [dict(best.evidence), list(best.caveats), best.resources.hash]
    return {
        "waves": " ".join(content_hash([list(one.key) for one in wave])[:6] for wave in waves),
        "candidates": content_hash(list(order))[:16],
        "decision": None if best.decision is None else best.decision.value,
        "stopped": best.evidence.get("stopped"),
        "told": content_hash(told)[:16],
    }


def failing(answer: Answer) -> Answer:
    """Some rollouts fail, some answers are no prompts, some outputs trip a gate."""

    def answered(request: RolloutRequest) -> RolloutResult:
        draw = uniform(11, "fault", *request.key)
        if draw < 0.08:
            kind = FailureClass.SERVER if draw < 0.04 else FailureClass.CONTENT_FILTER
            return RolloutResult(
                request=request,
                rollout_id=None,
                status=RolloutStatus.FAILED,
                failure=Failure(kind=kind, message="no"),
            )
        made = answer(request)
        if request.kind is RolloutKind.PROPOSE:
            return made if draw > 0.2 else replace(made, output=Output(text="I cannot do that."))
        safe = uniform(12, "gate", request.resources.hash) < 0.7 or draw < 0.6
        tone = Reward(name="tone", score=round(0.5 + draw / 2, 3))
        gate = () if safe else (Reward(name=SAFETY_HARD_GATE_TRIGGERED, score=0.0),)
        spent = Spend(rollouts=1 + (draw > 0.9), calls=1 + (draw > 0.9), tokens=9, cost_nano_usd=7)
        return replace(made, rewards=(*made.rewards, tone, *gate), spent=spent)

    return answered


def grouped() -> Problem:
    given = problem(30, 20, 20, seed=5)
    rows = {
        split: tuple(replace(row, group=f"{split}{n // 2}") for n, row in enumerate(found))
        for split, found in given.examples.items()
    }
    return replace(given, examples=rows)


def several() -> Problem:
    """Two prompts, one a list of chat messages, and no test split."""
    chat: list[Json] = [{"role": "system", "content": START}, {"role": "user", "content": "Go."}]
    given = problem(40, 24, 0, seed=6, values={"chat": chat, "system_prompt": START})
    return replace(given, examples={k: v for k, v in given.examples.items() if k != Split.TEST})


def claiming(terms: ClaimTerms, seed: int = 7) -> Problem:
    return replace(problem(40, 30, 40, seed=seed), claim=terms)


CHEAPER = ClaimTerms(
    aim=Aim.CHEAPER,
    margin=0.1,
    minimize=CostMeasure.PROMPT_LENGTH,
    guards=(Guard(grader="tone", margin=0.2),),
)
NOT_WORSE = ClaimTerms(aim=Aim.NOT_WORSE, margin=0.2)


def scenarios() -> Iterator[tuple[str, Scenario]]:
    """All but the world's."""

    def learns(seed: int) -> Callable[[], Answer]:
        return lambda: answering(learning(seed))

    for name, basic in ALGORITHMS.items():
        for seed in (1, 2, 3):
            for budget in (160, 500):
                yield (
                    f"{name} {seed} {budget}",
                    Scenario(
                        algorithm=name,
                        options={**basic, "evaluations": budget},
                        problem=lambda seed=seed: problem(60, 40, 40, seed=seed),  # type: ignore[misc]
                        answer=learns(seed),
                    ),
                )
        small = {**basic, "evaluations": 300}
        for what, made in (
            ("groups", grouped),
            ("several prompts", several),
            ("cheaper", lambda: claiming(CHEAPER)),
            ("not worse", lambda: claiming(NOT_WORSE)),
            ("hard limits", lambda: problem(60, 40, 40, budget=Budget(rollouts=200, tokens=1500))),
        ):
            if what == "several prompts" and name == "select":
                small = {**small, "targets": ("system_prompt",)}
            yield (
                f"{name} {what}",
                Scenario(
                    algorithm=name,
                    options=small,
                    problem=made,
                    answer=lambda: failing(answering(learning(4))),
                ),
            )
    for name, what, options in (
        ("reflect", "demonstrations", {"demonstrations": 6}),
        ("reflect", "narrow", {"width": 2, "block": 4, "leaders": 2, "finalists": 3}),
        ("reflect", "many proposals", {"proposals": 40, "evaluations": 700}),
        ("select", "race", {"method": "race", "prompts": PROMPTS, "block": 5}),
        ("apo", "wide", {"beam": 4, "gradients": 3, "rounds": 4, "evaluations": 700}),
        ("gepa", "merges", {"evaluations": 900, "merges": 8, "proposals": 40}),
        ("few_shot", "sets", {"sets": 4, "shots": 2, "bootstrap": 0}),
        ("evaluate", "replicates", {"replicates": 2}),
    ):
        yield (
            f"{name} {what}",
            Scenario(
                algorithm=name,
                options={"evaluations": 400, **options},
                problem=lambda: problem(60, 40, 40, seed=9),
                answer=learns(9),
            ),
        )


def world_scenarios(seeds: range) -> Iterator[tuple[str, Scenario]]:
    """The simulated world, with two budgets."""
    for name, basic in ALGORITHMS.items():
        for seed in seeds:
            for budget in (300, 600):
                yield (
                    f"world {name} {seed} {budget}",
                    Scenario(
                        algorithm=name,
                        options={**basic, "evaluations": budget},
                        problem=lambda seed=seed: world_problem(seed),  # type: ignore[misc]
                        answer=lambda seed=seed: WorldAnswers(seed),  # type: ignore[misc]
                    ),
                )


def write() -> None:
    found = {name: sequence(one) for name, one in (*scenarios(), *world_scenarios(TUNING_SEEDS))}
    PATH.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")


if __name__ == "__main__":
    write()

"""What the searches themselves cost: thinking between two waves, a whole round, memory.

    python benchmarks/bench_search.py [--candidates 1000] [--folder .]

Nothing here is about finding good prompts: `bench_algorithms.py` and `compare` are.
"""

import argparse
import asyncio
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import tau
from tau import plugins
from tau.domain.dataset import Split, examples
from tau.domain.draws import uniform
from tau.domain.json import canonical
from tau.domain.resources import Resources
from tau.domain.reward import Reward
from tau.domain.rollout import Output, RolloutKind, RolloutRequest, RolloutResult, RolloutStatus
from tau.ports.algorithm import Algorithm, Problem
from tau.sim.world import START_PROMPT, World
from tau.wiring.stores import open_store

Answer = Callable[[RolloutRequest], RolloutResult]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, default=1_000)
    parser.add_argument("--folder", type=Path)
    chosen = parser.parse_args()
    thinking(chosen.candidates)
    rounds(chosen.folder)
    memory(chosen.candidates)


def thinking(candidates: int) -> None:
    """From the results of a wave to the next wave, when many candidates are known."""
    print(f"thinking between two waves, after {candidates} candidates, ms (median, most)")
    many: dict[str, object] = {
        "evaluations": 40 * candidates,
        "proposals": candidates + 200,
        "certification": 10,
    }
    for name, options in (
        ("reflect", many),
        ("apo", {**many, "proposals": 3 * candidates, "rounds": candidates // 8}),
        ("gepa", many),
    ):
        search = built(name, options)
        answer = answering(rising)
        told: list[float] = []
        asked: list[float] = []
        while len(told) < 50 and (wave := search.ask()):
            results = [answer(one) for one in wave]
            began = time.perf_counter()
            search.tell(results)
            between = time.perf_counter()
            search.ask()
            ended = time.perf_counter()
            if search.best().evidence["candidates"] >= candidates:  # type: ignore[operator]
                told.append(1000 * (between - began))
                asked.append(1000 * (ended - between))
        if told:
            print(
                f"  {name:8} ask {median(asked):6.2f} {max(asked):6.2f}"
                f"   tell {median(told):6.2f} {max(told):6.2f}"
            )
        else:
            print(f"  {name:8} ended before {candidates} candidates")


def rounds(folder: Path | None) -> None:
    """A whole search on a store, `synchronous=FULL`: the task is a coin, the model simulated."""
    rows = list(World(1).examples(Split.OPTIMIZE, 150))

    def coin(example: dict[str, object], prompt: str) -> str:
        return "right" if uniform(1, "coin", str(example["prompt"]), prompt) < 0.5 else "wrong"

    def grade(_: dict[str, object], output: str) -> float:
        return float(output == "right")

    for name in ("reflect", "apo", "gepa"):
        with tempfile.TemporaryDirectory(dir=folder) as place:
            path = Path(place) / "store.sqlite"
            began = time.perf_counter()
            found = tau.optimize(
                coin,
                prompt=START_PROMPT,
                data=rows,
                graders=[grade],
                budget=600,
                algorithm=name,
                reflection_model="sim/rules",
                store=path,
            )
            spent = time.perf_counter() - began
            waves = asyncio.run(folded(path))
        print(
            f"a round of a search that finds nothing, {name}: {spent / waves:.3f} s "
            f"({waves} waves, {found.calls} proposals, {spent:.1f} s in all, {found.decision})"
        )


async def folded(path: Path) -> int:
    async with await open_store(str(path), read_only=True) as store:
        [run] = await store.insights.runs()
        checkpoint = await store.checkpoints.latest(run.id)
        assert checkpoint is not None
        return checkpoint.waves


def memory(candidates: int) -> None:
    """What a search holds, and how large its checkpoint is, early and late."""
    options = {"evaluations": 80 * candidates, "proposals": 2 * candidates, "certification": 10}
    search = built("reflect", options)
    answer = answering(rising)
    tracemalloc.start()
    print("memory and checkpoint of a search by its candidates, KiB")
    marks = [candidates // 10, candidates // 4, candidates // 2, candidates]
    while wave := search.ask():
        search.tell([answer(one) for one in wave])
        if marks and search.best().evidence["candidates"] >= marks[0]:  # type: ignore[operator]
            held = tracemalloc.get_traced_memory()[0] / 1024
            state = len(canonical(search.state_dict())) / 1024
            print(f"  {marks.pop(0):6} candidates: {held:8.0f} held, {state:8.0f} of checkpoint")
    tracemalloc.stop()


def built(name: str, options: dict[str, object]) -> Algorithm:
    plugin = plugins.load(plugins.ALGORITHMS, name)
    known = {key: options[key] for key in options if key in plugin.Settings.__dataclass_fields__}
    counts = {Split.OPTIMIZE: 100, Split.VALIDATE: 40, Split.TEST: 20}
    problem = Problem(
        seed_resources=Resources(values={"system_prompt": "You answer questions."}),
        examples={
            split: examples(split, [{"prompt": f"{split} {n}"} for n in range(count)])
            for split, count in counts.items()
        },
        seed=3,
    )
    return plugin.build(plugin.Settings(**known), problem)  # type: ignore[no-any-return]


def rising(request: RolloutRequest) -> float:
    """Longer prompts are right a little more often, so that children keep being accepted."""
    lines = (request.resources.text("system_prompt") or "").count("\n")
    return float(uniform(2, "toss", *request.key) < 1 - 0.9 * 0.99**lines)


def answering(score: Callable[[RolloutRequest], float]) -> Answer:
    def answer(request: RolloutRequest) -> RolloutResult:
        rewards: Sequence[Reward] = ()
        right = None
        if request.kind is RolloutKind.PROPOSE:
            old = request.resources.text("system_prompt") or ""
            text = f"```\n{old}\nMind {request.subject[:6]}{request.slot}.\n```"
        else:
            text, right = "said", score(request)
            rewards = (Reward(name="right", score=right, passed=right >= 1, feedback="mind it"),)
        return RolloutResult(
            request=request,
            rollout_id=None,
            status=RolloutStatus.SUCCEEDED,
            output=Output(text=text),
            rewards=tuple(rewards),
            score=right,
            attempts=1,
        )

    return answer


if __name__ == "__main__":
    main()

"""Finding the best of many prompts on real scores: halving and racing against picking by the mean.

    TAU_ACCEPTANCE_DATA=DATA python benchmarks/bench_selection.py [--replays 20] [--seed 0]

DATA holds the folder `capo_runs` (its README says where it is from). Three replays:

blocks     the prompts of each racing trace that were evaluated on all 10 blocks of 30 examples;
           a block is one example with a graded score. Real scores, but only of survivors.
prompts    items are simulated: 25 prompts of one data set and model with their real test scores as
           true means, 500 items of varying difficulty (Rasch); `initial` the same for the
           human-style initial prompts. Real spreads of prompts, simulated answers.
known rows the same where other prompts have been measured on the same rows before, and rows on
           which they differed come first: by one earlier selection of as many prompts at 20 %, or
           by 25 prompts on all rows. `blocks` are then of traces that share their rows with
           others, without the first two, on which races had dropped most; none of the earlier
           prompts competes. What is spent earlier is not counted. The rule was chosen on the half
           `tune`, by trace or by pair of data set and model.
optimism   the dev score of the prompt that was best on dev at the end of each real run, against
           its test score on 500 other examples.
"""

import argparse
import csv
import gzip
import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from tau.domain.draws import uniform
from tau.domain.ids import ExampleId, ResourcesHash
from tau.scoring.blocks import hashed_order
from tau.scoring.contest import ContestStanding
from tau.scoring.contested import contested_first
from tau.scoring.halving import Halving, plan_halving
from tau.scoring.racing import Race
from tau.scoring.table import ScoreRow, ScoreTable

Matrix = np.ndarray[tuple[int, int], np.dtype[np.float64]]
Vector = np.ndarray[tuple[int], np.dtype[np.float64]]
Pick = tuple[int, int, float]
"""Row of the winner, how many cells were evaluated, and the winner's mean over its own."""
Procedure = Callable[[Matrix, int], Pick]

SHARES = (0.1, 0.2, 0.4)
CLOSE = 0.01 + 1e-9
HALVES = ("tune", "report")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replays", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    folder = os.environ.get("TAU_ACCEPTANCE_DATA")
    if not folder:
        print("left out: set TAU_ACCEPTANCE_DATA to the folder that holds capo_runs")
        return
    data = Path(folder) / "capo_runs"
    rng = np.random.default_rng(chosen.seed)
    steps = list(rows(data / "steps_dev_test.csv.gz"))
    report("blocks", list(block_matrices(data)), chosen.replays, 1)
    report("prompts", list(prompt_matrices(steps, rng)), chosen.replays, 25)
    report("initial", list(initial_matrices(data, rng)), chosen.replays, 25)
    report_known("blocks", list(known_blocks(data)), chosen.replays)
    report_known("prompts", list(known_prompts(prompt_pools(steps), rng)), 1)
    report_known("initial", list(known_prompts(initial_pools(data), rng)), 1)
    optimism(steps)


def rows(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", newline="") as file:
        yield from csv.DictReader(file)


def block_matrices(data: Path) -> Iterator[Matrix]:
    kept = list(traces(data))
    prompts = sum(len(trace) for _, trace in kept)
    print(f"{len(kept)} traces have 8 complete prompts or more, {prompts} in all")
    for _, trace in kept:
        yield trace


def traces(data: Path) -> Iterator[tuple[str, Matrix]]:
    arrays = np.load(data / "prompt_block_scores.npz")
    for key in arrays:
        array = arrays[key]
        complete = array[~np.isnan(array).any(axis=1)]
        if array.shape[1] == 10 and len(complete) >= 8:
            yield key, complete.astype(float)


def prompt_matrices(steps: Sequence[dict[str, str]], rng: np.random.Generator) -> Iterator[Matrix]:
    for means in prompt_pools(steps).values():
        for _ in range(2):
            yield answers(rng.choice(means, 25, replace=False), rng)


def prompt_pools(steps: Sequence[dict[str, str]]) -> dict[tuple[str, str], Vector]:
    pools: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for row in steps:
        if row["test_score"]:
            pools[row["dataset"], row["llm"]][row["prompt_sha"]] = float(row["test_score"])
    return {pair: np.array(list(pool.values())) for pair, pool in pools.items()}


def initial_matrices(data: Path, rng: np.random.Generator) -> Iterator[Matrix]:
    for means in initial_pools(data).values():
        for _ in range(2):
            yield answers(means, rng)


def initial_pools(data: Path) -> dict[tuple[str, str], Vector]:
    pools: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in rows(data / "initial_prompts_test_scores.csv.gz"):
        pools[row["dataset"], row["llm_key"]].append(float(row["test_score"]))
    return {pair: np.array(pool) for pair, pool in pools.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Candidates, and other prompts that were measured before, on the same rows."""

    half: str
    matrix: Matrix
    before: Matrix


def known_blocks(data: Path) -> Iterator[World]:
    """Traces of one data set, model and seed share their blocks, unless they were shuffled."""
    groups: dict[tuple[str, ...], list[tuple[str, Matrix]]] = defaultdict(list)
    for key, trace in traces(data):
        _, dataset, llm, _, seed = key.split("|")
        groups[dataset, llm, seed].append((key, trace))
    for group in groups.values():
        for key, trace in group:
            ours = {tuple(row) for row in trace.round(4)}
            others = {
                tuple(row)
                for other, theirs in group
                if other != key and same_blocks(trace, theirs)
                for row in theirs.round(4)
            }
            before = sorted(others - ours, key=lambda row: uniform(0, key, str(row)))
            if len(before) >= len(trace):
                half = HALVES[hashlib.sha256(key.encode()).digest()[0] % 2]
                yield World(half=half, matrix=trace[:, 2:], before=np.array(before)[:, 2:])


def same_blocks(one: Matrix, other: Matrix) -> bool:
    return float(np.corrcoef(one.mean(axis=0), other.mean(axis=0))[0, 1]) > 0.8


def known_prompts(
    pools: dict[tuple[str, str], Vector], rng: np.random.Generator
) -> Iterator[World]:
    """25 prompts and 25 others of a pair; of the fewer initial ones, others with the same means."""
    for number, pair in enumerate(sorted(pools)):
        means = pools[pair]
        for _ in range(24):
            drawn = rng.choice(means, 50, replace=False) if len(means) >= 50 else np.tile(means, 2)
            matrix = answers(drawn, rng)
            count = len(drawn) // 2
            yield World(half=HALVES[number % 2], matrix=matrix[:count], before=matrix[count:])


def answers(means: Vector, rng: np.random.Generator) -> Matrix:
    """Right and wrong on 500 items whose difficulty spreads by 2 logits."""
    difficulty = rng.normal(0, 2, 500)
    low, high = np.full(len(means), -15.0), np.full(len(means), 15.0)
    for _ in range(40):
        middle = (low + high) / 2
        below = expected(middle, difficulty).mean(axis=1) < means
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return (rng.random((len(means), 500)) < expected(low, difficulty)).astype(float)


def expected(ability: Vector, difficulty: Vector) -> Matrix:
    return 1 / (1 + np.exp(difficulty[None, :] - ability[:, None]))


def report(name: str, matrices: Sequence[Matrix], replays: int, block: int) -> None:
    """Per procedure: share of all cells, chance within .01 of the best, regret, optimism."""
    print(f"\n{name}: {len(matrices)} matrices, {replays} orders each, a tenth for racing")
    print(f"{'procedure':24} {'cost':>6} {'<=.01':>6} {'+-':>5} {'regret':>7} {'optimism':>8}")
    for label, procedure, orders in procedures(replays, block):
        found = [
            judged(matrix, procedure, replay) for matrix in matrices for replay in range(orders)
        ]
        cost, close, regret, promised = np.mean(found, axis=0)
        by_matrix = np.array(found)[:, 1].reshape(len(matrices), orders).mean(axis=1)
        error = by_matrix.std() / np.sqrt(len(matrices))
        print(
            f"{label:24} {cost:6.3f} {close:6.3f} {error:5.3f} {regret:7.4f} {promised:+8.4f}",
            flush=True,
        )


def report_known(name: str, worlds: Sequence[World], replays: int) -> None:
    """Chance within .01 of the best by halving, over rows in an order by chance and otherwise."""
    for half in HALVES:
        chosen = [world for world in worlds if world.half == half]
        print(f"\nknown rows, {name}, half {half}: {len(chosen)} matrices, {replays} orders each")
        for share in SHARES:
            found = np.array(
                [np.mean([in_orders(world, r, share) for r in range(replays)], axis=0)
                 for world in chosen]
            )  # fmt: skip
            gain = found - found[:, :1]
            error = gain.std(axis=0) / np.sqrt(len(chosen))
            print(
                f"{share:4.0%} by chance {found[:, 0].mean():.3f}"
                f"   after a selection {found[:, 1].mean():.3f}"
                f" ({gain[:, 1].mean():+.3f} +- {error[1]:.3f})"
                f"   after 25 in full {found[:, 2].mean():.3f}"
                f" ({gain[:, 2].mean():+.3f} +- {error[2]:.3f})",
                flush=True,
            )


def in_orders(world: World, replay: int, share: float) -> list[bool]:
    """Whether halving comes within .01: hashed rows, rows after a selection, rows known in full."""
    matrix, rows = world.matrix, order_of(world.matrix, replay)
    drawn = sorted(range(len(world.before)), key=lambda row: uniform(replay, "before", row))
    before, full = world.before[drawn[: len(matrix)]], world.before[drawn[:25]]
    _, table = watched(halving(before, replay, 0.2, rows), before)
    once: dict[ExampleId, list[float]] = defaultdict(list)
    for name in names(before, replay):
        for row, score in table[name].by_example.items():
            if score is not None:
                once[row].append(score)
    known = {row: full[:, int(row)].tolist() for row in rows}
    orders = (rows, contested_first(rows, once), contested_first(rows, known))
    truth = matrix.mean(axis=1)
    return [
        bool(truth[played(halving(matrix, replay, share, order), matrix)[0]] >= truth.max() - CLOSE)
        for order in orders
    ]


def procedures(replays: int, block: int) -> Iterator[tuple[str, Procedure, int]]:
    few = max(1, replays // 10)
    for share in SHARES:
        yield f"mean at {share:.0%}", partial(by_mean, share=share), replays
    for share in SHARES:
        yield f"halving at {share:.0%}", partial(by_halving, share=share), replays
    for share in SHARES:
        yield f"racing to {share:.0%}", partial(by_racing, block=block, share=share), few
    yield "racing to one", partial(by_racing, block=block), few
    yield "racing, tolerance .02", partial(by_racing, block=block, tolerance=0.02), few


def judged(matrix: Matrix, procedure: Procedure, replay: int) -> tuple[float, bool, float, float]:
    """Against the means over all items; optimism is what the winner's evaluated mean promised."""
    winner, cells, promised = procedure(matrix, replay)
    truth = matrix.mean(axis=1)
    regret = truth.max() - truth[winner]
    return cells / matrix.size, regret <= CLOSE, regret, promised - truth[winner]


def by_mean(matrix: Matrix, replay: int, *, share: float) -> Pick:
    """The highest mean on the same few examples for all; ties by the hash of the replay."""
    order = items(matrix, replay)[: max(1, round(share * matrix.shape[1]))]
    means = matrix[:, order].mean(axis=1).round(12)
    winner = max(candidates(matrix, replay), key=lambda row: means[row])
    return winner, len(order) * len(matrix), float(means[winner])


def by_halving(matrix: Matrix, replay: int, *, share: float) -> Pick:
    return played(halving(matrix, replay, share, order_of(matrix, replay)), matrix)


def halving(matrix: Matrix, replay: int, share: float, order: tuple[ExampleId, ...]) -> Halving:
    k, n = matrix.shape
    stages = plan_halving(k, n, max(k, int(share * matrix.size)))
    return Halving(candidates=names(matrix, replay), order=order, stages=stages)


def by_racing(
    matrix: Matrix, replay: int, *, block: int, share: float | None = None, tolerance: float = 0.0
) -> Pick:
    return played(
        Race(
            candidates=names(matrix, replay),
            order=order_of(matrix, replay),
            block=block,
            tolerance=tolerance,
            rollouts=None if share is None else max(len(matrix), int(share * matrix.size)),
        ),
        matrix,
    )


def played(contest: Halving | Race, matrix: Matrix) -> Pick:
    standing, known = watched(contest, matrix)
    promised = known[standing.leader].mean
    assert promised is not None
    return int(standing.leader), standing.spent, promised


def watched(contest: Halving | Race, matrix: Matrix) -> tuple[ContestStanding, ScoreTable]:
    standing, known = contest.start(), ScoreTable()
    while wave := contest.wave(standing, known):
        known = known.adding(
            ScoreRow(candidate=candidate, example=item, score=matrix[int(candidate), int(item)])
            for candidate, (item, _) in wave
        )
        standing = contest.advance(standing, known)
    return standing, known


def items(matrix: Matrix, replay: int) -> list[int]:
    return [int(item) for item in order_of(matrix, replay)]


def order_of(matrix: Matrix, replay: int) -> tuple[ExampleId, ...]:
    return hashed_order([ExampleId(str(n)) for n in range(matrix.shape[1])], replay, "items")


def candidates(matrix: Matrix, replay: int) -> list[int]:
    return sorted(range(len(matrix)), key=lambda row: uniform(replay, "candidates", row))


def names(matrix: Matrix, replay: int) -> tuple[ResourcesHash, ...]:
    return tuple(ResourcesHash(str(row)) for row in candidates(matrix, replay))


def optimism(steps: Sequence[dict[str, str]]) -> None:
    """What picking the best dev score of a real run's last step promised, and what it kept."""
    last: dict[tuple[str, ...], list[tuple[int, float, float]]] = defaultdict(list)
    for row in steps:
        if row["score"] and row["test_score"]:
            run = tuple(row[part] for part in ("exp", "dataset", "llm", "optimizer", "seed"))
            last[run].append((int(row["step"]), float(row["score"]), float(row["test_score"])))
    picked, population, lost = [], [], []
    for found in last.values():
        end = max(step for step, _, _ in found)
        final = [(dev, test) for step, dev, test in found if step == end and dev <= 1]
        if len(final) < 2:
            continue
        dev, test = max(final)
        picked.append(dev - test)
        population.append(np.mean([dev - test for dev, test in final]))
        lost.append(max(test for _, test in final) - test)
    print(f"\noptimism: {len(picked)} real runs with 2 prompts or more at the end")
    print(f"dev minus test of the best on dev   {np.mean(picked):+.4f}")
    print(f"the same, mean of those at the end  {np.mean(population):+.4f}")
    print(f"test regret of the best on dev      {np.mean(lost):.4f}")
    print(f"within .01 of the best on test      {np.mean([each <= CLOSE for each in lost]):.3f}")


if __name__ == "__main__":
    main()

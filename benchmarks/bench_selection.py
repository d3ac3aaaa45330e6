"""Finding the best of many prompts on real scores: halving and racing against picking by the mean.

    TAU_ACCEPTANCE_DATA=DATA python benchmarks/bench_selection.py [--replays 20] [--seed 0]

DATA holds the folder `capo_runs` (its README says where it is from). Three replays:

blocks     the prompts of each racing trace that were evaluated on all 10 blocks of 30 examples;
           a block is one example with a graded score. Real scores, but only of survivors.
prompts    items are simulated: 25 prompts of one data set and model with their real test scores as
           true means, 500 items of varying difficulty (Rasch); `initial` the same for the
           human-style initial prompts. Real spreads of prompts, simulated answers.
optimism   the dev score of the prompt that was best on dev at the end of each real run, against
           its test score on 500 other examples.
"""

import argparse
import csv
import gzip
import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from tau.domain.draws import uniform
from tau.domain.ids import ExampleId, ResourcesHash
from tau.scoring.blocks import hashed_order
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
    optimism(steps)


def rows(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", newline="") as file:
        yield from csv.DictReader(file)


def block_matrices(data: Path) -> Iterator[Matrix]:
    arrays = np.load(data / "prompt_block_scores.npz")
    kept = prompts = everything = 0
    for key in arrays:
        array = arrays[key]
        everything += len(array)
        complete = array[~np.isnan(array).any(axis=1)]
        if array.shape[1] == 10 and len(complete) >= 8:
            kept += 1
            prompts += len(complete)
            yield complete.astype(float)
    print(f"{kept} of {len(arrays)} traces have 8 complete prompts or more; {prompts} of "
          f"{everything} prompts were evaluated on all blocks")  # fmt: skip


def prompt_matrices(steps: Sequence[dict[str, str]], rng: np.random.Generator) -> Iterator[Matrix]:
    pools: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for row in steps:
        if row["test_score"]:
            pools[row["dataset"], row["llm"]][row["prompt_sha"]] = float(row["test_score"])
    for pool in pools.values():
        means = np.array(list(pool.values()))
        for _ in range(2):
            yield answers(rng.choice(means, 25, replace=False), rng)


def initial_matrices(data: Path, rng: np.random.Generator) -> Iterator[Matrix]:
    pools: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in rows(data / "initial_prompts_test_scores.csv.gz"):
        pools[row["dataset"], row["llm"]].append(float(row["test_score"]))
    for pool in pools.values():
        for _ in range(2):
            yield answers(np.array(pool), rng)


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
    k, n = matrix.shape
    stages = plan_halving(k, n, max(k, int(share * matrix.size)))
    return played(
        Halving(candidates=names(matrix, replay), order=order_of(matrix, replay), stages=stages),
        matrix,
    )


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
    standing, known = contest.start(), ScoreTable()
    while wave := contest.wave(standing, known):
        known = known.adding(
            ScoreRow(candidate=candidate, example=item, score=matrix[int(candidate), int(item)])
            for candidate, (item, _) in wave
        )
        standing = contest.advance(standing, known)
    promised = known[standing.leader].mean
    assert promised is not None
    return int(standing.leader), standing.spent, promised


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

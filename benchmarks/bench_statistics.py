"""Long simulations of the statistics: null test, power, coverage, peeking.

    python benchmarks/bench_statistics.py [--runs 2000] [--seed 0]

No store and no model: score rows are drawn. `make test` runs short versions of the same.
"""

import argparse
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
from scipy import stats

from tau.domain.ids import ExampleId, ResourcesHash
from tau.scoring.betting import bet
from tau.scoring.certify import Certificate, ClaimDecision, certify
from tau.scoring.compare import compare
from tau.scoring.halving import Halving, plan_halving
from tau.scoring.power import power
from tau.scoring.table import Pairing, ScoreRow, ScoreTable, pair
from tau.scoring.unconditional import agreeing_interval

Vector = np.ndarray[tuple[int], np.dtype[np.float64]]
Draw = Callable[[int], Vector]
BASELINE = ResourcesHash("baseline")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    rng = np.random.default_rng(chosen.seed)
    null_test(chosen.runs // 4, rng)
    powers(chosen.runs, rng)
    coverage(chosen.runs, rng)
    peeking(chosen.runs, rng)


def null_test(runs: int, rng: np.random.Generator) -> None:
    """20 children that change nothing: pick by the mean, or halve and certify on fresh examples."""
    print(f"null test: 20 children equal to the baseline, 0/1 and graded scores, {runs} runs")
    print("n    scores  mean: claims  optimism   halving and certification: promoted  optimism")
    for n in (20, 50, 100):
        for graded in (False, True):
            claims, claimed, promoted, reported = 0, [], 0, []
            for _ in range(runs):
                gain = best_by_mean(noise(rng, 21, n, graded))
                claims += gain > 0
                claimed.append(max(0.0, gain))
                decided = certified(noise(rng, 21, n, graded), noise(rng, 2, n, graded))
                promoted += decided.decision is ClaimDecision.PROMOTE
                reported.append(decided.comparison.difference if decided.comparison else 0.0)
            print(
                f"{n:<4} {'graded' if graded else '0/1':7} {claims / runs:12.3f} "
                f"{np.mean(claimed):+9.3f} {promoted / runs:37.3f} {np.mean(reported):+9.4f}",
                flush=True,
            )


def noise(rng: np.random.Generator, prompts: int, n: int, graded: bool) -> list[list[float]]:
    """The same prompt again and again on examples of varying difficulty."""
    chance = rng.beta(2, 2, n)
    tries = 4 if graded else 1
    return [(rng.binomial(tries, chance) / tries).tolist() for _ in range(prompts)]


def best_by_mean(scores: list[list[float]]) -> float:
    means = np.mean(scores, axis=1)
    return float(means[1:].max() - means[0])


def certified(validation: list[list[float]], certification: list[list[float]]) -> Certificate:
    """Children by halving on the validation part, the winner against the baseline on the other."""
    n = len(validation[0])
    items = tuple(ExampleId(str(item)) for item in range(n))
    children = tuple(ResourcesHash(str(row)) for row in range(1, len(validation)))
    contest = Halving(
        candidates=children,
        order=items,
        stages=plan_halving(len(children), n, max(len(children), len(children) * n // 5)),
    )
    standing, known = contest.start(), ScoreTable()
    while wave := contest.wave(standing, known):
        known = known.adding(
            ScoreRow(candidate=name, example=item, score=validation[int(name)][int(item)])
            for name, (item, _) in wave
        )
        standing = contest.advance(standing, known)
    final = ScoreTable.of(
        ScoreRow(candidate=name, example=item, score=row[int(item)])
        for name, row in zip((BASELINE, standing.leader), certification, strict=True)
        for item in items
    )
    return certify(pair(final, standing.leader, BASELINE, items), effect=0.02, draws=1999)


def powers(runs: int, rng: np.random.Generator) -> None:
    print(f"\npower of certification, exact (simulated, {runs} runs)")
    for gain, broken in ((0.05, 0.03), (0.1, 0.03), (0.1, 0.1), (0.15, 0.1), (0.2, 0.1)):
        cells = []
        for n in (50, 100, 200, 400):
            drawn = rng.multinomial(n, [gain + broken, broken, 1 - gain - 2 * broken], runs)
            hits = sum(interval(n, int(f), int(b))[0] > 0 for f, b, _ in drawn)
            cells.append(f"{power(n, gain, broken):.3f} ({hits / runs:.3f})")
        print(f"+{gain:.2f}, {broken:.0%} broken:", "  ".join(cells), flush=True)


@cache
def interval(n: int, fixed: int, broken: int) -> tuple[float, float]:
    return agreeing_interval(n, fixed, broken, 0.1)


def coverage(runs: int, rng: np.random.Generator) -> None:
    """How often the 90 % interval misses the truth above and below; 5 % each is nominal."""
    print(f"\n0/1 scores: share of {runs} intervals above/below the truth, nominal .05")
    for fixed, broken in (
        (0.02, 0.02),
        (0.1, 0.1),
        (0.1, 0.0),
        (0.15, 0.05),
        (0.25, 0.1),
        (0.6, 0.1),
    ):
        cells = []
        for n in (20, 50, 100, 200, 400):
            drawn = rng.multinomial(n, [fixed, broken, 1 - fixed - broken], runs)
            found = [interval(n, int(f), int(b)) for f, b, _ in drawn]
            cells.append(missed(found, fixed - broken))
        print(f"fixed {fixed:.2f}, broken {broken:.2f}:", "  ".join(cells), flush=True)
    few = runs // 4
    print(f"graded scores, {few} intervals each, n = 12, 50, 200")
    for label, truth, draws in graded_populations(rng):
        cells = []
        for n in (12, 50, 200):
            found = []
            for _ in range(few):
                compared = compare(pairing(draws(n)), alpha=0.1, draws=999)
                found.append((compared.low, compared.high))
            cells.append(missed(found, truth))
        print(f"{label}:", "  ".join(cells), flush=True)


def missed(intervals: list[tuple[float, float]], truth: float) -> str:
    above = np.mean([low > truth + 1e-12 for low, _ in intervals])
    below = np.mean([high < truth - 1e-12 for _, high in intervals])
    return f"{above:.3f}/{below:.3f}"


def graded_populations(rng: np.random.Generator) -> Iterator[tuple[str, float, Draw]]:
    def tries(ours: float, theirs: float) -> Draw:
        return lambda n: (rng.binomial(2, ours, n) - rng.binomial(2, theirs, n)) / 2

    def rarely(share: float, low: float, high: float) -> Draw:
        return lambda n: (rng.random(n) < share) * rng.uniform(low, high, n)

    yield "two tries, gain .1", 0.1, tries(0.3, 0.2)
    yield "two tries, no gain", 0.0, tries(0.3, 0.3)
    yield "80 % ties", 0.05, rarely(0.2, -0.5, 1)
    yield "97 % ties, gains only", 0.0225, rarely(0.03, 0.5, 1)
    yield "skewed", 1 / 9, lambda n: rng.beta(0.5, 4, n)
    lost = 0.027 / 0.97
    yield "no mean gain, 3 % lose .9", 0.0, lambda n: np.where(rng.random(n) < 0.03, -0.9, lost)


SHARES = ((0.02, 0.02), (0.1, 0.1), (0.1, 0.0), (0.15, 0.05), (0.25, 0.1), (0.6, 0.1))
"""Of examples fixed and broken."""


def peeking(runs: int, rng: np.random.Generator) -> None:
    """Looks after every 5 of 200 examples at differences whose mean is 0; nominal .05."""
    print(f"\npeeking after every 5 of 200 examples, nothing changes, {runs} runs, nominal .05")
    values = np.repeat([1.0, -1.0, 0.0], [30, 30, 140])
    rejected = dict.fromkeys(("betting", "betting without replacement", "McNemar", "t-test"), 0)
    for _ in range(runs):
        drawn = rng.choice(values, 200)
        looks = range(10, 201, 5)
        rejected["betting"] += bet(drawn.tolist()).rejects(0.05)
        whole = bet(rng.permutation(values).tolist(), population=200)
        rejected["betting without replacement"] += whole.rejects(0.05)
        rejected["McNemar"] += any(mcnemar_rejects(drawn[:n]) for n in looks)
        rejected["t-test"] += any(t_rejects(drawn[:n]) for n in looks)
    for label, count in rejected.items():
        print(f"{label:28} {count / runs:.3f}", flush=True)


def mcnemar_rejects(values: Vector) -> bool:
    fixed, broken = int((values > 0).sum()), int((values < 0).sum())
    return bool(stats.binom.sf(fixed - 1, fixed + broken, 0.5) <= 0.05)


def t_rejects(values: Vector) -> bool:
    error = values.std(ddof=1) / np.sqrt(len(values))
    return bool(error > 0 and values.mean() / error > stats.t.ppf(0.95, len(values) - 1))


def pairing(differences: Vector) -> Pairing:
    names = tuple(ExampleId(str(n)) for n in range(len(differences)))
    return Pairing(examples=names, differences=tuple(differences.tolist()), missing=0)


if __name__ == "__main__":
    main()

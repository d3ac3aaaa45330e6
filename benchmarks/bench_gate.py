"""The gate: false promotions, coverage, power, what a judge's labels save, and time.

    python benchmarks/bench_gate.py [--runs 2000] [--seed 0] [--only levels,groups,labels,...]

No model: scores are drawn. Shares are given with twice their Monte-Carlo error in mind: .010 for
2,000 runs at .05, .0044 for 10,000.
"""

import argparse
import math
import time
from collections.abc import Callable, Mapping

import numpy as np
from scipy import stats

from tau.scoring.binomial import binomial_tail
from tau.scoring.claims import Claim, ClaimKind, PairedScores, decide
from tau.scoring.costs import saving
from tau.scoring.labels import Judged, corrected
from tau.scoring.means import mean_test
from tau.scoring.power import power
from tau.scoring.unconditional import p_better, p_not_worse
from tau.scoring.units import units_of

Matrix = np.ndarray[tuple[int, int], np.dtype[np.float64]]
Draw = Callable[[np.random.Generator, int], np.ndarray[tuple[int], np.dtype[np.float64]]]
SIZES = (5, 10, 20, 30, 50, 100, 200, 400)
DRAWS = 799


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="power,levels,groups,labels,costs,outcomes,time")
    chosen = parser.parse_args()
    parts = {
        "levels": levels,
        "outcomes": outcomes,
        "groups": groups,
        "labels": labels,
        "costs": costs,
        "power": powers,
        "time": times,
    }
    for name in chosen.only.split(","):
        parts[name](chosen.runs, np.random.default_rng(chosen.seed))


def graded() -> Mapping[str, Draw]:
    """Populations of graded differences whose mean is 0."""

    def two(share: float, loss: float, noise: float = 0.0, sign: int = 1) -> Draw:
        gain = share * loss / (1 - share)
        return lambda rng, n: (
            sign * np.where(rng.random(n) < share, -loss, gain + rng.uniform(-noise, noise, n))
        )

    def uniform(width: float, ties: float = 0.0) -> Draw:
        return lambda rng, n: (rng.random(n) >= ties) * rng.uniform(-width, width, n)

    def tries(count: int, a: float) -> Draw:
        def draw(rng: np.random.Generator, n: int) -> np.ndarray:
            chance = rng.beta(a, a, n)
            return (rng.binomial(count, chance) - rng.binomial(count, chance)) / count

        return draw

    return {
        "balanced, uniform +-1": uniform(1),
        "balanced, uniform +-.3": uniform(0.3),
        "two tries": tries(2, 1),
        "four tries": tries(4, 2),
        "80 % ties": uniform(1, 0.8),
        "95 % ties": uniform(1, 0.95),
        "+.03, -.97 in 3 %": two(0.03, 0.97),
        "-.03, +.97 in 3 %": two(0.03, 0.97, sign=-1),
        "+.01, -.99 in 1 %": two(0.01, 0.99),
        "+.1, -.9 in 10 %": two(0.1, 0.9),
        "-.1, +.9 in 10 %": two(0.1, 0.9, sign=-1),
        "+.3, -.7 in 30 %": two(0.3, 0.7),
        "noise .05, -.9 in 3 %": two(0.03, 0.9, 0.05),
        "noise .2, -.9 in 3 %": two(0.03, 0.9, 0.2),
        "noise .3, -.8 in 5 %": two(0.05, 0.8, 0.3),
        "skewed down": lambda rng, n: 1 / 9 - rng.beta(0.5, 4, n),
        "skewed up": lambda rng, n: rng.beta(0.5, 4, n) - 1 / 9,
    }


def levels(runs: int, rng: np.random.Generator) -> None:
    print(f"false promotions of graded differences whose mean is 0, {runs} runs each, n = {SIZES}")
    able = []
    for name, draw in graded().items():
        cells = []
        for n in SIZES:
            hits = sum(
                mean_test(units_of(draw(rng, n).tolist()), 0.1, draws=DRAWS).p_greater <= 0.05
                for _ in range(runs)
            )
            cells.append(hits / runs)
            spread = float(np.std(draw(rng, 20_000)))
            if spread * math.sqrt(n) >= 2 and n * min(1, 4 * spread**2) >= 10:
                able.append(hits / runs)
        print(f"{name:24}", " ".join(f"{cell:.3f}" for cell in cells), flush=True)
    print(f"mean where the spread lets a test of this size reject: {np.mean(able):.3f}")


def outcomes(runs: int, rng: np.random.Generator) -> None:
    """Exact over all tables: better, and not worse by a margin, at the worst share of ties."""
    print("\nright and wrong answers: largest and mean level over shares of differing rows")
    for margin in (0.0, 0.02, 0.05):
        for n in (10, 20, 50, 100):
            found = [exact_level(n, share, margin) for share in (0.05, 0.1, 0.2, 0.4, 0.8)]
            known = [level for level in found if level is not None]
            print(
                f"margin {margin:.2f}, n {n:<4} {max(known):.4f} {np.mean(known):.4f}", flush=True
            )


def exact_level(n: int, share: float, margin: float) -> float | None:
    if share < margin:
        return None
    fixes, breaks = (share - margin) / 2, (share + margin) / 2
    total = 0.0
    for fixed in range(n + 1):
        for broken in range(n + 1 - fixed):
            chance = stats.multinomial.pmf([fixed, broken, n - fixed - broken], n,
                                           [fixes, breaks, 1 - share])  # fmt: skip
            if chance > 1e-9:
                p = p_not_worse(n, fixed, broken, margin) if margin else p_better(n, fixed, broken)
                total += chance * (p <= 0.05)
    return float(total)


def groups(runs: int, rng: np.random.Generator) -> None:
    few = max(100, runs // 5)
    print(f"\ncoverage of 90 % intervals (nominal .90), rows in groups, {few} runs each")
    for kind in ("right or wrong", "graded"):
        for gain in (0.0, 0.15):
            for count in (15, 30, 100):
                cells = [
                    f"{covered(rng, few, kind, gain, count, size, icc):.3f}"
                    for size in (0, 2, 20)
                    for icc in (0.0, 0.2, 0.5)
                ]
                print(f"{kind:14} gain {gain:.2f} groups {count:<4}", *cells, flush=True)
    print("columns: sizes 2 to 20, all 2, all 20; in each an intra-class correlation of 0, .2, .5")


def covered(
    rng: np.random.Generator, runs: int, kind: str, gain: float, count: int, size: int, icc: float
) -> float:
    hits = 0
    for _ in range(runs):
        sizes = np.full(count, size) if size else rng.integers(2, 21, count)
        group = np.repeat(np.arange(count), sizes)
        n = len(group)

        def latent(group: np.ndarray = group, n: int = n) -> np.ndarray:
            common = rng.normal(size=count)[group]
            return math.sqrt(icc) * common + math.sqrt(1 - icc) * rng.normal(size=n)

        if kind == "graded":
            drawn = 0.25 * latent() + gain
        else:
            drawn = (latent() < stats.norm.ppf(0.6 + gain)).astype(float) - (
                latent() < stats.norm.ppf(0.6)
            )
        names = [str(number) for number in group]
        found = mean_test(units_of(np.clip(drawn, -1, 1).tolist(), names), 0.1, draws=DRAWS)
        hits += found.low <= gain <= found.high
    return hits / runs


def labels(runs: int, rng: np.random.Generator) -> None:
    few = max(100, runs // 4)
    print(f"\n400 judged rows, true gain .1: coverage of 90 % and width over people's alone, {few}")
    print("labels error  fair judge    for the candidate  for length")
    for count in (20, 50, 200):
        for error in (0.05, 0.15, 0.3):
            cells = [
                judged(rng, few, count, error, candidate=candidate, length=length)
                for candidate, length in ((0.0, 0.0), (0.1, 0.0), (0.0, 0.2))
            ]
            print(f"{count:<6} {error:.2f}  ", "   ".join(cells), flush=True)


def judged(
    rng: np.random.Generator,
    runs: int,
    count: int,
    error: float,
    *,
    candidate: float,
    length: float,
) -> str:
    hits, widths, n = 0, [], 400
    for _ in range(runs):
        chance = 0.8 * rng.random(n)
        before = (rng.random(n) < chance).astype(float)
        after = (rng.random(n) < chance + 0.1).astype(float)
        longer = rng.random(n) < 0.5

        def verdict(truth: np.ndarray, bias: np.ndarray | float) -> np.ndarray:
            right = np.where(truth == 1, 1 - error, error) + bias
            return (rng.random(n) < np.clip(right, 0, 1)).astype(float)

        differences = verdict(after, candidate + length * longer) - verdict(before, 0.0)
        chosen = set(rng.permutation(n)[:count].tolist())
        rows = [
            Judged(
                judge=float(differences[row]),
                human=float(after[row] - before[row]) if row in chosen else None,
            )
            for row in range(n)
        ]
        found = corrected(rows)
        assert found is not None
        low, high = found.interval(0.1)
        hits += low <= 0.1 <= high
        widths.append(found.error / found.human_only)
    return f"{hits / runs:.3f} x{np.mean(widths):.2f}"


def costs(runs: int, rng: np.random.Generator) -> None:
    print(f"\ncosts with long tails and equal means: share called cheaper, {runs} runs")
    for label, baseline, candidate in (
        ("lognormal, sigma 1, both", (1.0, 0.0), (1.0, 0.0)),
        ("lognormal, sigma .5 against 1.2", (0.5, 0.0), (1.2, 0.0)),
        ("usual cost less, 3 % ten times", (0.3, 0.0), (0.3, 0.03)),
    ):
        cells = []
        for n in (20, 50, 200):
            hits = 0
            for _ in range(runs // 2):
                theirs, ours = (spent(rng, n, *each) for each in (baseline, candidate))
                found = saving(theirs, ours, alpha=0.05)
                hits += found is not None and found.p_value <= 0.05
            cells.append(f"{hits / (runs // 2):.3f}")
        print(f"{label:34}", *cells, flush=True)


def spent(rng: np.random.Generator, n: int, sigma: float, rare: float) -> list[float]:
    usual = rng.lognormal(-sigma * sigma / 2, sigma, n)
    drawn = np.where(rng.random(n) < rare, 10 * usual, usual) / (1 + 9 * rare)
    return [float(value) for value in drawn]


def powers(runs: int, rng: np.random.Generator) -> None:
    print("\npower at .05: exact unconditional test, McNemar's exact test")
    for gain, broken in ((0.05, 0.03), (0.1, 0.03), (0.1, 0.1), (0.15, 0.1), (0.2, 0.1)):
        cells = [
            f"{power(n, gain, broken):.3f} {conditional(n, gain, broken):.3f}"
            for n in (20, 25, 30, 50, 100, 200)
        ]
        print(f"+{gain:.2f}, {broken:.0%} broken:", " | ".join(cells), flush=True)


def conditional(n: int, gain: float, broken: float) -> float:
    fixes = gain + broken
    differing = fixes + broken
    total = 0.0
    for count in range(n + 1):
        least = next((k for k in range(count + 1) if binomial_tail(count, k) <= 0.05), None)
        if least is not None:
            beyond = stats.binom.sf(least - 1, count, fixes / differing)
            total += stats.binom.pmf(count, n, differing) * beyond
    return float(total)


def times(runs: int, rng: np.random.Generator) -> None:
    print("\nCPU seconds of a decision on 100,000 pairs")
    n = 100_000
    ids = tuple(str(row) for row in range(n))
    before = (rng.random(n) < 0.6).astype(float)
    after = np.where(rng.random(n) < 0.02, 1.0, before)
    partly = np.clip(before * 0.9 + 0.1 * rng.random(n), 0, 1)
    for label, candidate, grouped, claim in (
        ("right or wrong", after, False, Claim()),
        ("not worse", after, False, Claim(kind=ClaimKind.NOT_WORSE, margin=0.02)),
        ("graded", partly, False, Claim()),
        ("in groups of 4", after, True, Claim()),
    ):
        scores = PairedScores(
            ids=ids,
            baseline=tuple(before.tolist()),
            candidate=tuple(candidate.tolist()),
            groups=tuple(str(row // 4) for row in range(n)) if grouped else None,
        )
        start = time.process_time()
        decide(claim, scores)
        print(f"{label:16} {time.process_time() - start:.2f}", flush=True)


if __name__ == "__main__":
    main()

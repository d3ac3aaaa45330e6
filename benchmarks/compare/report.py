"""Tables of the results, as Markdown: .venv/bin/python benchmarks/compare/report.py [FOLDER]

Differences are paired by seed, over the seeds that both have. Standard errors are over seeds.
"""

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import orjson
from contenders import CONTENDERS, OPTIMIZE

from tau.domain.dataset import Split
from tau.sim.oracle import expected_score
from tau.sim.world import START_PROMPT, World

TAU = "tau reflect"
SHOTS = (4, 16, 64)

Row = Mapping[str, Any]


def load(folder: Path) -> dict[tuple[str, int], dict[int, Row]]:
    """Rows by contender and budget, then seed."""
    rows: dict[tuple[str, int], dict[int, Row]] = defaultdict(dict)
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            row = orjson.loads(line)
            rows[row["contender"], row["budget"]][row["seed"]] = row
    return rows


def mean(values: Sequence[float]) -> str:
    """`.512 ± .013`."""
    spread = stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return f"{fmean(values):.3f} ± {spread:.3f}"


def scores(rows: Mapping[tuple[str, int], Mapping[int, Row]], budget: int) -> Iterable[str]:
    """One table: everybody at one budget."""
    ours = rows.get((TAU, budget), {})
    yield f"At {budget:,} rollouts:"
    yield ""
    yield (
        "| contender | seeds | true score | Tau ahead by (paired) | task calls (most) "
        "| reflection calls | tokens of a task call |"
    )
    yield "|---|---|---|---|---|---|---|"
    for contender in CONTENDERS:
        found = rows.get((contender.name, budget))
        if not found:
            continue
        both = sorted(ours.keys() & found.keys()) if contender.name != TAU else []
        ahead = [ours[seed]["true_score"] - found[seed]["true_score"] for seed in both]
        calls = [row["task_calls"] for row in found.values()]
        yield (
            f"| {contender.name} | {len(found)} "
            f"| {mean([row['true_score'] for row in found.values()])} "
            f"| {mean(ahead) if ahead else ''} | {fmean(calls):.0f} ({max(calls)}) "
            f"| {fmean(row['reflection_calls'] for row in found.values()):.1f} "
            f"| {fmean(row['call_tokens'] for row in found.values()):.0f} |"
        )
    yield ""


def decisions(rows: Mapping[tuple[str, int], Mapping[int, Row]], budgets: list[int]) -> list[str]:
    """What Tau decided."""
    lines = [
        "| rollouts | promote | inconclusive | keep_baseline | true score returned "
        "| true score of the leader | rows that certified |",
        "|---|---|---|---|---|---|---|",
    ]
    for budget in budgets:
        found = list(rows.get((TAU, budget), {}).values())
        if not found:
            continue
        counts = Counter(row["decision"] for row in found)
        certified = [row["certified_on"] for row in found if "certified_on" in row]
        lines.append(
            f"| {budget:,} | {counts['promote']} | {counts['inconclusive']} "
            f"| {counts['keep_baseline']} | {fmean(row['true_score'] for row in found):.3f} "
            f"| {fmean(row['leader_score'] for row in found):.3f} "
            f"| {fmean(certified) if certified else 0:.0f} |"
        )
    return lines


def optimism(row: Row) -> float | None:
    """The gain it reports less the true gain of what it returns; None where it reports none."""
    true_gain: float = row["true_score"] - row["start_score"]
    if "claimed_gain" in row:
        return float(row["claimed_gain"]) - true_gain
    if "claimed" in row:
        return float(row["claimed"]) - float(row["claimed_start"]) - true_gain
    return None


def optimisms(rows: Mapping[tuple[str, int], Mapping[int, Row]], budgets: list[int]) -> list[str]:
    """By how much each one's reported gain is too high."""
    lines = [
        "| contender | " + " | ".join(f"{budget:,}" for budget in budgets) + " |",
        "|---|" + "---|" * len(budgets),
    ]
    for contender in CONTENDERS:
        cells = []
        for budget in budgets:
            found = rows.get((contender.name, budget), {}).values()
            known = [one for one in map(optimism, found) if one is not None]
            cells.append(mean(known) if known else "")
        if any(cells):
            lines.append(f"| {contender.name} | " + " | ".join(cells) + " |")
    return lines


def unsearched(seeds: Sequence[int]) -> Iterable[str]:
    """What needs no search: the start prompt with so many of the rows as demonstrations."""
    worlds = [World(seed) for seed in seeds]
    for shots in (0, *SHOTS):
        found = [
            expected_score(
                world, START_PROMPT, demonstrations=world.cases(Split.OPTIMIZE, OPTIMIZE)[:shots]
            )
            for world in worlds
        ]
        yield f"- the start prompt with {shots} demonstrations, no call spent: {mean(found)}"
    full = [expected_score(world, world.full_prompt()) for world in worlds]
    yield f"- the start prompt with the full rulebook: {mean(full)}"


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "results"
    rows = load(folder)
    budgets = sorted({budget for _, budget in rows})
    everything = [row for group in rows.values() for row in group.values()]
    seeds = sorted({row["seed"] for row in everything})
    print(f"Seeds {seeds[0]} to {seeds[-1]}, {len(everything)} runs.\n")
    print("\n".join(unsearched(seeds)) + "\n")
    for budget in budgets:
        print("\n".join(scores(rows, budget)))
    print("Tau's decisions:\n\n" + "\n".join(decisions(rows, budgets)) + "\n")
    print("Reported gain less true gain:\n\n" + "\n".join(optimisms(rows, budgets)) + "\n")
    for name in sorted({row["contender"] for row in everything}):
        told = {orjson.dumps(row["versions"]) for row in everything if row["contender"] == name}
        versions = " and ".join(one.decode() for one in sorted(told))
        print(f"{name}: {versions}")
    if any(row["refused"] for row in everything):
        print("Some calls were refused by the server; the figures are not comparable.")


if __name__ == "__main__":
    main()

"""CPU time of `tau certify` on many pairs: reading, pairing and deciding, each by itself.

python benchmarks/bench_certify.py [--pairs 100000] [--form csv|jsonl|two|graded]
"""

import argparse
import csv
import json
import tempfile
import time
from pathlib import Path

from tau.domain.draws import uniform
from tau.scores.certifying import certify_pairs, claim_of
from tau.scores.pairing import pair_sides
from tau.scores.reading import read_scores
from tau.scores.sides import Request, sides_of

FORMS = ("csv", "jsonl", "two", "graded")


def scores(number: int, *, graded: bool) -> tuple[float, float]:
    """Both scores of a row; the candidate is right a little more often."""
    ours, theirs = uniform(1, "ours", number), uniform(1, "theirs", number)
    if graded:
        return round(ours, 3), round(min(1.0, theirs * 1.02), 3)
    return float(ours < 0.6), float(theirs < 0.62)


def written(folder: Path, form: str, pairs: int) -> tuple[list[str], Request]:
    """The files of one kind, and how they are asked about."""
    rows = [(f"q{n}", *scores(n, graded=form == "graded"), f"note {n}") for n in range(pairs)]
    named = Request(baseline="old", candidate="new")
    if form == "jsonl":
        path = folder / "scores.jsonl"
        lines = (json.dumps(dict(zip(("id", "old", "new", "note"), r, strict=True))) for r in rows)
        path.write_text("".join(f"{line}\n" for line in lines))
        return [str(path)], named
    if form == "two":
        for name, column in (("before", 1), ("after", 2)):
            with (folder / f"{name}.csv").open("w", newline="") as file:
                writer = csv.writer(file)
                writer.writerow(("id", "score"))
                writer.writerows((row[0], row[column]) for row in rows)
        return [str(folder / "before.csv"), str(folder / "after.csv")], Request()
    path = folder / "scores.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("id", "old", "new", "note"))
        writer.writerows(rows)
    return [str(path)], named


def main() -> None:
    """Print seconds of processor time for each form."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--form", choices=FORMS, action="append")
    chosen = parser.parse_args()
    print(
        f"{'form':8} {'read+pair':>10} {'decide':>8} {'total':>8}   CPU s, {chosen.pairs:,} pairs"
    )
    for form in chosen.form or FORMS:
        with tempfile.TemporaryDirectory() as folder:
            files, request = written(Path(folder), form, chosen.pairs)
            begun = time.process_time()
            sides = sides_of([read_scores(path) for path in files], request)
            paired = pair_sides(*sides, request)
            read = time.process_time()
            claim = claim_of(margin=None, cost=False, alpha=0.05)
            certify_pairs(paired, claim, names=("old", "new"))
            ended = time.process_time()
        print(f"{form:8} {read - begun:10.2f} {ended - read:8.2f} {ended - begun:8.2f}")


if __name__ == "__main__":
    main()

"""The same prompt twice: nothing may be promoted more often than the level says."""

import gzip
import json
from collections import defaultdict
from itertools import combinations
from pathlib import Path

import pytest

from tau.scoring.certify import ClaimDecision
from tau.scoring.claims import Claim, PairedScores, decide

pytestmark = pytest.mark.acceptance


def test_recorded_runs_of_one_condition_are_seldom_promoted(acceptance_data: Path) -> None:
    path = acceptance_data / "repeated_runs" / "llm_stability_runs.jsonl.gz"
    items: dict[str, list[tuple[str, list[int]]]] = defaultdict(list)
    with gzip.open(path, "rt") as lines:
        for line in lines:
            row = json.loads(line)
            items[row["condition"]].append((row["item"], row["correct"]))
    promoted, pairs = 0, 0
    for rows in items.values():
        ids = tuple(f"{number}-{name}" for number, (name, _) in enumerate(rows))
        for one, other in combinations(range(min(len(scores) for _, scores in rows)), 2):
            for before, after in ((one, other), (other, one)):
                scores = PairedScores(
                    ids=ids,
                    baseline=tuple(float(scores[before]) for _, scores in rows),
                    candidate=tuple(float(scores[after]) for _, scores in rows),
                )
                promoted += decide(Claim(), scores).decision is ClaimDecision.PROMOTE
                pairs += 1

    assert pairs > 200
    assert promoted / pairs <= 0.05

"""Worlds, their cases and the oracle."""

from itertools import pairwise
from statistics import fmean

import pytest

from tau.domain.dataset import Split
from tau.sim.catalogue import CATALOGUE
from tau.sim.constants import WORLD_CONSTANTS
from tau.sim.grading import case_in, judge
from tau.sim.oracle import expected_score
from tau.sim.world import START_PROMPT, World, world

TUNING = range(20)


def test_a_world_is_fixed_by_its_seed() -> None:
    assert World(3).examples(Split.TEST, 20) == World(3).examples(Split.TEST, 20)
    assert World(3).rules != World(4).rules
    assert World(3).examples(Split.TEST, 5) != World(4).examples(Split.TEST, 5)


def test_splits_share_no_case() -> None:
    splits = [{row["prompt"] for row in World(0).examples(split, 200)} for split in Split]

    assert [len(split) for split in splits] == [200, 200, 200]
    assert not set.intersection(*splits[:2]) | set.intersection(*splits[1:])


def test_a_row_says_which_case_it_is() -> None:
    for case in World(11).cases(Split.VALIDATE, 50):
        assert case_in(f"Please: {case.text}\nThanks.") == case
    assert case_in("Order R11-000001. something else") is None
    assert case_in("no case at all") is None


def test_rules_are_needed_as_often_as_the_constants_say() -> None:
    counts = [len(case.fields) for case in World(5).cases(Split.TEST, 4000)]
    shares = [counts.count(n) / len(counts) for n in range(5)]

    assert shares == pytest.approx(WORLD_CONSTANTS.rules_per_case, abs=0.03)
    assert sum(shares[2:]) > 0.4


def test_start_and_full_rulebook_score_as_published() -> None:
    starts = [expected_score(world(seed), START_PROMPT) for seed in TUNING]
    full = [expected_score(world(seed), world(seed).full_prompt()) for seed in TUNING]

    assert fmean(starts) == pytest.approx(0.07, abs=0.01)
    assert fmean(full) == pytest.approx(0.88, abs=0.005)


def test_each_rule_helps_and_none_is_enough() -> None:
    home = World(2)
    prompt = START_PROMPT
    scores = [expected_score(home, prompt)]
    for rule in range(len(home.rules)):
        prompt += f"\n{home.hint(rule)}"
        scores.append(expected_score(home, prompt))

    assert scores == sorted(scores)
    assert all(b - a > 0.01 for a, b in pairwise(scores))
    assert scores[1] < 0.4


def test_dilution_and_contradiction_cost_score() -> None:
    home = World(2)
    full = home.full_prompt()
    best = expected_score(home, full)
    slot, variant = home.rules[0]
    other = CATALOGUE.slots[slot].variants[(variant + 1) % 3].phrasings[0]
    long = full + "\nAnd please be polite to everybody who asks." * 100

    assert expected_score(home, full + "\nBe brief.") == best
    assert expected_score(home, long) < best - 0.05
    assert expected_score(home, f"{full}\n{other}") < best - 0.05
    assert expected_score(home, f"{full}\nDo not do this: {home.hint(0)}") < best - 0.05


def test_demonstrations_help_in_part() -> None:
    home = World(2)
    shown = home.cases(Split.OPTIMIZE, 8)
    start = expected_score(home, START_PROMPT)
    taught = expected_score(home, START_PROMPT, demonstrations=shown)

    assert start + 0.1 < taught < expected_score(home, home.full_prompt()) - 0.1


def test_feedback_levels() -> None:
    home = World(4)
    case = next(c for c in home.cases(Split.TEST, 50) if len(c.fields) == 2)
    half = case.line([case.fields[0].right, case.fields[1].shown])

    right = judge(case, f" {case.answer}\n", "rule")
    score = judge(case, half, "score")
    expected = judge(case, half, "expected")
    rule = judge(case, half, "rule")

    assert (right.right, right.fields_right) == (True, 1.0)
    assert [v.right for v in (score, expected, rule)] == [False] * 3
    assert rule.fields_right == pytest.approx(2 / 3)
    assert case.answer in expected.feedback
    assert case.answer not in score.feedback + rule.feedback
    assert home.hint(case.fields[1].rule) in rule.feedback
    assert home.hint(case.fields[1].rule) not in expected.feedback
    assert judge(case, "I do not know", "rule").fields_right == 0


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="not negative"):
        World(-1)
    with pytest.raises(ValueError, match="300001"):
        World(1).cases(Split.TEST, 300_001)
    with pytest.raises(ValueError, match="no cases"):
        expected_score(World(1), START_PROMPT, cases=())

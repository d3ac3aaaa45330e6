from dataclasses import replace

import numpy as np
import orjson
import pytest

from tau.scoring.certify import Certificate, ClaimDecision, certify, no_candidate
from tau.scoring.power import detectable_gain, fewest_rows, power, rows_to_settle
from tau.scoring.spending import certification_level
from tau.scoring.unconditional import fewest_fixed
from unit.scoring.populations import outcomes, pairing

EFFECTS = [(0.05, 0.03), (0.1, 0.03), (0.1, 0.1), (0.15, 0.1), (0.2, 0.1)]
# Of McNemar's exact test, simulated with an error of about .01.
PLANNED = [
    (0.13, 0.34, 0.64, 0.90),
    (0.40, 0.78, 0.98, 1.0),
    (0.28, 0.51, 0.81, 0.97),
    (0.49, 0.79, 0.97, 1.0),
    (0.68, 0.94, 1.0, 1.0),
]


def test_no_power_is_lost_against_the_conditional_test() -> None:
    for (gain, broken), planned in zip(EFFECTS, PLANNED, strict=True):
        for n, old in zip([50, 100, 200, 400], planned, strict=True):
            assert power(n, gain, broken) > old - 0.015


def test_a_true_fifteen_with_ten_broken_is_promoted_in_nine_of_ten_runs_at_200() -> None:
    draws = np.random.default_rng(15).multinomial(200, [0.25, 0.10, 0.65], 1000)
    promoted = sum(
        decided(200, int(f), int(b)).decision is ClaimDecision.PROMOTE for f, b, _ in draws
    )

    assert promoted / 1000 >= 0.95
    assert promoted / 1000 == pytest.approx(power(200, 0.15, 0.10), abs=0.02)


@pytest.mark.parametrize("n", [20, 50, 100])
def test_what_changes_nothing_is_promoted_in_at_most_one_of_twenty_runs(n: int) -> None:
    """The null test on 0/1 scores, over several noise levels; the reported gain is unbiased."""
    rng = np.random.default_rng(n)
    for noise in (0.5, 0.3, 0.1):
        same = rng.random((2, 1500, n)) < noise
        fixed = (same[0] & ~same[1]).sum(1)
        broken = (~same[0] & same[1]).sum(1)
        found = [decided(n, int(f), int(b)) for f, b in zip(fixed, broken, strict=True)]

        promoted = sum(each.decision is ClaimDecision.PROMOTE for each in found)
        assert promoted / 1500 <= 0.05 + 3 * 0.0056
        reported = [each.comparison.difference for each in found if each.comparison]
        assert abs(sum(reported) / 1500) <= 0.01


def test_graded_scores_that_change_nothing_are_seldom_promoted() -> None:
    rng = np.random.default_rng(50)
    promoted = 0
    for _ in range(400):
        differences = (rng.binomial(2, 0.5, 50) - rng.binomial(2, 0.5, 50)) / 2
        found = certify(pairing(differences.tolist()), effect=0.02, draws=999)
        promoted += found.decision is ClaimDecision.PROMOTE

    assert promoted / 400 <= 0.05 + 3 * 0.011


def decided(n: int, fixed: int, broken: int) -> Certificate:
    return certify(outcomes(n, fixed, broken), effect=0.02)


def test_it_promotes_exactly_when_the_lower_bound_is_above_zero() -> None:
    for fixed in range(40):
        for broken in range(0, 40, 3):
            found = decided(100, fixed, broken)

            assert found.comparison is not None
            assert (found.decision is ClaimDecision.PROMOTE) == (found.comparison.low > 0)
            assert (found.decision is ClaimDecision.PROMOTE) == (found.comparison.p_greater <= 0.05)


def test_it_keeps_the_baseline_below_what_matters() -> None:
    found = certify(outcomes(400, 2, 30), effect=0.02)

    assert found.decision is ClaimDecision.KEEP_BASELINE
    assert found.rows_to_settle is None
    assert "+" not in found.reason.split("lies")[0].split("to")[1]


def test_in_between_it_says_how_many_examples_would_settle_it() -> None:
    found = certify(outcomes(50, 6, 2), effect=0.02)

    assert found.decision is ClaimDecision.INCONCLUSIVE
    assert found.rows_to_settle is not None
    assert power(found.rows_to_settle, 0.08, 0.04) == pytest.approx(0.8, abs=0.08)


def test_a_gated_candidate_cannot_win() -> None:
    found = certify(outcomes(100, 50, 0), effect=0.02, gated=True)

    assert found.decision is ClaimDecision.KEEP_BASELINE
    assert "safety gate" in found.reason


def test_missing_rows_are_told() -> None:
    found = certify(pairing([1.0] * 20, missing=5), effect=0.02, planned=40)

    assert found.caveats == (
        "only 20 of 25 rows were compared: had the missing ones all gone against the candidate, it "
        "would be promote (+0.285 to +0.798); all in its favour, promote (+0.805 to +1.000)",
        "40 examples were planned, 25 were evaluated",
    )


def test_a_few_missing_rows_are_left_out() -> None:
    found = certify(pairing([1.0] * 19, missing=1), effect=0.02)

    assert found.partial is None
    assert found.caveats == ("1 of 20 examples have no score of both prompts and are left out",)


def test_silence_of_the_candidate_gains_nothing() -> None:
    silent = replace(pairing([1.0] * 10 + [0.0] * 80, missing=9), baseline_only=(1.0,) * 9)

    assert certify(pairing([1.0] * 10 + [0.0] * 80), effect=0.02).decision is ClaimDecision.PROMOTE
    found = certify(silent, effect=0.02)
    assert found.decision is ClaimDecision.INCONCLUSIVE
    assert "only the candidate has no score on 9 rows" in found.reason


@pytest.mark.parametrize(
    ("differences", "missing", "decision"),
    [
        ([1.0] * 11, 19, ClaimDecision.INCONCLUSIVE),
        ([1.0] * 60, 31, ClaimDecision.PROMOTE),
        ([-1.0] * 60, 31, ClaimDecision.KEEP_BASELINE),
        ([-1.0] * 11, 19, ClaimDecision.INCONCLUSIVE),
        ([1.0] * 20, 10, ClaimDecision.PROMOTE),
    ],
)
def test_with_a_third_missing_only_what_they_could_not_change_stands(
    differences: list[float], missing: int, decision: ClaimDecision
) -> None:
    found = certify(pairing(differences, missing=missing), effect=0.02)

    assert found.decision is decision
    assert found.partial is not None
    assert found.partial.missing == missing


def test_without_any_pair_it_is_inconclusive() -> None:
    found = certify(pairing([], missing=9), effect=0.02)

    assert found.decision is ClaimDecision.INCONCLUSIVE
    assert found.comparison is None
    assert found.caveats


def test_without_a_survivor_the_baseline_stays() -> None:
    assert no_candidate("all children were worse").decision is ClaimDecision.KEEP_BASELINE


def test_certificates_are_json() -> None:
    state = orjson.loads(orjson.dumps(decided(100, 20, 3).to_json()))

    assert state["decision"] == "promote"
    assert len(state["comparison"]["fixed"]) == 20


def test_the_effect_must_be_positive() -> None:
    with pytest.raises(ValueError, match="must be positive"):
        certify(outcomes(10, 1, 1), effect=0)


def test_power_is_what_simulation_finds() -> None:
    draws = np.random.default_rng(1).multinomial(90, [0.2, 0.06, 0.74], 20_000)
    least = [fewest_fixed(90, differing, 0.025) or 91 for differing in range(91)]
    rejected = draws[:, 0] >= np.array(least)[draws[:, 0] + draws[:, 1]]

    assert power(90, 0.14, 0.06, alpha=0.025) == pytest.approx(float(rejected.mean()), abs=0.012)


def test_the_detectable_gain_has_the_power_and_no_smaller_one_does() -> None:
    for n, broken in [(30, 0.0), (100, 0.05), (400, 0.1)]:
        gain = detectable_gain(n, broken)

        assert gain is not None
        assert power(n, gain, broken) >= 0.8 > power(n, gain - 0.001, broken)


def test_too_few_rows_certify_nothing() -> None:
    assert fewest_rows() == 5
    assert power(4, 1.0, 0.0) == 0
    assert power(5, 1.0, 0.0) == 1
    assert detectable_gain(4, 0.0) is None
    assert detectable_gain(100, 0.5) is None


def test_shares_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="no examples have"):
        power(10, 0.9, 0.2)


def test_no_change_at_all_is_never_promoted() -> None:
    assert power(100, 0.0, 0.0) == 0


def test_a_null_effect_is_promoted_at_most_at_the_level() -> None:
    for n in (10, 50, 200):
        for broken in (0.02, 0.1, 0.3, 0.5):
            assert power(n, 0.0, broken) <= 0.05


def test_settling_is_easier_the_further_from_what_matters() -> None:
    sizes = [rows_to_settle(gain, 0.4, 0.05) for gain in (0.05, 0.1, 0.2, 0.4)]

    assert sizes == sorted(sizes, reverse=True)
    assert rows_to_settle(0.0, 0.4, 0.05) == rows_to_settle(0.05, 0.4, 0.05)


def test_each_use_of_a_certification_set_halves_its_level() -> None:
    fresh, third = (certification_level(0.05, uses) for uses in (0, 2))

    assert (fresh.alpha, fresh.uses, fresh.caveats) == (0.05, 0, ())
    assert (third.alpha, third.uses) == (0.0125, 2)
    assert "2 times" in third.caveats[0]

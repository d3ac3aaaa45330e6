"""One claim about two columns of scores, of every kind, decided once."""

from collections.abc import Sequence
from typing import Any

import pytest

from tau.scoring.certify import ClaimDecision
from tau.scoring.claims import Claim, ClaimKind, ClaimResult, EstimateKind, PairedScores, decide

BETTER = Claim()
NOT_WORSE = Claim(kind=ClaimKind.NOT_WORSE, margin=0.02)


def result(
    baseline: Sequence[float | None],
    candidate: Sequence[float | None],
    claim: Claim = BETTER,
    **more: Any,  # noqa: ANN401
) -> ClaimResult:
    ids = tuple(f"row-{number}" for number in range(len(baseline)))
    scores = PairedScores(ids=ids, baseline=tuple(baseline), candidate=tuple(candidate), **more)
    return decide(claim, scores)


def steps(fixed: int, broken: int, same: int) -> tuple[list[float], list[float]]:
    return [0.0] * fixed + [1.0] * (broken + same), [1.0] * fixed + [0.0] * broken + [1.0] * same


@pytest.mark.parametrize("kind", [ClaimKind.NOT_WORSE, ClaimKind.CHEAPER, ClaimKind.GUARDED])
def test_a_claim_that_bounds_a_loss_needs_a_margin(kind: ClaimKind) -> None:
    with pytest.raises(ValueError, match="needs a margin, the loss from which"):
        Claim(kind=kind)


@pytest.mark.parametrize("margin", [0.0, -0.1, 1.0, float("nan")])
def test_a_margin_that_is_no_loss_is_refused(margin: float) -> None:
    with pytest.raises(ValueError, match="a margin must be above 0 and below 1"):
        Claim(kind=ClaimKind.NOT_WORSE, margin=margin)


def test_better_takes_no_margin() -> None:
    with pytest.raises(ValueError, match="takes no margin"):
        Claim(margin=0.02)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ids": ("a", "a")}, "ids repeat"),
        ({"candidate": (1.0,)}, "candidate has 1 values for 2 rows"),
        ({"candidate": (1.0, 3.0)}, "candidate of row 'b' must be between 0 and 1, got 3.0"),
        ({"candidate": (1.0, float("nan"))}, "candidate of row 'b'"),
        ({"groups": ("g",)}, "1 groups for 2 rows"),
        ({"cost": ((1.0, -1.0), (1.0, 1.0))}, "cost of the baseline of row 'b'"),
        ({"human": ((1.0, 1.0), (1.0, 2.0))}, "human candidate of row 'b'"),
    ],
)
def test_columns_that_do_not_fit_are_refused(change: dict[str, Any], message: str) -> None:
    columns: dict[str, Any] = {"ids": ("a", "b"), "baseline": (0.0, 1.0), "candidate": (1.0, 1.0)}
    with pytest.raises(ValueError, match=message):
        PairedScores(**{**columns, **change})


def test_a_gain_is_promoted_with_the_rows_that_changed() -> None:
    found = result(*steps(12, 1, 37))

    assert found.decision is ClaimDecision.PROMOTE
    assert found.p_value is not None
    assert found.p_value <= 0.05
    assert found.low is not None
    assert found.low > 0
    assert (len(found.fixed), found.broken) == (12, ("row-12",))
    assert found.words().startswith("surely at least +")
    assert found.to_json()["claim"] == "better"


def test_a_selected_gain_reads_smaller_when_allowing_for_luck() -> None:
    barely = result(*steps(6, 1, 23))
    clear = result(*steps(40, 1, 59))

    assert barely.shrunk is not None
    assert barely.difference is not None
    assert barely.low is not None
    assert clear.shrunk is not None
    assert clear.difference is not None
    assert barely.low <= barely.shrunk < 0.8 * barely.difference
    assert clear.shrunk == pytest.approx(clear.difference, abs=0.002)


def test_small_gains_on_few_rows_prove_nothing_against_rare_losses() -> None:
    few = result([0.8] * 10, [0.83] * 10)

    assert few.decision is ClaimDecision.INCONCLUSIVE
    assert any("too rare to show among 10 rows" in caveat for caveat in few.caveats)
    assert few.rows_to_settle is not None
    assert 95 <= few.rows_to_settle <= 110
    assert result([0.8] * 110, [0.83] * 110).decision is ClaimDecision.PROMOTE


def test_equal_columns_are_not_worse_once_there_are_enough_rows() -> None:
    few, many = ([1.0, 0.0] * 50, [1.0, 0.0] * 90)

    assert result([*few], [*few], NOT_WORSE).decision is ClaimDecision.INCONCLUSIVE
    assert result([*many], [*many], NOT_WORSE).decision is ClaimDecision.PROMOTE
    assert result([*many], [*many]).decision is ClaimDecision.INCONCLUSIVE


def test_a_loss_beyond_the_margin_keeps_the_baseline() -> None:
    found = result(*steps(0, 20, 80), NOT_WORSE)

    assert found.decision is ClaimDecision.KEEP_BASELINE
    assert "surely at most -" in found.words()


@pytest.mark.parametrize("graded", [False, True])
def test_repeated_rows_of_one_group_count_once(graded: bool) -> None:
    gain = 0.5 if graded else 1.0
    before, after = [0.0] * 10, [gain] * 3 + [0.0] * 7
    once = result([*before], [*after])
    names = tuple(f"doc-{number % 10}" for number in range(100))
    tenfold = result(before * 10, after * 10, groups=names)
    blind = result(before * 10, after * 10)

    assert blind.decision is ClaimDecision.PROMOTE
    assert tenfold.decision is once.decision is ClaimDecision.INCONCLUSIVE
    assert tenfold.p_value == pytest.approx(once.p_value)
    assert (tenfold.pairs, tenfold.groups) == (100, 10)
    assert tenfold.design_effect == pytest.approx(11, rel=0.1)
    assert any("fewer than 12 groups" in caveat for caveat in tenfold.caveats)


def test_cheaper_needs_both_the_saving_and_the_quality() -> None:
    claim = Claim(kind=ClaimKind.CHEAPER, margin=0.05)
    same: list[float | None] = [1.0, 0.0] * 50
    dear = tuple(1.0 + number % 7 for number in range(100))
    cheap = tuple(0.6 * cost for cost in dear)
    worse = [0.0] * 30 + same[30:]

    promoted = result([*same], [*same], claim, cost=(dear, cheap))

    assert promoted.decision is ClaimDecision.PROMOTE
    assert promoted.cost is not None
    assert promoted.cost["ratio"] == pytest.approx(0.6)
    assert (
        result([*same], [*same], claim, cost=(cheap, dear)).decision is ClaimDecision.KEEP_BASELINE
    )
    assert result([*same], [*same], claim, cost=(dear, dear)).decision is ClaimDecision.INCONCLUSIVE
    assert result([*same], worse, claim, cost=(dear, cheap)).decision is ClaimDecision.KEEP_BASELINE
    with pytest.raises(ValueError, match="needs the costs of both"):
        result([*same], [*same], claim)


def test_one_guard_that_fails_undoes_the_claim() -> None:
    claim = Claim(kind=ClaimKind.GUARDED, margin=0.05)
    before, after = steps(20, 0, 80)
    kept = (tuple(before), tuple(before))
    lost = (tuple(after), tuple(before))

    assert result(before, after, claim, guards={"format": kept}).decision is ClaimDecision.PROMOTE
    found = result(before, after, claim, guards={"format": kept, "tone": lost})
    assert found.decision is ClaimDecision.KEEP_BASELINE
    assert "tone: " in found.reason
    assert "format" not in found.reason
    assert "but tone: " in found.words()
    with pytest.raises(ValueError, match="at least one guard"):
        result(before, after, claim)


def test_a_candidate_gains_nothing_by_silence() -> None:
    before, after = steps(10, 0, 90)
    silent: list[float | None] = [*after[:90], *[None] * 10]

    assert result(before, after).decision is ClaimDecision.PROMOTE
    assert result(before, silent).decision is ClaimDecision.INCONCLUSIVE


def labelled(every: int, rows: int = 200) -> tuple[tuple[float | None, ...], ...]:
    """People find no difference, whatever the judge says."""
    column = tuple(float(n % 3 == 0) if n % every == 0 else None for n in range(rows))
    return column, column


def test_people_correct_a_judge_that_favours_the_candidate() -> None:
    before, after = steps(60, 0, 140)

    judged = result(before, after, Claim(judged=True))
    corrected = result(before, after, human=labelled(4))

    assert judged.decision is ClaimDecision.PROMOTE
    assert judged.estimate is EstimateKind.AS_JUDGED
    assert any("judge" in each for each in judged.caveats)
    assert corrected.estimate is EstimateKind.CORRECTED
    assert corrected.decision is not ClaimDecision.PROMOTE
    assert corrected.labels == 50


def test_too_few_labels_decide_nothing_and_say_how_many_would() -> None:
    found = result(*steps(60, 0, 140), human=labelled(50))

    assert found.decision is ClaimDecision.INCONCLUSIVE
    assert "people scored 4 rows" in found.reason
    assert found.labels_to_settle == 20


def test_without_any_pair_nothing_is_decided() -> None:
    found = result([1.0, None], [None, 1.0])

    assert found.decision is ClaimDecision.INCONCLUSIVE
    assert (found.pairs, found.missing, found.p_value) == (0, 2, None)

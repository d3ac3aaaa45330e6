import math
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from tau.scoring.betting import bet
from tau.scoring.certify import certify
from tau.scoring.compare import Comparison, compare
from tau.scoring.contest import ranked
from tau.scoring.halving import plan_halving, rollouts_of
from tau.scoring.power import power
from tau.scoring.table import pair
from unit.scoring.populations import examples, name, outcomes, pairing, table

EXACT = st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=1, max_size=40)
GRADED = st.lists(st.floats(-1, 1), min_size=1, max_size=30)
EITHER = st.one_of(EXACT, GRADED)
ALPHAS = st.sampled_from([0.01, 0.05, 0.1, 0.3])
DRAWS = 199


def compared(differences: Sequence[float], alpha: float = 0.1) -> Comparison:
    return compare(pairing(differences), alpha=alpha, draws=DRAWS)


@given(EITHER, ALPHAS)
def test_the_interval_holds_the_mean_and_agrees_with_the_test(
    differences: list[float], alpha: float
) -> None:
    found = compared(differences, alpha)

    assert -1 <= found.low <= found.difference <= found.high <= 1
    assert 0 <= found.p_value <= 1
    assert (found.low > 0) == (found.p_greater <= alpha / 2)
    assert (found.low > 0 or found.high < 0) == (found.p_value <= alpha)


@given(EITHER.flatmap(lambda d: st.tuples(st.just(d), st.permutations(d))))
def test_the_order_of_examples_changes_nothing(orders: tuple[list[float], list[float]]) -> None:
    first, second = map(compared, orders)

    assert (first.low, first.high, first.p_value) == (second.low, second.high, second.p_value)


@given(EITHER)
def test_swapping_the_candidates_mirrors_the_result(differences: list[float]) -> None:
    ours, theirs = compared(differences), compared([-difference for difference in differences])

    assert ours.p_value == theirs.p_value
    assert (ours.low, ours.high) == (-theirs.high, -theirs.low)
    assert ours.fixed == theirs.broken


@given(st.integers(1, 60), st.data())
def test_fixing_one_more_is_never_worse(n: int, data: st.DataObject) -> None:
    fixed = data.draw(st.integers(0, n - 1))
    broken = data.draw(st.integers(0, n - 1 - fixed))
    before, after = compare(outcomes(n, fixed, broken)), compare(outcomes(n, fixed + 1, broken))

    assert after.p_greater <= before.p_greater
    assert after.low >= before.low - 1e-12
    assert after.high >= before.high - 1e-12


@given(EITHER, st.floats(0.001, 1))
def test_there_always_is_a_decision(differences: list[float], effect: float) -> None:
    found = certify(pairing(differences), effect=effect, draws=DRAWS)

    assert found.reason
    if found.rows_to_settle is not None:
        assert found.rows_to_settle >= 5


@given(EITHER, EITHER, st.floats(-1, 1))
def test_wealth_is_never_negative_and_evidence_is_never_lost(
    first: list[float], second: list[float], null: float
) -> None:
    before = bet(first, null=null)
    after = before.after(second)

    assert not math.isnan(after.log_wealth)
    assert after.peak >= before.peak >= 0


@given(EITHER.flatmap(lambda d: st.tuples(st.just(d), st.permutations(d))), st.floats(-0.99, 1))
def test_with_replacement_wealth_does_not_depend_on_the_order(
    orders: tuple[list[float], list[float]], null: float
) -> None:
    first, second = (bet(order, null=null).log_wealth for order in orders)

    assert math.isclose(first, second, rel_tol=1e-9, abs_tol=1e-9)


@given(EITHER, st.floats(-1, 1), st.floats(-1, 1), st.booleans())
def test_a_higher_null_is_harder_to_refute(
    values: list[float], one: float, other: float, whole: bool
) -> None:
    low, high = sorted((one, other))
    population = len(values) + 5 if whole else None

    easy = bet(values, null=low, population=population).log_wealth
    hard = bet(values, null=high, population=population).log_wealth

    assert easy >= hard - 1e-9


@given(EITHER)
def test_the_true_mean_of_a_population_is_never_refuted_at_its_end(
    values: list[float],
) -> None:
    """At the end the mean is known: nothing at or above it may be refuted for good."""
    mean = math.fsum(values) / len(values)

    assert bet(values, null=mean, population=len(values)).log_wealth < math.inf


@given(st.integers(2, 200), st.integers(1, 300), st.integers(0, 5000), st.integers(1, 3))
def test_no_plan_exceeds_its_budget(
    candidates: int, count: int, more: int, replicates: int
) -> None:
    rollouts = candidates * replicates + more

    stages = plan_halving(candidates, count, rollouts, replicates=replicates)

    assert rollouts_of(stages, replicates=replicates) <= rollouts
    assert all(stage.examples <= count for stage in stages)


@settings(max_examples=50)
@given(st.integers(1, 60), st.floats(0, 0.3), st.floats(0, 0.4), st.floats(0, 0.1))
def test_power_grows_with_the_gain(n: int, broken: float, gain: float, more: float) -> None:
    assert power(n, gain, broken) <= power(n, gain + more, broken) + 1e-9 <= 1 + 1e-9


SCORES = st.lists(
    st.lists(st.one_of(st.none(), st.floats(0, 1)), min_size=1, max_size=8), min_size=1, max_size=5
)


@given(SCORES)
def test_rankings_are_finite_and_hold_everyone_once(rows: list[list[float | None]]) -> None:
    known = table({f"c{k}": row for k, row in enumerate(rows)})
    names = [name(f"c{k}") for k in range(len(rows))]

    assert sorted(ranked(known, names, examples(8))) == sorted(names)


@given(SCORES)
def test_a_pairing_leaves_out_exactly_what_is_missing(rows: list[list[float | None]]) -> None:
    known = table({"a": rows[0], "b": rows[-1]})

    found = pair(known, name("a"), name("b"), examples(8))
    back = pair(known, name("b"), name("a"), examples(8))

    assert len(found.examples) + found.missing == 8
    assert back.differences == tuple(-difference for difference in found.differences)
    assert (found.fixed, found.broken) == (back.broken, back.fixed)

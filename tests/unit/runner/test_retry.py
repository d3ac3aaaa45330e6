"""Which failures get another attempt, and when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau.domain.failure import TRANSIENT, Failure, FailureClass
from tau.domain.ids import AttemptId, RolloutId
from tau.runner.circuit import FATAL, Circuit
from tau.runner.retry import Backoff, RetryPolicy

A1 = AttemptId("run-r1:attempt-1")


def failure(kind: FailureClass, retry_after_s: float | None = None) -> Failure:
    return Failure(kind=kind, message="no", retry_after_s=retry_after_s)


@pytest.mark.parametrize("kind", list(FailureClass))
def test_only_transient_classes_are_retried(kind: FailureClass) -> None:
    retried = RetryPolicy().delay_s(failure(kind), A1, 0) is not None

    assert retried == (kind in TRANSIENT)


def test_a_class_can_be_given_its_own_rule() -> None:
    policy = RetryPolicy(
        classes={
            FailureClass.EXECUTOR: Backoff(max_attempts=2, base_s=8.0),
            FailureClass.TIMEOUT: Backoff(max_attempts=1),
        }
    )

    assert policy.delay_s(failure(FailureClass.EXECUTOR), A1, 0) is not None
    assert policy.delay_s(failure(FailureClass.EXECUTOR), A1, 1) is None
    assert policy.delay_s(failure(FailureClass.TIMEOUT), A1, 0) is None


@given(counted=st.integers(0, 200), attempt=st.text(min_size=1), seed=st.integers())
def test_the_delay_is_drawn_below_a_doubling_ceiling(counted: int, attempt: str, seed: int) -> None:
    backoff = Backoff(max_attempts=1_000, base_s=0.5, max_s=60.0)
    policy = RetryPolicy(default=backoff, seed=seed)
    slow = failure(FailureClass.TIMEOUT)

    delay = policy.delay_s(slow, AttemptId(attempt), counted)

    assert delay is not None
    assert 0.0 <= delay <= min(60.0, 0.5 * 2.0 ** min(counted, 30))
    assert delay == policy.delay_s(slow, AttemptId(attempt), counted), "pure"


def test_many_attempts_spread_over_the_whole_range() -> None:
    policy = RetryPolicy(default=Backoff(max_attempts=9, base_s=10.0))
    delays = [
        policy.delay_s(failure(FailureClass.SERVER), AttemptId(f"a{n}"), 0) or 0.0
        for n in range(2_000)
    ]

    assert sum(delays) / len(delays) == pytest.approx(5.0, rel=0.05)
    assert min(delays) < 0.1
    assert max(delays) > 9.9


@pytest.mark.parametrize(
    ("asked", "least", "most"), [(20.0, 20.0, 20.5), (1e9, 300.0, 300.5), (-5.0, 0.0, 0.5)]
)
def test_what_the_other_side_asks_for_is_a_bounded_floor(
    asked: float, least: float, most: float
) -> None:
    delay = RetryPolicy().delay_s(failure(FailureClass.RATE_LIMIT, asked), A1, 0)

    assert delay is not None
    assert least <= delay <= most


@pytest.mark.parametrize("kind", sorted(FATAL))
def test_the_circuit_opens_after_distinct_rollouts_in_a_row(kind: FailureClass) -> None:
    circuit = Circuit(3)
    for name in ("a", "b", "b", "b"):
        circuit.observe(RolloutId(name), failure(kind))
    assert circuit.reason is None, "the same rollout counts once"

    circuit.observe(RolloutId("c"), failure(kind))

    assert circuit.reason == "3 rollouts in a row failed: no"


def test_a_success_ends_the_streak_and_other_failures_do_not_count() -> None:
    circuit = Circuit(2)
    circuit.observe(RolloutId("a"), failure(FailureClass.AUTH))
    circuit.observe(RolloutId("b"), failure(FailureClass.EXECUTOR))
    circuit.observe(RolloutId("c"), None)
    circuit.observe(RolloutId("d"), failure(FailureClass.AUTH))

    assert circuit.reason is None


def test_without_a_threshold_it_never_opens() -> None:
    circuit = Circuit(None)
    for n in range(100):
        circuit.observe(RolloutId(str(n)), failure(FailureClass.AUTH))

    assert circuit.reason is None

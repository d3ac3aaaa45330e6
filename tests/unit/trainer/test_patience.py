"""When a run has taken too long."""

import pytest

from tau.domain.rollout import RolloutCounts, RolloutStatus
from tau.errors import TrainerTimeout
from tau.trainer.patience import Patience, TimeLimits


class Clock:
    def __init__(self) -> None:
        self.now = 1_000

    def unix_ms(self) -> int:
        return self.now

    def monotonic_ms(self) -> int:
        return self.now

    def pass_s(self, seconds: float) -> None:
        self.now += round(seconds * 1000)


def counts(**by: int) -> RolloutCounts:
    return RolloutCounts(by_status={RolloutStatus(name): n for name, n in by.items()})


def test_a_literal_limit_holds_for_the_whole_run_whatever_happens() -> None:
    clock = Clock()
    patience = Patience(TimeLimits(run_s=30), clock)
    for done in range(29):
        clock.pass_s(1)
        patience.watch(counts(queuing=100 - done, succeeded=done), None)
    clock.pass_s(1)
    with pytest.raises(TrainerTimeout, match=r"5 waiting, 95 succeeded.*longer than 30 s"):
        patience.watch(counts(queuing=5, succeeded=95), None)


def test_without_progress_the_default_limit_ends_the_run() -> None:
    clock = Clock()
    patience = Patience(TimeLimits(), clock)
    patience.watch(counts(queuing=2), None)
    clock.pass_s(29.9)
    patience.watch(counts(queuing=2), None)
    clock.pass_s(0.1)
    with pytest.raises(TrainerTimeout, match="nothing happened for 30 s"):
        patience.watch(counts(queuing=2), None)


def test_progress_starts_the_clock_anew() -> None:
    clock = Clock()
    patience = Patience(TimeLimits(), clock)
    for done in range(20):
        patience.watch(counts(queuing=20 - done, succeeded=done), None)
        clock.pass_s(29)
    patience.watch(counts(succeeded=20), None)
    assert patience.elapsed_s == 20 * 29


def test_the_clock_stands_still_while_a_retry_is_scheduled() -> None:
    clock = Clock()
    patience = Patience(TimeLimits(), clock)
    for _ in range(10):
        clock.pass_s(60)
        patience.watch(counts(requeuing=1), 5_000)
    clock.pass_s(29)
    patience.watch(counts(requeuing=1), 0)
    clock.pass_s(1)
    with pytest.raises(TrainerTimeout):
        patience.watch(counts(requeuing=1), 0)


def test_the_clock_stands_still_while_attempts_are_within_their_own_limit() -> None:
    clock = Clock()
    patience = Patience(TimeLimits(attempt_s=300), clock)
    patience.watch(counts(running=1), None)
    for _ in range(30):
        clock.pass_s(10)
        patience.watch(counts(running=1), None)
    clock.pass_s(10)
    patience.watch(counts(running=1), None)
    clock.pass_s(10)
    patience.watch(counts(running=1), None)
    clock.pass_s(10)
    with pytest.raises(TrainerTimeout):
        patience.watch(counts(running=1), None)

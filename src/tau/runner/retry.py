"""Whether another attempt makes sense, and when."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tau.domain.draws import uniform
from tau.domain.failure import TRANSIENT, Failure, FailureClass
from tau.domain.ids import AttemptId

_MAX_DOUBLINGS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """How one class is retried: attempts in all, and the wait before each new one.

    The wait is drawn from 0 up to `base_s`, doubled by each attempt, at most `max_s`.
    """

    max_attempts: int = 5
    base_s: float = 0.5
    max_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Exponential backoff with full jitter, by failure class. Pure: same attempt, same delay.

    `default` is for transient classes; a class that is neither transient nor in `classes` gets no
    second attempt. The run's `max_attempts`, counted by the store, bounds them all.
    `max_retry_after_s` bounds what the other side can ask for.
    """

    default: Backoff = field(default_factory=Backoff)
    classes: Mapping[FailureClass, Backoff] = field(default_factory=dict)
    max_retry_after_s: float = 300.0
    seed: int = 0

    def delay_s(self, failure: Failure, attempt_id: AttemptId, counted: int) -> float | None:
        """Seconds until the next attempt, None for never.

        `counted` attempts had failed before this one did. What the other side asked for is a floor
        under the backoff.
        """
        backoff = self.classes.get(failure.kind)
        if backoff is None and failure.kind in TRANSIENT:
            backoff = self.default
        if backoff is None or counted + 1 >= backoff.max_attempts:
            return None
        ceiling = min(backoff.max_s, backoff.base_s * 2.0 ** min(counted, _MAX_DOUBLINGS))
        jitter = uniform(self.seed, "retry", attempt_id) * ceiling
        asked = failure.retry_after_s or 0.0
        # Everyone was told the same instant: the jitter on top spreads the return.
        return min(max(asked, 0.0), self.max_retry_after_s) + jitter

"""Rewards: named numbers with a reason for people and feedback for the proposer."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tau.domain.quick import quickly_made

EXACT_MATCH = "exact_match"
EXECUTION_SUCCESS = "runner.execution_success"
POLL_RETRY_FAILURES = "runner.poll_retry_failures_before_rollout"
POLL_RETRY_BACKOFF_MS = "runner.poll_retry_backoff_ms_before_rollout"
SAFETY_PENALTY_TOTAL = "safety.penalty_total"
SAFETY_HARD_GATE_PENALTY = "safety.hard_gate_penalty"
SAFETY_HARD_GATE_TRIGGERED = "safety.hard_gate_triggered"


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Reward:
    """What one grader, or the runner itself, says of an output.

    `score` is finite, 0..1 for graders; None means *unscored*: the grader failed and `error` says
    how; it never counts as zero. `passed` is None where the notion does not apply. `reason` is for
    people, `feedback` for the model that writes the next prompt.
    """

    name: str
    score: float | None
    passed: bool | None = None
    reason: str = ""
    feedback: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None

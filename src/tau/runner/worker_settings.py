"""What can be set about the workers of a process."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerSettings:
    """How many workers, how busy, how patient.

    `worker_count` loops hold `worker_concurrency` rollouts in flight each. `poll_interval_ms` is
    only the fallback: claims follow events. A lease is three heartbeat intervals.

    `time_limit_s` (None: no limit) bounds the execution of an attempt and, apart from it, each of
    its gradings; waiting for a provider that asked to be left alone does not count. What ignores
    its cancellation for `stop_grace_s` is left behind and its slot goes on.

    With `fail_fast`, claiming stops after `fail_fast_after` rollouts in a row failed for a cause
    that would fail every other one too (key, credit, model name).

    `calls_at_once` is the most calls of one model under way, one for each rollout by default.

    With `keep_reasoning`, reasoning that stands in an output's text is read as part of it.
    """

    worker_count: int = 2
    worker_concurrency: int = 1
    poll_interval_ms: int = 50
    heartbeat_interval_ms: int = 1000
    time_limit_s: float | None = None
    stop_grace_s: float = 5.0
    max_output_bytes: int = 4 * 1024 * 1024
    keep_reasoning: bool = False
    fail_fast: bool = False
    fail_fast_after: int = 5
    calls_at_once: int | None = None

    @property
    def lease_ms(self) -> int:
        """How long an attempt stays its worker's own without a heartbeat."""
        return 3 * self.heartbeat_interval_ms

    @property
    def concurrency(self) -> int:
        """The most rollouts in flight in this process."""
        return self.worker_count * self.worker_concurrency

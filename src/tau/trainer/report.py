"""What is said of a run when it has ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tau.domain.json import Json
from tau.domain.rollout import RolloutCounts
from tau.domain.run import RunStatus, StopReason
from tau.domain.spend import Spend
from tau.ports.algorithm import Plan
from tau.ports.insights import Shortfalls
from tau.readings.scores import SplitScore
from tau.reports.account import Account


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """The final report of one start of a run.

    `store_path` is as given by the user. `counts` are this run's rollouts only. `best_version` is
    None where nothing was published. `decision` is None for an algorithm that decides nothing;
    `evidence` is what the algorithm bases its recommendation on. `account` is what an optimization
    tried and found; None where only the given resources were measured. `plan` is what the algorithm
    had planned. `cost_usd` is None where calls were made and no price is known. `duration_s` is of
    this start, `active_s` of all starts of the run. `resumable` tells whether starting it again
    goes on. `last_failure` is the message of the rollout that failed last, `shortfalls` why
    rows have no score. `binary`: every score is 0 or 1. `retries` are attempts made again,
    `reused` evaluations that a probe had paid for. `judges` says what is known of each judge.
    """

    run_id: str
    model_ref: str
    store_path: str
    status: RunStatus
    stop_reason: StopReason
    stop_detail: str | None
    resumable: bool
    resumed: bool
    counts: RolloutCounts
    splits: tuple[SplitScore, ...]
    best_hash: str
    best_version: str | None
    decision: str | None
    evidence: Mapping[str, Json]
    spent: Spend
    cost_usd: float | None
    failures: Mapping[str, int] = field(default_factory=dict)
    last_failure: str | None = None
    duration_s: float = 0.0
    active_s: float = 0.0
    caveats: tuple[str, ...] = ()
    judges: tuple[str, ...] = ()
    account: Account | None = None
    plan: Plan | None = None
    shortfalls: Shortfalls = field(default_factory=Shortfalls)
    binary: bool = False
    retries: int = 0
    reused: int = 0

"""Runs at different moments, as the displays are shown them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tau.domain.ids import RunId
from tau.domain.rollout import RolloutCounts, RolloutStatus
from tau.domain.run import Run, RunStatus, StopReason
from tau.domain.spend import Budget, Spend
from tau.readings.scores import SplitScore
from tau.trainer.progress import Progress
from tau.trainer.report import RunReport

RUN = Run(
    id=RunId("run-1"),
    config_hash="0" * 64,
    model_ref="openai/gpt-4o-mini",
    seed=0,
    algorithm="evaluate",
    config={},
    budget=Budget(calls=500, cost_nano_usd=2_000_000_000),
)

HALF = SplitScore(
    split="optimize", rows=100, scored=50, unscored=2, failed=3, cancelled=0,
    mean=0.5, low=0.25, high=0.75,
)  # fmt: skip
NONE = SplitScore(
    split="validate", rows=10, scored=0, unscored=0, failed=0, cancelled=0,
    mean=None, low=None, high=None,
)  # fmt: skip


def counts(done: int, *, total: int = 100, failed: int = 0, running: int = 0) -> RolloutCounts:
    """`done` includes `failed`; what is neither done nor running is queued."""
    return RolloutCounts(
        by_status={
            RolloutStatus.SUCCEEDED: done - failed,
            RolloutStatus.FAILED: failed,
            RolloutStatus.RUNNING: running,
            RolloutStatus.QUEUING: total - done - running,
        }
    )


def look(elapsed_s: float, done: int, **more: Any) -> Progress:  # noqa: ANN401
    """One look after `elapsed_s` with `done` of 100 settled."""
    running = min(8, 100 - done)
    spent = Spend(calls=done, tokens=done * 10, cost_nano_usd=done * 1_000_000)
    return Progress(
        run=replace(RUN, spent=spent), counts=counts(done, running=running), elapsed_s=elapsed_s,
        **more,
    )  # fmt: skip


def report(**changes: Any) -> RunReport:  # noqa: ANN401
    """The report of a finished run, with `changes`."""
    fields: Mapping[str, Any] = {
        "run_id": "run-1",
        "model_ref": "openai/gpt-4o-mini",
        "store_path": "my store.sqlite",
        "status": RunStatus.COMPLETED,
        "stop_reason": StopReason.FINISHED,
        "stop_detail": None,
        "resumable": False,
        "resumed": False,
        "counts": counts(100, failed=3),
        "splits": (HALF, NONE),
        "best_hash": "ab" * 32,
        "best_version": "resources-1",
        "decision": None,
        "evidence": {"splits": {}},
        "spent": Spend(rollouts=100, calls=100, tokens=2000, cost_nano_usd=123_000_000),
        "cost_usd": 0.123,
        "failures": {"server": 1, "rate_limit": 2},
        "duration_s": 12.3456,
        "active_s": 12.3456,
        "caveats": (),
    }
    return RunReport(**{**fields, **changes})

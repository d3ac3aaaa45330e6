"""`status.json`: the run's state for dashboards and recovery, a projection of the store."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tau.domain.json import Json
from tau.domain.rollout import RolloutStatus
from tau.domain.run import Run, RunStatus, StopReason
from tau.domain.worker import ProcessIdentity
from tau.files.atomic import atomic_write
from tau.files.documents import dump_document
from tau.ports.clock import Clock
from tau.readings.scores import SplitScore
from tau.trainer.progress import Progress


class StatusFile:
    """Writes the same status into every file that shows it.

    `store_path` is as given by the user; `process` is who drives the run; `more` is put beside
    what the progress tells.
    """

    def __init__(
        self,
        files: Sequence[Path],
        *,
        store_path: str,
        process: ProcessIdentity,
        clock: Clock,
        more: Mapping[str, Json] | None = None,
    ) -> None:
        self._files = tuple(files)
        self._store_path = store_path
        self._process = process
        self._clock = clock
        self._more = dict(more or {})
        self._last: Mapping[str, Json] | None = None

    def write(self, progress: Progress) -> bool:
        """Write where something changed since the last time; True if so. Blocks on the disk.

        Raises:
            FileError: one cannot be written; the others may have been.
        """
        status = self._status(progress)
        if status == self._last:
            return False
        stamped: dict[str, Json] = {
            "schema_version": 1,
            "updated_unix_ms": self._clock.unix_ms(),
            **status,
        }
        data = dump_document(stamped)
        for file in self._files:
            atomic_write(file, data)
        self._last = status
        return True

    def _status(self, progress: Progress) -> dict[str, Json]:
        run, counts = progress.run, progress.counts
        return {
            "run_state": _run_state(progress),
            "model_ref": run.model_ref,
            "store_path": self._store_path,
            "total_rollouts": counts.total,
            "succeeded": counts[RolloutStatus.SUCCEEDED],
            "failed": counts[RolloutStatus.FAILED],
            "cancelled": counts[RolloutStatus.CANCELLED],
            "run_id": run.id,
            "algorithm": run.algorithm,
            "stop_reason": run.stop_reason and str(run.stop_reason),
            "stop_detail": run.stop_detail,
            "waiting_for": progress.waiting_for,
            "progress": {
                "queued": counts.waiting,
                "in_flight": counts.in_flight,
                "settled": counts.settled,
                "resumed": progress.resumed,
            },
            "failures": dict(progress.failures),
            "scores": {score.split: split_json(score) for score in progress.splits},
            "spent": {
                "rollouts": run.spent.rollouts,
                "calls": run.spent.calls,
                "tokens": run.spent.tokens,
                "cost_usd": run.spent.cost_usd,
                "assumed_tokens": run.spent.assumed_tokens,
                "assumed_cost_usd": run.spent.assumed_cost_usd,
            },
            "process": self._process_json(run),
            **self._more,
        }

    def _process_json(self, run: Run) -> Json:
        held = run.status is RunStatus.PAUSED and run.stop_reason is StopReason.OPERATOR
        if run.status is not RunStatus.RUNNING and not held:
            return None
        return {
            "host": self._process.host,
            "pid": self._process.pid,
            "boot_id": self._process.boot_id,
            "started_ticks": self._process.started_ticks,
        }


def _run_state(progress: Progress) -> str:
    """A run is paused when nothing of it is in flight any more."""
    status = progress.run.status
    if status is RunStatus.PAUSED and progress.counts.in_flight:
        status = RunStatus.RUNNING
    return str(status)


def split_json(score: SplitScore) -> dict[str, Json]:
    """A split's score as it stands in `status.json` and in JSON results."""
    return {
        "rows": score.rows,
        "scored": score.scored,
        "unscored": score.unscored,
        "failed": score.failed,
        "cancelled": score.cancelled,
        "mean": score.mean,
        "low": score.low,
        "high": score.high,
    }

"""What a run shows while it goes on: lines for logs, or JSON lines for programs."""

import json
from collections import deque
from collections.abc import Mapping
from typing import Any, Self, TextIO

from tau.cli import figures
from tau.cli.text import line
from tau.domain.ids import short_run
from tau.domain.run import Run
from tau.readings.scores import SplitScore
from tau.trainer.progress import Progress, SearchProgress

_PLAIN_EVERY_S = 5.0
_PACE_OVER_S = 20.0


class Throughput:
    """Rollouts per second over the last while, and what that means for the rest."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def watch(self, progress: Progress) -> None:
        """Take one look."""
        self._seen.append((progress.elapsed_s, progress.counts.settled))
        while len(self._seen) > 2 and self._seen[0][0] < progress.elapsed_s - _PACE_OVER_S:
            self._seen.popleft()

    @property
    def per_s(self) -> float | None:
        """None while it is not known."""
        if len(self._seen) < 2:
            return None
        (t0, n0), (t1, n1) = self._seen[0], self._seen[-1]
        return (n1 - n0) / (t1 - t0) if t1 > t0 and n1 > n0 else None

    def left_s(self, progress: Progress) -> float | None:
        """Seconds until everything that will be submitted is settled, None while not known."""
        total = expected(progress)
        rest = 0 if total is None else total - progress.counts.settled
        return rest / self.per_s if self.per_s and rest else None


def expected(progress: Progress) -> int | None:
    """How many rollouts there will be: a search submits wave by wave, up to its budget."""
    if progress.search is None or progress.search.phase == "finished":
        return progress.counts.total
    return progress.run.budget.rollouts


class Display:
    """Base of displays; it implements the session's observer. Use it as a context."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.pace = Throughput()
        self.latest: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.close(failed=kind is not None)

    def started(self, run: Run, *, resumed: bool, total: int | None) -> None:
        """The run has been found or made."""
        rollouts = "" if total is None else f", {figures.count(total, 'rollout')}"
        verb = "going on with" if resumed else "started"
        self.say(f"{verb} {short_run(run.id)}: {run.model_ref}, {run.algorithm}{rollouts}")

    def progress(self, progress: Progress) -> None:
        """One look at the live run."""
        self.latest = progress
        self.pace.watch(progress)
        self.show(progress)

    def notice(self, text: str) -> None:
        """One line for people."""
        self.say(text)

    def say(self, text: str) -> None:
        """Write a line that stays."""
        self.stream.write(f"{line(text)}\n")
        self.stream.flush()

    def show(self, progress: Progress) -> None:
        """Bring what is shown up to date."""

    def close(self, *, failed: bool) -> None:
        """Leave the terminal as it was; `failed` where no report will follow."""


class PlainDisplay(Display):
    """A line every few seconds where something changed, for logs and pipes."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._said_s = 0.0
        self._last = ""

    def show(self, progress: Progress) -> None:
        """Write at most every few seconds, and never the same twice."""
        if progress.elapsed_s - self._said_s < _PLAIN_EVERY_S:
            return
        self._said_s = progress.elapsed_s
        text = " · ".join(summary(progress, self.pace))
        if text != self._last:
            self._last = text
            self.say(f"{figures.duration(progress.elapsed_s)}: {text}")


class EventsDisplay(Display):
    """JSON lines."""

    def started(self, run: Run, *, resumed: bool, total: int | None) -> None:
        """As an event."""
        self.emit(
            "started",
            {"run_id": run.id, "model_ref": run.model_ref, "algorithm": run.algorithm,
             "resumed": resumed, "total_rollouts": total},
        )  # fmt: skip

    def say(self, text: str) -> None:
        """As an event."""
        self.emit("notice", {"text": text})

    def show(self, progress: Progress) -> None:
        """Every look is an event."""
        self.emit("progress", progress_fields(progress))

    def emit(self, event: str, fields: Mapping[str, Any]) -> None:
        """Write one line."""
        self.stream.write(json.dumps({"event": event, **fields}) + "\n")
        self.stream.flush()


def summary(progress: Progress, pace: Throughput) -> list[str]:
    """The state of a run in a few short parts."""
    counts = progress.counts
    parts = [f"{counts.settled:,}/{expected(progress) or counts.total:,} done"]
    if counts.in_flight:
        parts.append(f"{counts.in_flight:,} in flight")
    if progress.failures:
        parts.append(f"failed: {figures.failures(progress.failures)}")
    parts += [
        f"{split.split} {figures.interval(split)}"
        for split in progress.splits
        if split.mean is not None
    ]
    parts += searching(progress)
    parts += figures.spending(progress.run.spent, progress.run.budget)
    parts += speed(progress, pace)
    if progress.waiting_for:
        parts.append(f"waiting for {progress.waiting_for}")
    return parts


def searching(progress: Progress) -> list[str]:
    """What a search is at, how much it has tried, and what is ahead."""
    search = progress.search
    if search is None:
        return []
    ahead = [
        f"best {split.split} {figures.interval(split)}"
        for split in search.leader
        if split.mean is not None
    ]
    return [f"{search.phase}: {figures.count(search.candidates, 'candidate')}", *ahead]


def speed(progress: Progress, pace: Throughput) -> list[str]:
    """How fast it goes and how long it will take, as far as that is known."""
    parts = [] if pace.per_s is None else [f"{pace.per_s:.3g}/s"]
    left_s = pace.left_s(progress)
    return parts if left_s is None else [*parts, f"about {figures.duration(left_s)} left"]


def progress_fields(progress: Progress) -> dict[str, Any]:
    """A look as JSON."""
    spent = progress.run.spent
    return {
        "run_id": progress.run.id,
        "elapsed_s": round(progress.elapsed_s, 3),
        "counts": {str(status): number for status, number in progress.counts.by_status.items()},
        "total_rollouts": progress.counts.total,
        "settled": progress.counts.settled,
        "in_flight": progress.counts.in_flight,
        "splits": [split_fields(split) for split in progress.splits],
        "failures": dict(progress.failures),
        "calls": spent.calls,
        "tokens": spent.tokens,
        "cost_usd": spent.cost_usd,
        "limit_now": progress.limit_now,
        "waiting_for": progress.waiting_for,
        "search": search_fields(progress.search) if progress.search else None,
    }


def search_fields(search: SearchProgress) -> dict[str, Any]:
    """How far a search is, as JSON."""
    return {
        "phase": search.phase,
        "candidates": search.candidates,
        "leader": [split_fields(split) for split in search.leader],
    }


def split_fields(split: SplitScore) -> dict[str, Any]:
    """A split's scores as JSON."""
    names = ("split", "rows", "scored", "unscored", "failed", "cancelled", "mean", "low", "high")
    return {name: getattr(split, name) for name in names}

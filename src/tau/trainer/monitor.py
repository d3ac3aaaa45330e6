"""Looks at a live run about once a second and shows what it sees."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from tau.domain.ids import RunId, WorkerId
from tau.domain.json import Json
from tau.domain.run import RunStatus, StopReason
from tau.errors import FileError, StoreError
from tau.ports.clock import Clock
from tau.ports.insights import ScoreSummary
from tau.ports.store import Store
from tau.readings.scores import summarized
from tau.reports.account import baseline_of
from tau.trainer.progress import Progress, SearchProgress
from tau.trainer.status import StatusFile

_PERIOD_S = 1.0
_ACTIVE_EVERY_S = 5.0
_SCORES_SHARE = 0.05
"""At most this share of the time goes into reading scores, however many there are."""


class Monitor:
    """Reads one run's state from the store; writes `status.json` and tells the observer.

    It also books the running time, so that a crash loses at most five seconds of it.
    """

    def __init__(
        self,
        *,
        store: Store,
        run: RunId,
        trainer: WorkerId,
        clock: Clock,
        status: StatusFile,
        observe: Callable[[Progress], None],
        notice: Callable[[str], None],
        waiting_for: Callable[[], str | None] = lambda: None,
        limit_now: Callable[[], int | None] = lambda: None,
        evidence: Callable[[], Mapping[str, Json]] = dict,
        resumed: bool = False,
    ) -> None:
        self._store = store
        self._run = run
        self._trainer = trainer
        self._clock = clock
        self._status = status
        self._observe = observe
        self._notice = notice
        self._waiting_for = waiting_for
        self._limit_now = limit_now
        self._evidence = evidence
        self._resumed = resumed
        self._started_ms = self._booked_ms = clock.monotonic_ms()
        self._scores_due_ms = 0
        self._scores: Sequence[ScoreSummary] = ()
        self._file_trouble = ""
        self._latest: Progress | None = None
        self._due = asyncio.Event()

    async def watch(self) -> None:
        """Look until cancelled."""
        while True:
            self._due.clear()
            progress = await self.look()
            if progress.run.status is RunStatus.PAUSED:
                self._booked_ms = self._clock.monotonic_ms()  # it does not count as running
            elif self._unbooked_s() >= _ACTIVE_EVERY_S:
                await self.book()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._due.wait(), _PERIOD_S)

    def wake(self) -> None:
        """Look at once: something that people wait for has happened."""
        self._due.set()

    async def look(self, *, final: bool = False) -> Progress:
        """Take one look; the final one reads the scores whatever that takes."""
        now_ms = self._clock.monotonic_ms()
        if final or now_ms >= self._scores_due_ms:
            self._scores = await self._store.insights.scores(self._run)
            took_ms = self._clock.monotonic_ms() - now_ms
            self._scores_due_ms = now_ms + round(took_ms / _SCORES_SHARE)
        run = await self._store.runs.get(self._run)
        baseline = baseline_of(run).hash
        progress = Progress(
            run=run,
            counts=await self._store.queue.counts(self._run),
            elapsed_s=(self._clock.monotonic_ms() - self._started_ms) / 1000,
            splits=summarized([one for one in self._scores if one.resources == baseline]),
            search=search_progress(self._scores, baseline, self._evidence()),
            failures=await self._store.insights.failures(self._run),
            resumed=self._resumed,
            waiting_for=self._waiting_for(),
            limit_now=self._limit_now(),
        )
        self._latest = progress
        await self._project(progress)
        self._observe(progress)
        return progress

    async def tell_failed(self, reason: StopReason, detail: str) -> None:
        """Say in the file, with the last look, that the run failed: the store cannot be asked."""
        last = self._latest
        if last is not None:
            run = replace(last.run, status=RunStatus.FAILED, stop_reason=reason, stop_detail=detail)
            await self._project(replace(last, run=run))

    def _unbooked_s(self) -> float:
        return (self._clock.monotonic_ms() - self._booked_ms) / 1000

    async def _project(self, progress: Progress) -> None:
        """Write the file; a full disk there must not hurt the run, but is said once."""
        try:
            await asyncio.to_thread(self._status.write, progress)
        except FileError as error:
            if str(error) != self._file_trouble:
                self._file_trouble = str(error)
                self._notice(f"warning: {error}")

    async def book(self) -> None:
        """Add the running time since the last booking to the run."""
        passed_s = self._unbooked_s()
        try:
            await self._store.runs.book_time(self._run, trainer=self._trainer, active_s=passed_s)
        except StoreError:
            return  # the trainer meets the same trouble and decides what it means
        self._booked_ms += round(passed_s * 1000)


def search_progress(
    summaries: Sequence[ScoreSummary], baseline: str, evidence: Mapping[str, Json]
) -> SearchProgress | None:
    """How far a search is; None where nothing but the baseline was measured and nothing will be."""
    others = {one.resources for one in summaries} - {baseline}
    phase = evidence.get("phase")
    if not others and phase is None:
        return None
    leader = evidence.get("leader")
    ahead = [one for one in summaries if one.resources == leader != baseline]
    return SearchProgress(
        phase=str(phase or "search"), candidates=len(others), leader=summarized(ahead)
    )

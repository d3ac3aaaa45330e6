"""Driving a run to its end from synchronous code, whatever event loop may be running there."""

import asyncio
import contextvars
import tempfile
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tau.api.arguments import check_store
from tau.config.run_settings import RunConfig
from tau.domain.ids import RunId
from tau.domain.run import Run, StopReason
from tau.errors import ExecutorFailed, boundary
from tau.reports.account import Account, gather
from tau.reports.rows import EvaluationRow, evaluation_rows
from tau.reports.tracebacks import first_traceback
from tau.trainer.progress import Progress
from tau.trainer.report import RunReport
from tau.trainer.stop import StopRequest
from tau.wiring.delivery import mark_delivered
from tau.wiring.session import SessionRequest, run_session
from tau.wiring.stores import open_store

_LOOK_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Driven:
    """A run that has ended; `rows` where they were asked for.

    `traceback` is that of the first rollout whose failure the caller's own code raised.
    """

    report: RunReport
    account: Account
    rows: tuple[EvaluationRow, ...]
    traceback: str | None


def driven(
    config: RunConfig,
    *,
    store: str | Path | None,
    progress: Callable[[Progress], None] | None,
    rows: bool = False,
) -> Driven:
    """Run on a thread with an event loop of its own; an interrupt ends it cleanly, then passes on.

    Raises:
        TauError: as `run_session`.
    """
    check_store(store)
    if store is None:
        with tempfile.TemporaryDirectory(prefix="tau-") as folder:
            return driven(config, store=f"{folder}/store.sqlite", progress=progress, rows=rows)
    job = _Job(config, str(store), _Watcher(progress), rows=rows)
    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(job.run,), name="tau-run")
    thread.start()
    try:
        while thread.is_alive():
            thread.join(_LOOK_S)
    except KeyboardInterrupt:
        job.interrupt()
        thread.join()
        raise
    return job.outcome()


class _Job:
    def __init__(self, config: RunConfig, store: str, watcher: "_Watcher", *, rows: bool) -> None:
        self._request = SessionRequest(config=config, store=store)
        self._watcher = watcher
        self._rows = rows
        self._driven: Driven | None = None
        self._error: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: StopRequest | None = None
        self._interrupted = threading.Event()

    def run(self) -> None:
        """On the thread: to the end, or to an error that is kept for the caller."""
        try:
            with asyncio.Runner() as runner:
                self._driven = runner.run(self._drive())
        except BaseException as error:  # noqa: BLE001  (raised again where it was called from)
            self._error = error

    def interrupt(self) -> None:
        """From another thread: stop starting, record what is in flight."""
        self._interrupted.set()
        if self._loop is not None and self._stop is not None and self._loop.is_running():
            self._loop.call_soon_threadsafe(self._stop.set, StopReason.SIGNAL, "interrupted")

    def outcome(self) -> Driven:
        """What came of it, raising what it raised."""
        if self._error is not None:
            raise self._error
        assert self._driven is not None
        return self._driven

    async def _drive(self) -> Driven:
        self._loop, self._stop = asyncio.get_running_loop(), StopRequest()
        if self._interrupted.is_set():
            self._stop.set(StopReason.SIGNAL, "interrupted")
        report = await run_session(self._request, observer=self._watcher, stop=self._stop)
        async with await open_store(self._request.store, read_only=True) as store:
            account = await gather(store, RunId(report.run_id))
            wanted = account.measurements if self._rows else ()
            rows = await evaluation_rows(store, account.run.id, wanted)
            traceback = await first_traceback(store, account.run.id, account.measurements)
        await mark_delivered(self._request.store, report)
        return Driven(report=report, account=account, rows=tuple(rows), traceback=traceback)


class _Watcher:
    """Hands looks at the run to the caller's function, until that fails: the run goes on."""

    def __init__(self, progress: Callable[[Progress], None] | None) -> None:
        self._progress = progress

    def started(self, run: Run, *, resumed: bool, total: int | None) -> None:
        """Nothing is shown."""

    def progress(self, progress: Progress) -> None:
        """Pass it on."""
        if self._progress is None:
            return
        try:
            with boundary(ExecutorFailed, "the progress function"):
                self._progress(progress)
        except ExecutorFailed as error:
            self._progress = None
            warnings.warn(f"{error}; it is not called again", RuntimeWarning, stacklevel=2)

    def notice(self, text: str) -> None:
        """Nothing is shown."""

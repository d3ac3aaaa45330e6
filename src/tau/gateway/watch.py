"""One reader for everybody: a snapshot of the store and the state dir, shared while it is fresh."""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tau.domain.actions import ControlState, DesiredState
from tau.domain.condition import driven
from tau.domain.ids import RunId
from tau.domain.rollout import RolloutCounts
from tau.domain.run import Run, RunStatus
from tau.domain.worker import WorkerRecord
from tau.errors import ControlError, FileError, NotFound, StoreError
from tau.files.documents import read_bytes
from tau.gateway.board import RunScores
from tau.gateway.training import StatusContent, TrainingFile
from tau.gateway.window import StoreWindow
from tau.lifecycle.commands import run_is_alive
from tau.lifecycle.paths import StateDir
from tau.lifecycle.projection import later
from tau.lifecycle.state import load_state
from tau.ports.clock import Clock

FRESH_MS = 250
_MOST_BOARDS = 4
_RUNS = 50
_BREATH_S = 0.01
_NO_COUNTS = RolloutCounts(by_status={})


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlFiles:
    """What stands in the control files. `trouble` says what cannot be read of them."""

    state: ControlState | None = None
    alive: bool = False
    audit_lines: int = 0
    trouble: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The current run (whose own trainer lives, else the newest) and all around it, at one time.

    `trouble` is why the store could not be read; then the store's part is empty. `board` lives on:
    it is only to be looked at before the next await.
    """

    taken_unix_ms: int
    trouble: StoreError | None = None
    run: Run | None = None
    counts: RolloutCounts = _NO_COUNTS
    workers: tuple[WorkerRecord, ...] = ()
    failures: Mapping[str, int] = field(default_factory=dict)
    board: RunScores | None = None
    training: StatusContent
    control: ControlFiles


def _of_run(
    files: ControlFiles, run: Run, record: DesiredState | None, *, alive: bool
) -> ControlFiles:
    """What is known of the control of `run`, which may be driven on another machine."""
    known = files.state.run_id if files.state else None
    here = known == run.id or files.alive
    return replace(files, state=later(files.state, record), alive=files.alive if here else alive)


class SnapshotWatch:
    """Takes snapshots, at most one at a time."""

    def __init__(self, window: StoreWindow, folder: StateDir, clock: Clock) -> None:
        self._window = window
        self._folder = folder
        self._clock = clock
        self._training = TrainingFile(folder.status)
        self._boards: OrderedDict[RunId, RunScores] = OrderedDict()
        self._taking = asyncio.Lock()
        self._last: tuple[int, Snapshot] | None = None
        self._reading: dict[RunId, asyncio.Task[None]] = {}
        self._audit: tuple[tuple[int, int] | None, int] = (None, 0)

    async def snapshot(self, *, fresh_ms: int = FRESH_MS) -> Snapshot:
        """One not older than `fresh_ms`; never fails."""
        async with self._taking:
            now = self._clock.monotonic_ms()
            if self._last is None or now - self._last[0] >= fresh_ms:
                self._last = (now, await self._take())
            return self._last[1]

    async def board(self, run_id: RunId) -> RunScores:
        """The board of any run, as far as it can be read within a moment.

        Raises:
            NotFound: there is no such run.
            StoreError: the store cannot be read.
        """
        counts = await self._window.ask(lambda store: store.insights.counts(run_id))
        async with self._taking:
            return await self._followed(run_id, counts)

    async def _take(self) -> Snapshot:
        training = await self._training.read()
        control = await asyncio.to_thread(self._control)
        now = self._clock.unix_ms()
        try:
            workers = tuple(await self._window.ask(lambda store: store.insights.workers()))
            run = await self._current(control, workers, now)
            if run is None:
                return Snapshot(taken_unix_ms=now, training=training, control=control)
            counts = await self._window.ask(lambda store: store.insights.counts(run.id))
            record = await self._window.ask(lambda store: store.desired_states.find(run.id))
            control = _of_run(control, run, record, alive=driven(run, workers, now))
            return Snapshot(
                taken_unix_ms=now,
                run=run,
                counts=counts,
                workers=workers,
                failures=await self._window.ask(lambda store: store.insights.failures(run.id)),
                board=await self._followed(run.id, counts),
                training=training,
                control=control,
            )
        except StoreError as error:
            return Snapshot(taken_unix_ms=now, trouble=error, training=training, control=control)

    async def _current(
        self, control: ControlFiles, workers: Sequence[WorkerRecord], now_unix_ms: int
    ) -> Run | None:
        """The run that is driven from here, else the newest whose trainer lives, else the newest.

        A run whose process was killed says that it is running for good; nobody could steer it.
        """
        here = control.state.run_id if control.state and control.alive else None
        if here is not None:
            with contextlib.suppress(NotFound):
                return await self._window.ask(lambda store: store.runs.get(RunId(here)))
        newest = await self._window.ask(lambda store: store.insights.runs(limit=_RUNS))
        running = [run for run in newest if run.status is RunStatus.RUNNING]
        alive = [run for run in running if driven(run, workers, now_unix_ms)]
        return next(iter((*alive, *newest)), None)

    async def _followed(self, run_id: RunId, counts: RolloutCounts) -> RunScores:
        board = self._boards.get(run_id) or RunScores(run_id)
        self._boards[run_id] = board
        self._boards.move_to_end(run_id)
        while len(self._boards) > _MOST_BOARDS:
            self._boards.popitem(last=False)
        try:
            await board.follow(self._window, counts)
        except NotFound:
            del self._boards[run_id]  # another store has taken this one's place
            raise
        if not board.complete and run_id not in self._reading:
            task = asyncio.create_task(self._read_on(board), name="gateway-board")
            self._reading[run_id] = task
            task.add_done_callback(lambda _: self._reading.pop(run_id, None))
        return board

    async def _read_on(self, board: RunScores) -> None:
        """Read a long run page by page, so that no request waits for all of it."""
        while not board.complete and self._boards.get(board.run_id) is board:
            await asyncio.sleep(_BREATH_S)
            try:
                counts = await self._window.ask(lambda store: store.insights.counts(board.run_id))
                async with self._taking:
                    await board.follow(self._window, counts)
            except StoreError:
                return  # the next request begins again

    async def aclose(self) -> None:
        """Stop reading."""
        for task in list(self._reading.values()):
            task.cancel()
        await asyncio.gather(*self._reading.values(), return_exceptions=True)

    def _control(self) -> ControlFiles:
        state = trouble = None
        try:
            state = load_state(self._folder.control_state)
        except ControlError as error:
            trouble = str(error)
        return ControlFiles(
            state=state,
            alive=run_is_alive(self._folder),
            audit_lines=self._count_audit(),
            trouble=trouble,
        )

    def _count_audit(self) -> int:
        """Lines of the audit, counted again only where it has grown."""
        path = self._folder.audit
        try:
            found = path.stat()
            stamp = (found.st_mtime_ns, found.st_size)
            if stamp != self._audit[0]:
                lines = (read_bytes(path) or b"").split(b"\n")
                self._audit = (stamp, sum(1 for line in lines if line.strip()))
        except (OSError, FileError):
            return 0
        return self._audit[1]

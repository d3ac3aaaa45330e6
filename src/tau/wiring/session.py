"""One start of a run, from a validated configuration to its report."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from tau.config.paths import state_dir
from tau.config.run_settings import RunConfig
from tau.domain.actions import LifecycleState
from tau.domain.ids import WorkerId
from tau.domain.json import Json
from tau.domain.run import CAME_TO_NOTHING, Run, RunStatus, StopReason
from tau.domain.worker import WorkerRole
from tau.errors import LeaseLost, RunStopped, StoreError, TauError, TrainerTimeout
from tau.lifecycle.authorization import PolicyFile, local_principal
from tau.lifecycle.live import RunControl
from tau.ports.algorithm import Algorithm
from tau.ports.clock import SystemClock
from tau.ports.processes import SystemProcesses
from tau.ports.store import Store
from tau.runner.health import RunnerState
from tau.stores.location import shown
from tau.trainer.loop import Trainer, TrainerSettings, TrainingResult
from tau.trainer.monitor import Monitor
from tau.trainer.operator_control import Lost
from tau.trainer.patience import TimeLimits
from tau.trainer.report import RunReport
from tau.trainer.status import StatusFile
from tau.trainer.stop import StopRequest
from tau.wiring.access import USUAL_POLICY, check_start
from tau.wiring.delivery import report_again
from tau.wiring.desired import Steering
from tau.wiring.history import RunHistory, past_of
from tau.wiring.naming import whole_name
from tau.wiring.observing import Observer
from tau.wiring.outcome import give_verdict, judged, report_of
from tau.wiring.parts import ExecutionParts, build_algorithm, build_parts, plan_of
from tau.wiring.planning import foretold
from tau.wiring.reserve import Reservation
from tau.wiring.reuse import Reusable, reusable
from tau.wiring.runs import check_goes_on, choose_run
from tau.wiring.status import status_file
from tau.wiring.stores import check_kept, open_store
from tau.wiring.workers import runner_settings, supervisor

_CLOCK = SystemClock()
_PROCESSES = SystemProcesses()

_ENDINGS = {
    StopReason.FINISHED: RunStatus.COMPLETED,
    StopReason.BUDGET: RunStatus.FAILED,
    StopReason.TIME_LIMIT: RunStatus.FAILED,
    StopReason.ERROR: RunStatus.FAILED,
    **dict.fromkeys(CAME_TO_NOTHING, RunStatus.FAILED),
}
"""What a run becomes; a signal pauses it, and what an operator wanted has been carried out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRequest:
    """What to run and where.

    `store` is as the user gave it. `state_dir` gets `status.json` too, besides the store's folder.
    `run_id` names the run to continue; without it, the newest unfinished one of the same
    configuration is continued, or a new one begun; a `new` one is begun whatever there is. `origin`
    says how to start it again, for whoever resumes it; it holds no key. `principal` (None: the
    local one) asks to start it, and `policy` and the store's own have to allow that.
    """

    config: RunConfig
    store: str
    state_dir: Path | None = None
    run_id: str | None = None
    new: bool = False
    origin: Mapping[str, Json] = field(default_factory=dict)
    principal: str | None = None
    policy: PolicyFile = USUAL_POLICY

    def status_file(self) -> StatusFile:
        """Where the run's status is shown."""
        return status_file(self.store, self.state_dir, self.origin)


async def run_session(
    request: SessionRequest, *, observer: Observer, stop: StopRequest
) -> RunReport:
    """Drive a run until it is finished or stopped, and report.

    A stop by a signal, an operator or the budget is a report like any other, with
    `resumable` set.

    Raises:
        InputError: the request cannot be carried out; nothing was changed.
        AccessDenied, PolicyInvalid: it is not allowed to start runs here; that is audited.
        StoreError: the store cannot be used.
        RunError: the run failed; it stands as failed in the store and can be started again.
    """
    config = request.config
    check_kept(request.store)
    who = request.principal or local_principal(config.environ)
    folder = state_dir(request.store, request.state_dir)
    await check_start(request.store, folder, request.policy, who)
    async with AsyncExitStack() as closing:
        parts = build_parts(config, closing)
        algorithm = build_algorithm(config, parts)
        control = RunControl(folder, principal=who, clock=_CLOCK)
        await control.take(_PROCESSES.this())
        closing.callback(control.release)
        store = await closing.enter_async_context(await open_store(request.store))
        if request.run_id is not None:
            request = replace(request, run_id=await whole_name(store, request.run_id))
        if not request.new:
            report = await report_again(
                store, config, request.run_id, parts=parts, status=request.status_file(),
                store_path=shown(request.store), observer=observer,
            )  # fmt: skip
            if report is not None:
                return report
        while True:
            session = await _Session.begin(
                request, store, parts, algorithm, control, observer, stop
            )
            try:
                return await session.drive()
            except LeaseLost as error:
                # Where nobody else has taken it, the run is this one's again; else RunActive.
                await check_goes_on(store, session.run_id)
                observer.notice(f"{error}: taking it up again")
                request = replace(request, run_id=session.run_id, new=False)
                algorithm = build_algorithm(config, parts)


class _Session:
    """One adopted run with everything that works on it."""

    def __init__(
        self,
        request: SessionRequest,
        *,
        run: Run,
        resumed: bool,
        store: Store,
        parts: ExecutionParts,
        trainer: WorkerId,
        algorithm: Algorithm,
        past: RunHistory,
        known: Reusable,
        control: RunControl,
        lost: Lost | None,
        observer: Observer,
        stop: StopRequest,
    ) -> None:
        self._request = request
        self._config = request.config
        self._run = run
        self._store = store
        self._parts = parts
        self._worker = trainer
        self._algorithm = algorithm
        self._past = past
        self._known = known
        self._control = control
        self._steering = Steering(store, request.store, control.folder, control.register, run.id)
        self._lost_checkpoint = lost
        self._observer = observer
        self._stop = stop
        self._trouble: str | None = None
        self._lost = ""
        self._losing = asyncio.Event()
        self._resumed = resumed
        self._supervisor = supervisor(self._config, store, parts, run)
        self._supervisor.accompany(trainer, self._lease_lost)
        self._monitor = self._watching()

    @classmethod
    async def begin(
        cls,
        request: SessionRequest,
        store: Store,
        parts: ExecutionParts,
        algorithm: Algorithm,
        control: RunControl,
        observer: Observer,
        stop: StopRequest,
    ) -> Self:
        """Register as a trainer, adopt the run to drive and write that it runs."""
        config = request.config
        chosen = await choose_run(
            store, config, _CLOCK, control, run_id=request.run_id, new=request.new
        )
        if chosen.unknown:
            observer.notice(
                f"'{shown(request.store)}' does not know {chosen.run.id}: it goes on from its "
                "checkpoint file, and stays unfinished in the store it was on; --new begins anew"
            )
        trainer = await store.work.register(
            name="trainer",
            role=WorkerRole.TRAINER,
            process=_PROCESSES.this(),
            lease_ms=runner_settings(config).lease_ms,
        )
        run = await store.runs.adopt(
            chosen.run.id, trainer.id, budget=config.budget, max_attempts=config.max_attempts
        )
        await control.begin(run, chosen.record)
        past, known = await past_of(store, config, run), await reusable(store, config, run)
        session = cls(
            request,
            run=run,
            resumed=chosen.resumed,
            store=store,
            parts=parts,
            trainer=trainer.id,
            algorithm=algorithm if past == RunHistory() else build_algorithm(config, parts, past),
            past=past,
            known=known,
            control=control,
            lost=chosen.lost,
            observer=observer,
            stop=stop,
        )
        await session._steering.agree()
        for text in (*foretold(config, parts, past, resumed=chosen.resumed), known.note):
            if text:
                observer.notice(text)
        return session

    @property
    def run_id(self) -> str:
        """The run it drives."""
        return self._run.id

    async def drive(self) -> RunReport:
        """Run it to its end; however that comes, the store and `status.json` say so."""
        total = len(self._algorithm.ask())
        self._observer.started(self._run, resumed=self._resumed, total=total or None)
        try:
            async with self._supervisor:
                watching = {
                    asyncio.create_task(self._monitor.watch(), name="monitor"),
                    asyncio.create_task(self._control.watch(), name="control"),
                    asyncio.create_task(self._steering.watch(), name="steering"),
                }
                try:
                    fit = await judged(self._store, self._run, await self._fit())
                    await give_verdict(self._store, self._run, fit.recommendation, self._worker)
                    await self._close(_ENDINGS[fit.stop_reason], fit.stop_reason, fit.detail)
                except RunStopped:
                    fit = await self._stopped()
                finally:
                    for task in watching:
                        task.cancel()
                    await asyncio.wait(watching)
        except LeaseLost as error:
            raise LeaseLost("this process no longer drives the run", why=str(error)) from error
        except TrainerTimeout as error:
            named = self._config.completion_timeout_s is not None
            reason = StopReason.TIME_LIMIT if named else StopReason.NO_PROGRESS
            await self._fail(reason, error)
            raise
        except TauError as error:
            await self._fail(StopReason.ERROR, error)
            raise
        self._parts.tell_unseen(self._observer.notice)
        progress = await self._monitor.look(final=True)
        await self._store.work.retire([self._worker])
        await self._steering.agree()
        return await report_of(
            self._store,
            fit.recommendation,
            progress,
            store_path=shown(self._request.store),
            resumed=self._resumed,
            prices_known=self._parts.prices_known,
            plan=plan_of(self._config, self._parts, self._past),
        )

    def _watching(self) -> Monitor:
        return Monitor(
            store=self._store,
            run=self._run.id,
            trainer=self._worker,
            clock=_CLOCK,
            status=self._request.status_file(),
            observe=self._observer.progress,
            notice=self._observer.notice,
            waiting_for=self._waiting_for,
            limit_now=self._limit_now,
            evidence=lambda: self._algorithm.best().evidence,
            resumed=self._resumed,
        )

    def _trainer(self) -> Trainer:
        config = self._config
        attempt_s = runner_settings(config).time_limit_s
        limits = TimeLimits(run_s=config.completion_timeout_s, attempt_s=attempt_s)
        return Trainer(
            store=self._store,
            clock=_CLOCK,
            worker=self._worker,
            settings=TrainerSettings(
                poll_interval_s=config.completion_poll_interval_ms / 1000, limits=limits
            ),
            estimate=Reservation(config, self._parts),
            stop=self._stop,
            control=self._control,
            lost=self._lost_checkpoint,
            on_trouble=self._note_trouble,
            known=self._known,
        )

    async def _fit(self) -> TrainingResult:
        """What the trainer makes of the run, as long as it is this one's to drive."""
        fitting = asyncio.ensure_future(self._trainer().fit(self._run, self._algorithm))
        losing = asyncio.ensure_future(self._losing.wait())
        try:
            await asyncio.wait((fitting, losing), return_when=asyncio.FIRST_COMPLETED)
            if fitting.done():
                return fitting.result()
        finally:
            for task in (fitting, losing):
                task.cancel()
            await asyncio.wait((fitting, losing))
        await self._supervisor.stop()  # its workers have missed as many beats
        raise LeaseLost(self._lost)

    async def _stopped(self) -> TrainingResult:
        """Let what is in flight finish, unless asked not to wait, and leave the rest queued."""
        reason = self._stop.reason or StopReason.ERROR
        draining = asyncio.ensure_future(self._supervisor.drain())
        hurrying = asyncio.ensure_future(self._stop.wait_now())
        await asyncio.wait((draining, hurrying), return_when=asyncio.FIRST_COMPLETED)
        await self._supervisor.stop()
        for task in (draining, hurrying):
            task.cancel()
        await asyncio.wait((draining, hurrying))
        await give_verdict(self._store, self._run, self._algorithm.best(), self._worker)
        if reason is StopReason.SIGNAL:
            await self._signalled()
        elif reason is not StopReason.OPERATOR:
            await self._close(_ENDINGS[reason], reason, self._stop.detail or None)
        return TrainingResult(recommendation=self._algorithm.best(), stop_reason=reason)

    async def _signalled(self) -> None:
        """A signal pauses the run, unless an operator has done so, or wants it cancelled."""
        current = await self._store.runs.get(self._run.id)
        wanted = self._control.wanted
        if wanted is LifecycleState.CANCELLED or current.status is RunStatus.CANCELLED:
            await self._store.queue.cancel(self._run.id)
            await self._close(RunStatus.CANCELLED, StopReason.OPERATOR, self._stop.detail or None)
            return
        if wanted is LifecycleState.PAUSED:
            await self._close(RunStatus.PAUSED, StopReason.OPERATOR, self._stop.detail or None)
            return
        await self._close(RunStatus.PAUSED, StopReason.SIGNAL, self._stop.detail or None)
        await self._control.signalled()

    async def _close(self, status: RunStatus, reason: StopReason, detail: str | None) -> None:
        await self._monitor.book()
        await self._store.runs.set_status(
            self._run.id, status, trainer=self._worker, reason=reason, detail=detail
        )

    async def _fail(self, reason: StopReason, error: TauError) -> None:
        """Say in the store and the file that the run failed, as far as they can be written."""
        try:
            await self._close(RunStatus.FAILED, reason, str(error))
            await self._monitor.look(final=True)
            await self._store.work.retire([self._worker])
        except StoreError:
            await self._monitor.tell_failed(reason, str(error))

    def _waiting_for(self) -> str | None:
        """What keeps the run from going on at full speed; halts it where nothing else would."""
        health = self._supervisor.health()
        if health.state is RunnerState.HALTED:
            self._stop.set(StopReason.ERROR, health.reason or "")
        control = self._control
        return self._trouble or control.trouble or control.file_trouble or health.reason

    def _limit_now(self) -> int | None:
        paces = self._supervisor.paces().values()
        return min((pace.limit for pace in paces), default=None)

    def _note_trouble(self, trouble: str | None) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            self._monitor.wake()

    def _lease_lost(self, reason: str) -> None:
        self._lost = reason
        self._losing.set()

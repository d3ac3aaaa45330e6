"""The workers of one process: started, watched, drained, stopped."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Self

from tau.domain.ids import RunId, WorkerId
from tau.errors import LeaseLost
from tau.ports.clock import Clock, SystemClock
from tau.ports.grader import Grader
from tau.ports.processes import Processes, SystemProcesses
from tau.ports.store import Store
from tau.runner.attempt import AttemptDeps
from tau.runner.circuit import Circuit
from tau.runner.claim_gate import ClaimGate
from tau.runner.deadline import Deadline
from tau.runner.execution import Performers
from tau.runner.grading import Detector, Grading
from tau.runner.health import RunnerHealth, RunnerState, Tally
from tau.runner.heartbeat import Heartbeat
from tau.runner.outcomes import Outcomes
from tau.runner.pacing import Pace, Pacing, PacingSettings
from tau.runner.resources import ResourcesCache
from tau.runner.retry import RetryPolicy
from tau.runner.worker import Worker, WorkerDeps
from tau.runner.worker_settings import RunnerSettings
from tau.scoring.safety import SafetyPolicy

_FIRST_RESTART_S = 0.1
_MAX_RESTART_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkSpec:
    """What the workers are to do: how to perform, grade, guard, retry and pace rollouts.

    `default_grader` grades where there are no `graders` and an example's `expected` is a string.
    What is given here is built and closed by whoever makes it.
    """

    performers: Performers
    graders: Sequence[Grader] = ()
    default_grader: Grader | None = None
    safety: SafetyPolicy = field(default_factory=SafetyPolicy)
    detectors: Sequence[Detector] = ()
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    pacing: PacingSettings = field(default_factory=PacingSettings)


class Supervisor:
    """Runs `trainer-worker-1..N` on a store, for one run or for whatever is queued.

    `async with` starts them and stops them at the end; call `drain()` first to let them finish.
    Use it within one event loop.
    """

    def __init__(
        self,
        store: Store,
        job: WorkSpec,
        settings: RunnerSettings,
        *,
        run_id: RunId | None = None,
        clock: Clock | None = None,
        processes: Processes | None = None,
    ) -> None:
        """`run_id` None works on every running run of the store that `job` fits."""
        self._settings = settings
        self._tally = Tally()
        self._circuit = Circuit(settings.fail_fast_after if settings.fail_fast else None)
        self._deadline = Deadline(limit_s=settings.time_limit_s, grace_s=settings.stop_grace_s)
        self._pacing = Pacing(job.pacing, ceiling=settings.calls_at_once or settings.concurrency)
        self._outcomes = Outcomes(store.work, self._tally, self._circuit)
        self._work = store.work
        clock = clock or SystemClock()
        self._heartbeat = Heartbeat(
            work=store.work,
            clock=clock,
            interval_ms=settings.heartbeat_interval_ms,
            lease_ms=settings.lease_ms,
            on_lost=self._lost,
            on_doubt=self._abandoned,
        )
        self._place = WorkerDeps(
            work=store.work,
            run_id=run_id,
            settings=settings,
            deps=_deps(job, settings, self._deadline, clock),
            pacing=self._pacing,
            circuit=self._circuit,
            door=ClaimGate(),
            heartbeat=self._heartbeat,
            outcomes=self._outcomes,
            resources=ResourcesCache(store.work),
            processes=processes or SystemProcesses(),
            tally=self._tally,
        )
        self._workers: dict[int, Worker] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._companions: dict[WorkerId, Callable[[str], None]] = {}
        self._draining = asyncio.Event()
        self._stopped = False

    def accompany(self, worker: WorkerId, on_lost: Callable[[str], None]) -> None:
        """Beat for a registered loop of this process that claims nothing, such as a trainer.

        What it writes is fenced, so that it goes on until it is given up.
        """
        self._companions[worker] = on_lost
        self._heartbeat.add(worker)

    async def start(self) -> None:
        """Reap what dead processes of this host left, then start the workers."""
        await self._work.reap()
        self._heartbeat.start()
        self._keepers = [
            asyncio.create_task(self._keep(number), name=f"trainer-worker-{number}")
            for number in range(1, self._settings.worker_count + 1)
        ]

    async def drain(self) -> None:
        """Claim no more; return when everything in flight is recorded.

        With a store in trouble that can take as long as the trouble; `stop()` ends the waiting.
        """
        self._draining.set()
        for worker in self._workers.values():
            worker.drain()
        if self._keepers:
            await asyncio.wait(self._keepers)

    async def stop(self) -> None:
        """Cancel what is executing and give it back to the queue; calling again does nothing.

        Finished outcomes are written, or tried once more where the store is in trouble.
        """
        self._draining.set()
        self._outcomes.hurry()
        for keeper in self._keepers:
            keeper.cancel()
        if self._keepers:
            await asyncio.wait(self._keepers)
        await self._heartbeat.aclose()
        self._stopped = True

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Stop."""
        await self.stop()

    @property
    def in_flight(self) -> int:
        """How many rollouts are held here, those being written included."""
        return sum(worker.in_flight for worker in self._workers.values())

    @property
    def workers(self) -> tuple[WorkerId, ...]:
        """The present identities of the workers, in order."""
        known = (self._workers[number].id for number in sorted(self._workers))
        return tuple(worker for worker in known if worker is not None)

    def health(self) -> RunnerHealth:
        """How it is going, at this moment."""
        tally = self._tally
        state, reason = self._state()
        return RunnerHealth(
            state=state,
            reason=reason,
            in_flight=self.in_flight,
            unwritten=len(tally.unwritten),
            completed=tally.completed,
            failed=tally.failed,
            lost=tally.lost,
            left_behind=self._deadline.left_behind,
            claim_failures=tally.claim_failures,
            restarts=tally.restarts,
        )

    def paces(self) -> dict[str, Pace]:
        """How fast each model may be called at this moment."""
        return self._pacing.paces()

    def _state(self) -> tuple[RunnerState, str | None]:
        tally = self._tally
        trouble = tally.store_error or self._heartbeat.error
        if self._stopped or (self._keepers and all(keeper.done() for keeper in self._keepers)):
            return RunnerState.STOPPED, trouble
        if tally.unwritten or trouble:
            return RunnerState.WAITING_FOR_STORE, trouble
        if self._circuit.reason is not None:
            return RunnerState.HALTED, self._circuit.reason
        if self._draining.is_set():
            return RunnerState.DRAINING, None
        return RunnerState.WORKING, tally.worker_error

    async def _keep(self, number: int) -> None:
        """Keep one worker going until drained, with a new identity each time."""
        failures = 0
        while not self._draining.is_set():
            worker = self._workers[number] = Worker(f"trainer-worker-{number}", self._place)
            completed = self._tally.completed
            try:
                await worker.run()
            except LeaseLost as error:
                self._tally.restarted(str(error))
            except Exception as error:  # noqa: BLE001  (a crashed worker is started again)
                self._tally.restarted(f"{type(error).__name__}: {error}")
            else:
                return
            failures = 0 if self._tally.completed > completed else failures + 1
            await self._rest(min(_FIRST_RESTART_S * 2.0 ** min(failures, 10), _MAX_RESTART_S))

    async def _rest(self, delay_s: float) -> None:
        try:
            async with asyncio.timeout(delay_s):
                await self._draining.wait()
        except TimeoutError:
            return

    def _lost(self, worker: WorkerId, reason: str) -> None:
        if worker in self._companions:
            self._companions[worker](reason)
        self._abandoned(worker, reason)

    def _abandoned(self, worker: WorkerId, reason: str) -> None:
        for mine in self._workers.values():
            if mine.id == worker:
                mine.abandon(reason)


def _deps(job: WorkSpec, settings: RunnerSettings, deadline: Deadline, clock: Clock) -> AttemptDeps:
    grading = Grading(
        job.graders,
        default=job.default_grader,
        safety=job.safety,
        detectors=job.detectors,
        deadline=deadline,
    )
    return AttemptDeps(
        performers=job.performers,
        grading=grading,
        deadline=deadline,
        retry=job.retry,
        clock=clock,
        max_output_bytes=settings.max_output_bytes,
        keep_reasoning=settings.keep_reasoning,
    )

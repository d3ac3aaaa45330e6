"""The loop: ask, submit, wait, tell, checkpoint."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeAlias, TypeVar

from tau.domain.actions import LifecycleState
from tau.domain.checkpoint import Checkpoint
from tau.domain.ids import RolloutId, RunId, WorkerId
from tau.domain.resources import Resources
from tau.domain.rollout import (
    Outcome,
    RolloutRequest,
    RolloutResult,
    RolloutStatus,
    Submission,
)
from tau.domain.run import Run, RunStatus, StopReason
from tau.domain.spend import Spend
from tau.errors import ControlError, RunError, RunStopped, StoreDamaged, StoreFull, TauError
from tau.ports.algorithm import Algorithm, Recommendation
from tau.ports.clock import Clock
from tau.ports.store import Store
from tau.trainer.limits import budget_end
from tau.trainer.operator_control import Lost, OperatorControl
from tau.trainer.patience import Patience, TimeLimits
from tau.trainer.stop import StopRequest
from tau.trainer.waves import limited_by, load, measured, promoted

_COLLECT_CHUNK = 2_000
_SUBMIT_CHUNK = 1_000
_STATUS_EVERY_MS = 250
_FULL_RETRY_S = 1.0
_PAUSE_LOOK_S = 0.1
_MOST_CANDIDATES = 10_000
_LOOK_SHARE = 0.02
_LONGEST_REST_S = 0.05

Value = TypeVar("Value")
Known: TypeAlias = Sequence[tuple[RolloutRequest, Outcome]]
Lookup: TypeAlias = Callable[[Sequence[RolloutRequest]], Awaitable[Known]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainerSettings:
    """`poll_interval_s` is the fallback where no event tells of a settled rollout."""

    poll_interval_s: float = 0.06
    limits: TimeLimits = field(default_factory=TimeLimits)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingResult:
    """How a fit ended. `stop_reason` is finished, or budget where a hard limit ended it."""

    recommendation: Recommendation
    stop_reason: StopReason
    detail: str | None = None


class Trainer:
    """Drives one run. `worker` is the registered trainer that has adopted it.

    `estimate` says what one attempt at a request may spend at most. `lost` is a checkpoint the
    store may have lost: it counts if it is newer than the store's. `on_trouble` is told what the
    trainer waits for (a store that cannot take a write, an operator), and None afterwards. `known`
    answers requests whose results need not be paid for again.
    """

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        worker: WorkerId,
        settings: TrainerSettings,
        estimate: Callable[[RolloutRequest], Spend],
        stop: StopRequest,
        control: OperatorControl,
        lost: Lost | None = None,
        on_trouble: Callable[[str | None], None] = lambda _: None,
        known: Lookup | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._worker = worker
        self._settings = settings
        self._estimate = estimate
        self._stop = stop
        self._control = control
        self._lost = lost
        self._on_trouble = on_trouble
        self._known = known
        self._patience = Patience(settings.limits, clock)
        self._status_seen_ms = 0
        self._held = False

    async def fit(self, run: Run, algorithm: Algorithm) -> TrainingResult:
        """Drive `algorithm` until it asks for nothing more. Safe to call again after a crash.

        When a hard budget limit ends a wave, its unfinished tail is told as missing to get the
        recommendation, but not checkpointed: with a larger budget the run goes on where it was.

        Raises:
            RunStopped: on request; nothing of the current wave was told.
            TrainerTimeout: too slow, or stuck.
            LeaseLost: another trainer has taken the run over.
        """
        waves, rollouts = await self._restore(run, algorithm)
        while True:
            waves, rollouts = await self._at_boundary(run, algorithm, waves, rollouts)
            wave = algorithm.ask()
            if not wave:
                return TrainingResult(
                    recommendation=algorithm.best(), stop_reason=StopReason.FINISHED
                )
            ids = await self._submit(run, wave)
            refused = await self._settle(run)
            results = await self._results(run, wave, ids)
            algorithm.tell(results)
            detail = None
            if refused:
                run = await self._store.runs.get(run.id)
                detail = budget_end(refused, run, results, self._estimate)
            elif short := limited_by(algorithm):
                detail = (
                    f"the budget of {', '.join(short)} is used up before anything was compared: "
                    "it goes on with a larger one"
                )
            if detail is not None:
                best = algorithm.best()
                return TrainingResult(
                    recommendation=best, stop_reason=StopReason.BUDGET, detail=detail
                )
            waves, rollouts = waves + 1, rollouts + len(wave)
            await self._checkpoint(
                run, algorithm, waves, rollouts,
                candidates=measured(wave), publish=promoted(algorithm),
            )  # fmt: skip

    async def _restore(self, run: Run, algorithm: Algorithm) -> tuple[int, int]:
        """Load the last checkpoint, or make the first one, which publishes the resources."""
        lost = self._lost
        damaged = False
        try:
            last = await self._store.checkpoints.latest(run.id)
        except StoreDamaged:
            if lost is None:
                raise
            last, damaged = None, True
        if lost is not None and (
            last is None or lost.checkpoint.saved_unix_ms > last.saved_unix_ms
        ):
            found = lost.checkpoint
            load(algorithm, run, found)
            await self._checkpoint(
                run, algorithm, found.waves, found.rollouts,
                candidates=lost.candidates, publish=None if last or damaged else found.best,
            )  # fmt: skip
            return found.waves, found.rollouts
        if last is None:
            seed = algorithm.best().resources
            await self._checkpoint(run, algorithm, 0, 0, publish=seed if seed.values else None)
            return 0, 0
        await self._show(run.id, last)
        load(algorithm, run, last)
        return last.waves, last.rollouts

    async def _at_boundary(
        self, run: Run, algorithm: Algorithm, waves: int, rollouts: int
    ) -> tuple[int, int]:
        """Follow the operators between two waves; a rollback is carried out here, and only here."""
        await self._follow(run)
        if self._control.wanted is not LifecycleState.ROLLBACK_REQUESTED:
            return waves, rollouts
        try:
            target = self._control.rollback_target()
            load(algorithm, run, target)
        except (ControlError, RunError) as error:
            await self._control.rolled_back(str(error))
            return waves, rollouts
        await self._checkpoint(
            run, algorithm, target.waves, target.rollouts, publish=target.best, rewind=True
        )
        await self._control.rolled_back(None)
        return target.waves, target.rollouts

    async def _follow(self, run: Run) -> None:
        """Wait while the run is to be paused; end it if it is to be cancelled.

        Desired states come from the state file and, for those on other machines, from the store.
        """
        while True:
            self._check_stop()
            wanted = self._control.wanted
            if wanted is LifecycleState.CANCELLED:
                await self._cancel(run)
            elif wanted is LifecycleState.PAUSED:
                await self._pause(run)
            elif not await self._stored_desired(run):
                return

    async def _pause(self, run: Run) -> None:
        """Stop claims at once; what is in flight finishes by itself. Return when that is over."""
        await self._written(
            lambda: self._store.runs.set_status(
                run.id, RunStatus.PAUSED, trainer=self._worker, reason=StopReason.OPERATOR
            )
        )
        self._on_trouble("calls in flight to finish: an operator pauses the run")
        quiet = False
        while self._control.wanted is LifecycleState.PAUSED:
            if not quiet and (await self._store.queue.counts(run.id)).in_flight == 0:
                quiet = True
                self._on_trouble("an operator, who paused the run")
            await self._wait(asyncio.sleep(_PAUSE_LOOK_S))
            self._check_stop()
        if self._control.wanted is not LifecycleState.CANCELLED:
            await self._written(
                lambda: self._store.runs.set_status(run.id, RunStatus.RUNNING, trainer=self._worker)
            )
        self._on_trouble(None)
        self._patience.rest()

    async def _cancel(self, run: Run) -> None:
        """Cancel what is queued, keep what is in flight, then end the run."""
        queue = self._store.queue
        while True:
            await self._written(lambda: queue.cancel(run.id))
            counts = await queue.counts(run.id)
            if counts.in_flight == 0 and counts.waiting == 0:
                break
            await self._wait(queue.wait_settled(run.id, timeout_s=self._settings.poll_interval_s))
            self._check_stop()
        await self._written(
            lambda: self._store.runs.set_status(
                run.id, RunStatus.CANCELLED, trainer=self._worker, reason=StopReason.OPERATOR
            )
        )
        self._stop.set(StopReason.OPERATOR, "the run was cancelled")
        self._check_stop()

    async def _stored_desired(self, run: Run) -> bool:
        """Follow what somebody wrote into the store; False where there is nothing to follow."""
        now_ms = self._clock.monotonic_ms()
        if not self._held and now_ms - self._status_seen_ms < _STATUS_EVERY_MS:
            return False
        self._status_seen_ms = now_ms
        self._check_running_time(run)
        current = await self._store.runs.get(run.id)
        if current.status is RunStatus.PAUSED:
            self._held = True
            self._on_trouble("paused in the store")
            await self._wait(asyncio.sleep(_PAUSE_LOOK_S))
            self._patience.rest()
            return True
        if self._held:
            self._held = False
            self._on_trouble(None)
        if current.status is RunStatus.CANCELLED:
            await self._cancel(run)
        return False

    def _check_running_time(self, run: Run) -> None:
        limit = run.budget.seconds
        if limit is not None and run.active_s + self._patience.elapsed_s >= limit:
            self._stop.set(StopReason.TIME_LIMIT, f"the budget of {limit:g} seconds is used up")
            self._check_stop()

    async def _submit(self, run: Run, wave: Sequence[RolloutRequest]) -> Sequence[RolloutId]:
        """Queue the wave, in parts: one huge transaction would keep heartbeats waiting."""
        # Keys are derived: a crash between two parts only means that they are submitted again.
        ids: list[RolloutId] = []
        for start in range(0, len(wave), _SUBMIT_CHUNK):
            some = wave[start : start + _SUBMIT_CHUNK]
            known = await self._known(some) if self._known is not None else ()
            if known:
                settle = partial(self._store.queue.settle, run.id, known, trainer=self._worker)
                await self._written(settle)
            submissions = [Submission(request=one, reserve=self._estimate(one)) for one in some]
            ids += await self._written(partial(self._store.queue.submit, run.id, submissions))
        return ids

    async def _settle(self, run: Run) -> Sequence[str]:
        """Wait until nothing of the run is left, or return the budget limits that prevent it."""
        queue = self._store.queue
        begun_ms = self._clock.monotonic_ms()
        while True:
            await self._follow(run)
            counts = await queue.counts(run.id)
            if counts.waiting == 0 and counts.in_flight == 0:
                return ()
            next_ready_ms: int | None = None
            if counts.in_flight == 0:
                refused = await queue.refused(run.id)
                if refused and await queue.counts(run.id) == counts:  # none claimed since
                    return refused
                next_ready_ms = await queue.next_ready_ms(run.id)
            self._patience.watch(counts, next_ready_ms)
            await self._wait(queue.wait_settled(run.id, timeout_s=self._settings.poll_interval_s))
            # Every commit settles something. Looking after each takes more than the end can wait.
            waited_s = (self._clock.monotonic_ms() - begun_ms) / 1000
            if rest_s := min(_LOOK_SHARE * waited_s, _LONGEST_REST_S):
                await self._wait(asyncio.sleep(rest_s))

    async def _results(
        self, run: Run, wave: Sequence[RolloutRequest], ids: Sequence[RolloutId]
    ) -> Sequence[RolloutResult]:
        """Results in wave order; what is not settled is missing, as cancelled."""
        results: list[RolloutResult] = []
        for start in range(0, len(ids), _COLLECT_CHUNK):
            some = ids[start : start + _COLLECT_CHUNK]
            found = await self._store.queue.collect(run.id, some)
            for offset, result in enumerate(found):
                request = wave[start + offset]
                results.append(
                    result
                    or RolloutResult(
                        request=request,
                        rollout_id=some[offset],
                        status=RolloutStatus.CANCELLED,
                    )
                )
        return results

    async def _checkpoint(
        self,
        run: Run,
        algorithm: Algorithm,
        waves: int,
        rollouts: int,
        *,
        candidates: Sequence[Resources] = (),
        publish: Resources | None = None,
        rewind: bool = False,
    ) -> None:
        checkpoint = Checkpoint(
            run_id=run.id,
            algorithm=run.algorithm,
            waves=waves,
            rollouts=rollouts,
            state=algorithm.state_dict(),
            best=algorithm.best().resources,
        )
        saved = await self._written(
            lambda: self._store.checkpoints.save(
                checkpoint,
                trainer=self._worker,
                candidates=candidates,
                publish=publish,
                rewind=rewind,
            )
        )
        await self._show(run.id, saved)

    async def _show(self, run_id: RunId, checkpoint: Checkpoint) -> None:
        """Let the checkpoint's file follow its row."""
        run = await self._store.runs.get(run_id)
        found = await self._store.insights.candidates(run_id, limit=_MOST_CANDIDATES)
        candidates = [one.resources for one in found if not one.abandoned]
        await self._control.show_checkpoint(run, checkpoint, candidates)

    async def _written(self, write: Callable[[], Awaitable[Value]]) -> Value:
        """Make a write, waiting for space where there is none."""
        while True:
            try:
                value = await write()
            except StoreFull as error:
                self._on_trouble(f"space: {error}")
                await self._wait(asyncio.sleep(_FULL_RETRY_S))
                self._check_stop()
            else:
                self._on_trouble(None)
                return value

    def _check_stop(self) -> None:
        if self._stop.reason is not None:
            raise RunStopped(f"stopped: {self._stop.reason}", why=self._stop.detail or None)

    async def _wait(self, something: Awaitable[object]) -> None:
        """Wait for it or for a request to stop, whichever is first."""
        waiting = asyncio.ensure_future(something)
        stopping = asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (waiting, stopping):
                task.cancel()
            # Not `await task`, whose end could not be told from a cancellation of this very wait.
            await asyncio.wait({waiting, stopping})
        if waiting.done() and not waiting.cancelled() and (error := waiting.exception()):
            if isinstance(error, TauError):
                raise error
            raise RunError("waiting for the store failed", why=str(error)) from error

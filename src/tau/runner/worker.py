"""One claiming loop: takes work from the store, has it done, sees it recorded."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from tau.domain.draws import uniform
from tau.domain.ids import RunId, WorkerId
from tau.domain.reward import POLL_RETRY_BACKOFF_MS, POLL_RETRY_FAILURES, Reward
from tau.domain.rollout import ClaimedRollout
from tau.domain.spend import Spend
from tau.domain.worker import WorkerRole
from tau.errors import LeaseLost, StoreError, StoreFull, StoreUnavailable
from tau.ports.processes import Processes
from tau.ports.store import Work
from tau.runner.attempt import Attempt, AttemptDeps
from tau.runner.circuit import Circuit
from tau.runner.claim_gate import ClaimGate
from tau.runner.ending import uninterrupted
from tau.runner.health import Tally
from tau.runner.heartbeat import Heartbeat
from tau.runner.outcomes import Outcomes
from tau.runner.pacing import Pacing
from tau.runner.recorder import SpanRecorder
from tau.runner.resources import ResourcesCache
from tau.runner.worker_settings import RunnerSettings

_MAX_BACKOFF_S = 5.0
_UNREADABLE_PAUSE_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerDeps:
    """What the workers of a process share."""

    work: Work
    run_id: RunId | None
    settings: RunnerSettings
    deps: AttemptDeps
    pacing: Pacing
    circuit: Circuit
    door: ClaimGate
    heartbeat: Heartbeat
    outcomes: Outcomes
    resources: ResourcesCache
    processes: Processes
    tally: Tally


class Worker:
    """Holds up to `worker_concurrency` rollouts in flight; one object per registration."""

    def __init__(self, name: str, place: WorkerDeps) -> None:
        self._name = name
        self._place = place
        self._in_flight: set[asyncio.Task[None]] = set()
        self._writing: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._draining = False
        self._lost: str | None = None
        self._crash: BaseException | None = None
        self._claim_failures = 0
        self._claim_backoff_ms = 0
        self.id: WorkerId | None = None
        """Its identity, once it has registered."""

    @property
    def in_flight(self) -> int:
        """How many rollouts it holds, those being written included."""
        return len(self._in_flight)

    async def run(self) -> None:
        """Claim until drained; returns when all it held is recorded.

        Cancelling stops what is executing and gives it back; finished outcomes are still written.

        Raises:
            LeaseLost: it was given up; whoever started it may start another.
            StoreError: it could not register.
        """
        registering = asyncio.ensure_future(self._register())
        try:
            await asyncio.wait([registering])  # a cancellation leaves it to _wind_up
            try:
                await self._claim_until_drained(registering.result())
            finally:
                self._place.door.give_up(self._wake)
            while self._in_flight:
                await self._sleep(None)
                self._raise_trouble()
        finally:
            await uninterrupted(self._wind_up(registering))

    def drain(self) -> None:
        """Claim no more."""
        self._draining = True
        self._wake.set()

    def abandon(self, reason: str) -> None:
        """Its lease is in doubt or gone: stop what is executing."""
        self._lost = reason
        self._stop_executing()
        self._wake.set()

    def _stop_executing(self) -> None:
        """Cancel what is in flight, but for outcomes on their way to the store."""
        for task in self._in_flight - self._writing:
            task.cancel()

    async def _register(self) -> WorkerId:
        place = self._place
        worker = await place.work.register(
            name=self._name,
            role=WorkerRole.WORKER,
            process=place.processes.this(),
            lease_ms=place.settings.lease_ms,
        )
        self.id = worker.id
        place.heartbeat.add(worker.id)
        return worker.id

    async def _claim_until_drained(self, me: WorkerId) -> None:
        place = self._place
        settings = place.settings
        poll_s = settings.poll_interval_ms / 1000
        while not self._draining:
            self._raise_trouble()
            free = settings.worker_concurrency - len(self._in_flight)
            if free <= 0:
                await self._sleep(None)
            elif place.tally.unwritten or place.circuit.reason is not None:
                await self._sleep(poll_s)  # more work could not be recorded, or would be in vain
            elif place.door.enter(self._wake):
                try:
                    if await self._claim(me, free) < free:
                        await self._until_ready(poll_s)
                finally:
                    place.door.leave()
            else:
                await self._sleep(None)

    async def _claim(self, me: WorkerId, free: int) -> int:
        """Take up to `free` rollouts and start on them; how many, or `free` after a failure."""
        place = self._place
        try:
            claims = await place.work.claim(me, limit=free, run_id=place.run_id)
        except LeaseLost:
            raise
        except StoreError as error:
            await self._back_off(me, error)
            return free
        if self._claim_failures:
            place.tally.store_error = None
        if claims:
            notes = self._notes()
            for claim in claims:
                self._start(claim, notes)
        return len(claims)

    async def _back_off(self, me: WorkerId, error: StoreError) -> None:
        self._claim_failures += 1
        self._place.tally.claim_failures += 1
        self._place.tally.store_error = str(error)
        doublings = min(self._claim_failures - 1, 20)
        poll_s = self._place.settings.poll_interval_ms / 1000
        ceiling_s = min(_MAX_BACKOFF_S, poll_s * 2.0**doublings)
        delay_s = ceiling_s * (0.5 + 0.5 * uniform(0, "claim", me, self._claim_failures))
        self._claim_backoff_ms += round(delay_s * 1000)
        await self._sleep(delay_s)

    def _notes(self) -> tuple[Reward, ...]:
        """What preceded these claims, once."""
        failures, backoff_ms = self._claim_failures, self._claim_backoff_ms
        if not failures:
            return ()
        self._claim_failures = self._claim_backoff_ms = 0
        return (
            Reward(name=POLL_RETRY_FAILURES, score=float(failures)),
            Reward(name=POLL_RETRY_BACKOFF_MS, score=float(backoff_ms)),
        )

    def _start(self, claim: ClaimedRollout, notes: Sequence[Reward]) -> None:
        task = asyncio.create_task(self._carry(claim, notes), name=claim.attempt_id)
        self._in_flight.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        self._writing.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._crash = task.exception()
        self._wake.set()

    async def _carry(self, claim: ClaimedRollout, notes: Sequence[Reward]) -> None:
        """See one claim to its recorded outcome, or give it back when cancelled before that."""
        place = self._place
        record = SpanRecorder(
            clock=place.deps.clock,
            pacing=place.pacing,
            reserved=claim.reserved,
            replicate=claim.replicate,
        )
        attempt = Attempt(claim, record, place.deps, notes=notes)
        try:
            outcome = await attempt.run(await place.resources.get(claim.resources))
        except (asyncio.CancelledError, StoreUnavailable, StoreFull) as error:
            record.close()
            await self._release(claim, attempt.spent)
            if isinstance(error, asyncio.CancelledError):
                raise
            await asyncio.sleep(_UNREADABLE_PAUSE_S)
            return
        except Exception as error:  # noqa: BLE001  (a bad rollout is data, never a dead worker)
            outcome = attempt.broken(error)
        task = asyncio.current_task()
        assert task is not None
        self._writing.add(task)
        await place.outcomes.write(claim, outcome, attempt)

    async def _release(self, claim: ClaimedRollout, spent: Spend) -> None:
        given_back = spent - Spend(rollouts=spent.rollouts)  # what was not finished is not counted
        with contextlib.suppress(StoreError):  # its lease runs out by itself
            await uninterrupted(self._place.work.release([claim.attempt_id], spent=given_back))

    async def _until_ready(self, poll_s: float) -> None:
        ready = asyncio.ensure_future(self._place.work.wait_ready(timeout_s=poll_s))
        woken = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait((ready, woken), return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
            woken.cancel()
        self._wake.clear()
        if ready.done() and not ready.cancelled() and isinstance(ready.exception(), StoreError):
            await self._sleep(poll_s)  # the next claim will say what is wrong

    async def _sleep(self, timeout_s: float | None) -> None:
        """Wait until something ended, draining began or `timeout_s` passed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._wake.wait()
        self._wake.clear()

    def _raise_trouble(self) -> None:
        if self._crash is not None:
            raise self._crash
        if self._lost is not None:
            raise LeaseLost(f"worker '{self._name}' stopped its work", why=self._lost)

    async def _wind_up(self, registering: asyncio.Future[WorkerId]) -> None:
        """Stop and give back what executes, write what is finished, leave the list."""
        self._stop_executing()
        await asyncio.wait([registering])
        if self._in_flight:
            await asyncio.wait(self._in_flight)
        if registering.exception() is None:
            me = registering.result()
            self._place.heartbeat.remove(me)
            with contextlib.suppress(StoreError):
                await self._place.work.retire([me])

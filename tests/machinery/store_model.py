"""The store's meaning without its machinery: what every answer must be, in plain Python.

Times are passed in, ids are learned from the store where it issues them. Nothing here knows SQL,
files, threads or how a store keeps its promises; a real store is compared with it step by step.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from machinery.units import NOTHING, WAITING, Drive, Hand, Try, Unit, Watch
from tau.domain import transitions
from tau.domain.failure import FailureClass
from tau.domain.ids import AttemptId, RolloutId, RunId, WorkerId
from tau.domain.rollout import SETTLED, AttemptStatus, Outcome, RolloutStatus, Submission
from tau.domain.run import Run, RunStatus
from tau.domain.spend import Budget, Spend
from tau.domain.worker import ProcessIdentity
from tau.errors import Conflict, LeaseLost, RunActive


class StoreModel:
    """Everything a store should hold. Methods mirror the ports and raise the same errors.

    A store that machines share cannot tell a machine that was started anew from another machine.
    """

    def __init__(self, boot_id: str, *, shared: bool = False) -> None:
        """Empty, freshly opened."""
        self.boot_id = boot_id
        self.shared = shared
        self.runs: dict[RunId, Drive] = {}
        self.units: dict[RolloutId, Unit] = {}
        self.hands: dict[WorkerId, Hand] = {}
        self.attempts: dict[AttemptId, Try] = {}
        self.publications: list[str] = []
        self.dead: set[ProcessIdentity] = set()
        self.watch = Watch()
        self._keys: dict[tuple[str | int, ...], RolloutId] = {}

    def publish(self, content: str) -> int:
        """The number of a publication; what is known is not published again."""
        if content not in self.publications:
            self.publications.append(content)
        return self.publications.index(content) + 1

    # --- runs

    def create(self, run: Run) -> None:
        """As Runs.create."""
        if run.id in self.runs:
            raise Conflict(f"run {run.id}")
        self.runs[run.id] = Drive(run)

    def adopt(
        self,
        run_id: RunId,
        trainer: WorkerId,
        now_ms: int,
        budget: Budget,
        max_attempts: int,
    ) -> None:
        """As Runs.adopt."""
        drive = self.runs[run_id]
        self._live_hand(trainer)
        if drive.status is not RunStatus.RUNNING:
            transitions.check(transitions.RUN, "run", drive.status, RunStatus.RUNNING)
        driver = self.hands.get(drive.trainer) if drive.trainer else None
        driven = drive.status in (RunStatus.RUNNING, RunStatus.PAUSED)
        if driver and driven and driver.id != trainer and not self._gone(driver, now_ms):
            raise RunActive(f"run {run_id}")
        for hand in self._live_hands():
            if hand.id != trainer and self._gone(hand, now_ms):
                self._give_up(hand, counted=False)
        drive.run = replace(drive.run, budget=budget, max_attempts=max_attempts)
        drive.trainer = trainer
        drive.status = RunStatus.RUNNING

    def set_status(self, run_id: RunId, status: RunStatus, trainer: WorkerId | None) -> None:
        """As Runs.set_status."""
        drive = self.runs[run_id]
        if trainer is not None:
            self._driver(drive, trainer)
        if drive.status is not status:
            transitions.check(transitions.RUN, "run", drive.status, status)
        drive.status = status

    def book_time(self, run_id: RunId, trainer: WorkerId, active_s: float) -> None:
        """As Runs.book_time."""
        drive = self.runs[run_id]
        self._driver(drive, trainer)
        drive.active_s += active_s

    # --- the trainer's side

    def known(self, run_id: RunId, submission: Submission) -> RolloutId | None:
        """The rollout a submission already has."""
        return self._keys.get((run_id, *submission.request.key))

    def add(self, run_id: RunId, submission: Submission, rollout: RolloutId) -> None:
        """A new rollout, under the name the store gave it."""
        self.units[rollout] = Unit(rollout, self.runs[run_id], submission)
        self._keys[run_id, *submission.request.key] = rollout

    def counts(self, run_id: RunId | None) -> dict[RolloutStatus, int]:
        """How many rollouts of a run or of all are in each status that any is in."""
        units = self.units.values() if run_id is None else self.of_run(run_id)
        return Counter(unit.status for unit in units)

    def cancel(self, run_id: RunId, *, in_flight: bool) -> int:
        """As Queue.cancel."""
        cancelled = 0
        for unit in self.of_run(run_id):
            if unit.status in WAITING:
                self._cancel(unit)
            elif in_flight and unit.status is RolloutStatus.RUNNING:
                self._end(unit.tries[-1], AttemptStatus.FAILED, None, taken=True)
                self._cancel(unit)
            else:
                continue
            cancelled += 1
        return cancelled

    def requeue_failed(self, run_id: RunId, rollouts: Sequence[RolloutId]) -> int:
        """As Queue.requeue_failed."""
        again = 0
        for name in dict.fromkeys(rollouts):
            unit = self.units[name]
            if unit.run.run.id == run_id and unit.status is RolloutStatus.FAILED:
                unit.status, unit.counted, unit.ready_ms = RolloutStatus.REQUEUING, 0, 0
                unit.failure = None
                again += 1
        return again

    def next_ready_ms(self, run_id: RunId, now_ms: int) -> int | None:
        """As Queue.next_ready_ms."""
        waits = [max(0, u.ready_ms - now_ms) for u in self.of_run(run_id) if u.status in WAITING]
        return min(waits, default=None)

    def refused(self, run_id: RunId, now_ms: int) -> tuple[str, ...]:
        """As Queue.refused."""
        drive = self.runs[run_id]
        ready = (unit for unit in self.of_run(run_id) if _is_ready(unit, now_ms))
        if (first := next(ready, None)) is None:
            return ()
        return drive.run.budget.refuses(drive.spent + drive.reserved + _reserve(first))

    # --- the worker's side

    def register(self, hand: Hand) -> None:
        """A new worker, under the name the store gave it."""
        self.hands[hand.id] = hand

    def claim(self, worker: WorkerId, limit: int, run_id: RunId | None, now_ms: int) -> list[Try]:
        """As Work.claim."""
        self._live_hand(worker)
        claimed: list[Try] = []
        closed: set[RunId] = set()  # nothing after what a budget cannot cover
        for unit in self.units.values():
            drive = unit.run
            if len(claimed) == limit:
                break
            if drive.status is not RunStatus.RUNNING or run_id not in (None, drive.run.id):
                continue
            if not _is_ready(unit, now_ms) or drive.run.id in closed:
                continue
            reserve = _reserve(unit)
            if drive.run.budget.refuses(drive.spent + drive.reserved + reserve):
                closed.add(drive.run.id)
            else:
                claimed.append(self._begin(unit, worker, reserve))
        return claimed

    def beat(self, workers: Sequence[WorkerId], now_ms: int) -> set[WorkerId]:
        """As Work.beat."""
        for worker in workers:
            if not self.hands[worker].given_up:
                self.hands[worker].heartbeat_ms = now_ms
        return {worker for worker in workers if self.hands[worker].given_up}

    def complete(self, attempt: AttemptId, outcome: Outcome, now_ms: int) -> None:
        """As Work.complete."""
        made = self.attempts[attempt]
        if not made.live:
            self._book_late(made, outcome.spent)
            raise LeaseLost(attempt)
        unit = made.rollout
        self._end(made, outcome.status, outcome.spent)
        made.spans += len(outcome.spans)
        failed = outcome.status is not AttemptStatus.SUCCEEDED
        unit.counted += failed
        if failed and outcome.retry_in_s is not None and unit.counted < unit.run.run.max_attempts:
            unit.status = RolloutStatus.REQUEUING
            wait_ms = round(outcome.retry_in_s * 1000)
            unit.ready_ms = now_ms + wait_ms if wait_ms else 0
            return
        unit.status = RolloutStatus.FAILED if failed else RolloutStatus.SUCCEEDED
        unit.score = outcome.score
        unit.failure = outcome.failure.kind if outcome.failure else None

    def release(self, attempts: Sequence[AttemptId], spent: Spend | None) -> None:
        """As Work.release."""
        for made in (self.attempts[name] for name in attempts):
            if made.live:
                self._give_back(made, spent or NOTHING)
                spent = None

    def append_spans(self, attempt: AttemptId, spans: int) -> None:
        """As Work.append_spans."""
        made = self.attempts[attempt]
        if not made.live:
            raise LeaseLost(attempt)
        made.spans += spans

    def reap(self, now_ms: int) -> int:
        """As Work.reap."""
        live = list(self._live_hands())
        first = not self.watch.looks_ms
        self.watch.looks_ms.append(now_ms)
        taken = 0
        for hand in live:
            if self._dead(hand) if first else self._other_boot(hand):
                taken += self._give_up(hand, counted=False)
            elif now_ms > self.watch.deadline(hand):
                taken += self._give_up(hand, counted=True)
        return taken

    def retire(self, workers: Sequence[WorkerId]) -> None:
        """As Work.retire."""
        for worker in workers:
            self.hands[worker].given_up = True
            for made in self.held(worker):
                self._give_back(made, NOTHING)

    # --- checkpoints

    def save(self, run_id: RunId, trainer: WorkerId, waves: int, drop: Sequence[RolloutId]) -> None:
        """As Checkpoints.save, without the contents."""
        drive = self.runs[run_id]
        self._driver(drive, trainer)
        drive.waves.append(waves)
        for name in drop:
            if self.units[name].status in WAITING:
                self._cancel(self.units[name])

    # --- looking

    def of_run(self, run_id: RunId) -> Iterator[Unit]:
        """Its rollouts in order of submission."""
        return (unit for unit in self.units.values() if unit.run.run.id == run_id)

    def settled(self, run_id: RunId) -> list[Unit]:
        """Those a trainer stops waiting for."""
        return [unit for unit in self.of_run(run_id) if unit.status in SETTLED]

    def held(self, worker: WorkerId) -> list[Try]:
        """What a worker holds, oldest first."""
        tries = (unit.tries[-1] for unit in self.units.values() if unit.tries)
        return [made for made in tries if made.live and made.worker == worker]

    def reopened(self, boot_id: str) -> None:
        """Opened again, with only what is written left; by another boot's time, retries are due."""
        self.watch = Watch()
        if boot_id != self.boot_id:
            self.boot_id = boot_id
            for unit in self.units.values():
                unit.ready_ms = unit.ready_ms if self.shared else 0

    # --- inside

    def _live_hand(self, worker: WorkerId) -> Hand:
        hand = self.hands[worker]
        if hand.given_up:
            raise LeaseLost(worker)
        return hand

    def _live_hands(self) -> list[Hand]:
        return [hand for hand in self.hands.values() if not hand.given_up]

    def _driver(self, drive: Drive, trainer: WorkerId) -> None:
        if drive.trainer != trainer:
            raise LeaseLost(trainer)
        self._live_hand(trainer)

    def _dead(self, hand: Hand) -> bool:
        if hand.process.boot_id != self.boot_id:
            return self._other_boot(hand)
        return hand.process in self.dead

    def _other_boot(self, hand: Hand) -> bool:
        return hand.process.boot_id != self.boot_id and not self.shared

    def _gone(self, hand: Hand, now_ms: int) -> bool:
        return hand.given_up or self._dead(hand) or now_ms > self.watch.deadline(hand)

    def _begin(self, unit: Unit, worker: WorkerId, reserve: Spend) -> Try:
        made = Try(unit, len(unit.tries) + 1, worker, reserve)
        unit.tries.append(made)
        unit.status, unit.ready_ms, unit.charged = RolloutStatus.RUNNING, 0, True
        unit.run.reserved += reserve
        self.attempts[made.id] = made
        return made

    def _end(
        self,
        made: Try,
        status: AttemptStatus,
        spent: Spend | None,
        *,
        taken: bool = False,
        refund: bool = False,
    ) -> None:
        """Without `spent`, what was reserved is booked; a rollout is counted unless refunded."""
        real = made.reserved if spent is None else spent
        made.status, made.taken, made.assumed = status, taken, spent is None
        made.spent = real + Spend(
            rollouts=(0 if refund else made.reserved.rollouts) - real.rollouts
        )
        drive = made.rollout.run
        drive.reserved -= made.reserved
        drive.spent += made.spent

    def _give_up(self, hand: Hand, *, counted: bool) -> int:
        """By its lease (counted) or because its process is gone."""
        hand.given_up = True
        held = self.held(hand.id)
        for made in held:
            unit = made.rollout
            status = AttemptStatus.TIMEOUT if counted else AttemptStatus.UNRESPONSIVE
            self._end(made, status, None, taken=True)
            unit.counted += counted
            if counted and unit.counted >= unit.run.run.max_attempts:
                unit.status = RolloutStatus.FAILED
                unit.failure = FailureClass.WORKER_LOST
            else:
                unit.status = RolloutStatus.REQUEUING
        return len(held)

    def _give_back(self, made: Try, spent: Spend) -> None:
        self._end(made, AttemptStatus.FAILED, spent, taken=True, refund=True)
        made.rollout.status = RolloutStatus.REQUEUING
        if made.reserved.rollouts:
            made.rollout.charged = False

    def _book_late(self, made: Try, spent: Spend) -> None:
        if not made.taken or made.late is not None:
            return
        if made.assumed:
            kept = Spend(rollouts=made.spent.rollouts)
            made.rollout.run.spent += kept - made.spent
            made.spent, made.assumed = kept, False
        made.late = spent - Spend(rollouts=spent.rollouts)
        made.rollout.run.spent += made.late

    @staticmethod
    def _cancel(unit: Unit) -> None:
        unit.status, unit.ready_ms, unit.failure = (
            RolloutStatus.CANCELLED,
            0,
            FailureClass.CANCELLED,
        )


def _is_ready(unit: Unit, now_ms: int) -> bool:
    return unit.status in WAITING and unit.ready_ms <= now_ms


def _reserve(unit: Unit) -> Spend:
    """What an attempt sets aside; a rollout is charged once, whatever its number of attempts."""
    reserve = unit.submission.reserve
    return reserve - Spend(rollouts=reserve.rollouts) if unit.charged else reserve

"""A store, its model and a virtual clock, side by side: what one does the other does, compared."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from machinery.store_model import StoreModel
from tau.domain.failure import Failure, FailureClass
from tau.domain.ids import AttemptId, RunId, WorkerId
from tau.domain.rollout import SETTLED, Outcome
from tau.domain.spend import Spend
from tau.domain.worker import WorkerRole
from tau.errors import StoreError
from tau.ports.insights import RolloutFilter
from tau.ports.store import Store
from tau.testing.clock import ManualClock, ManualProcesses

T = TypeVar("T")
U = TypeVar("U")
OpenStore = Callable[[ManualClock, ManualProcesses], Awaitable[Store]]
"""Opens the same store each time it is called, with what a crash would have left."""


class Divergence(AssertionError):
    """The store and its model do not agree."""


class World:
    """One store with everything around it that tests move by hand.

    `refusals` counts the store's errors by name, `runs` are in order of creation, `process` is the
    one that new workers belong to.
    """

    def __init__(
        self,
        store: Store,
        open_store: OpenStore,
        clock: ManualClock,
        processes: ManualProcesses,
        *,
        shared: bool,
    ) -> None:
        """Use `begin`."""
        self.store = store
        self.model = StoreModel(processes.this().boot_id, shared=shared)
        self.clock = clock
        self.processes = processes
        self.process = processes.start()
        self.runs: list[RunId] = []
        self.refusals: Counter[str] = Counter()
        self._open_store = open_store

    @classmethod
    async def begin(cls, open_store: OpenStore, *, shared: bool = False) -> "World":
        """A world with an empty store, `shared` where machines may share stores of its kind."""
        clock, processes = ManualClock(), ManualProcesses()
        store = await open_store(clock, processes)
        return cls(store, open_store, clock, processes, shared=shared)

    @property
    def now(self) -> int:
        """Monotonic milliseconds."""
        return self.clock.monotonic_ms()

    async def reopen(self) -> None:
        """Close the store and open it again."""
        await self.store.aclose()
        self.store = await self._open_store(self.clock, self.processes)
        self.model.reopened(self.processes.this().boot_id)

    async def close(self) -> None:
        """Close the store."""
        await self.store.aclose()

    # --- choosing among what there is

    def run(self, pick: int) -> RunId:
        """One of the runs."""
        return self.runs[pick % len(self.runs)]

    def hand(self, pick: int, role: WorkerRole) -> WorkerId:
        """One of a role: mostly one of the last few that live, now and then any."""
        hands = [hand for hand in self.model.hands.values() if hand.role is role]
        live = [hand for hand in hands if not hand.given_up][-3:]
        among = live if live and pick % 8 else hands
        return among[pick // 8 % len(among)].id

    def attempt(self, pick: int, *, live: bool) -> AttemptId | None:
        """An attempt that is in flight, or one that is over; None where there is none."""
        names = [made.id for made in self.model.attempts.values() if made.live is live]
        return names[pick % len(names)] if names else None

    # --- doing and comparing

    async def complete(self, attempt: AttemptId | None, outcome: Outcome) -> None:
        """Complete on both sides."""
        if attempt is not None:
            await self.same(
                self.store.work.complete(attempt, outcome),
                lambda: self.model.complete(attempt, outcome, self.now),
            )

    async def same(self, asked: Awaitable[T], expected: Callable[[], U]) -> T | type[StoreError]:
        """Both refuse in the same way or neither does; numbers answered are equal too."""
        got, wanted = await self.answer(asked), answered(expected)
        refused = isinstance(got, type) or isinstance(wanted, type)
        if refused or isinstance(wanted, int):
            self.equal("answer", got, wanted)
        return got

    async def answer(self, asked: Awaitable[T]) -> T | type[StoreError]:
        """What the store answers, or the class of its error."""
        try:
            return await asked
        except StoreError as error:
            self.refusals[type(error).__name__] += 1
            return type(error)

    async def answers(self, asked: Sequence[Awaitable[T]]) -> list[T | type[StoreError]]:
        """The answers to what is asked all at once, in order."""
        return await asyncio.gather(*(self.answer(one) for one in asked))

    def equal(self, what: str, got: object, wanted: object) -> None:
        """Raise Divergence unless they are."""
        if got != wanted:
            raise Divergence(f"{what}: the store says {got}, the model {wanted}")

    async def compare(self, *, thorough: bool) -> None:
        """What the store holds against what the model holds; counters alone unless `thorough`."""
        counts = await self.store.insights.counts()
        self.equal("counts", dict(counts.by_status), self.model.counts(None))
        if thorough:
            for run_id in self.runs:
                await self._compare_run(run_id)
            await self._compare_rest()

    async def _compare_run(self, run_id: RunId) -> None:
        drive = self.model.runs[run_id]
        run = await self.store.runs.get(run_id)
        self.equal(
            run_id,
            (run.status, run.trainer, run.spent, run.reserved, run.budget, run.max_attempts,
             run.active_s),
            (drive.status, drive.trainer, drive.spent, drive.reserved, drive.run.budget,
             drive.run.max_attempts, drive.active_s),
        )  # fmt: skip
        units = list(self.model.of_run(run_id))
        queue = self.store.queue
        counts = await queue.counts(run_id)
        self.equal(f"counts of {run_id}", dict(counts.by_status), self.model.counts(run_id))
        self.equal(
            f"next_ready_ms of {run_id}",
            await queue.next_ready_ms(run_id),
            self.model.next_ready_ms(run_id, self.now),
        )
        self.equal(
            f"refused of {run_id}",
            set(await queue.refused(run_id)),
            set(self.model.refused(run_id, self.now)),
        )
        rows = await self.store.insights.rollouts(RolloutFilter(run=run_id), limit=1000)
        self.equal(
            f"rollouts of {run_id}",
            [(row.id, row.status, row.attempts, row.score, _kind(row.failure), row.spent)
             for row in rows],
            [(unit.id, unit.status, len(unit.tries), unit.score, unit.failure, unit.spent)
             for unit in units],
        )  # fmt: skip
        results = await queue.collect(run_id, [unit.id for unit in units])
        self.equal(
            f"results of {run_id}",
            [result and (result.status, result.score, result.request.key) for result in results],
            [(unit.status, unit.score, unit.submission.request.key)
             if unit.status in SETTLED else None for unit in units],
        )  # fmt: skip
        last = await self.store.checkpoints.latest(run_id)
        self.equal(
            f"checkpoint of {run_id}", last and last.waves, drive.waves[-1] if drive.waves else None
        )

    async def _compare_rest(self) -> None:
        workers = await self.store.insights.workers(include_retired=True)
        self.equal(
            "workers",
            {worker.id: (worker.retired, worker.in_flight) for worker in workers},
            {hand.id: (hand.given_up, len(self.model.held(hand.id)))
             for hand in self.model.hands.values()},
        )  # fmt: skip
        latest = await self.store.resources.latest()
        published = self.model.publications
        self.equal(
            "latest publication",
            latest and (latest.number, latest.resources.hash),
            (len(published), published[-1]) if published else None,
        )
        units = [unit for unit in self.model.units.values() if unit.tries]
        if units:
            unit = units[self.now % len(units)]
            view = await self.store.insights.rollout(unit.id)
            self.equal(
                f"attempts of {unit.id}",
                [(seen.n, seen.status, seen.worker, seen.spent, seen.late_spent,
                  [one.sequence for one in seen.spans]) for seen in view.attempts],
                [(made.n, made.status, made.worker, made.spent, made.late or Spend(),
                  list(range(1, made.spans + 1))) for made in unit.tries],
            )  # fmt: skip


def answered(expected: Callable[[], U]) -> U | type[StoreError]:
    """What `expected` answers, or the class of its error."""
    try:
        return expected()
    except StoreError as error:
        return type(error)


def _kind(failure: Failure | None) -> FailureClass | None:
    return failure.kind if failure else None

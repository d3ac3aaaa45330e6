"""The store: roles side by side, each the part of it that one room of the house may use.

Values returned are frozen; an unknown id is NotFound; a write with an old attempt or worker is
LeaseLost; times come from the store's clock. Every write has been committed durably when its call
returns. Cancelling a caller never tears a write: it happens whole or not at all.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol, Self

from tau.domain.access import CarriedPolicy
from tau.domain.checkpoint import Checkpoint
from tau.domain.decision import Verdict
from tau.domain.ids import AttemptId, ResourcesHash, RolloutId, RunId, WorkerId
from tau.domain.json import Json
from tau.domain.resources import Alias, Resources, ResourcesVersion
from tau.domain.rollout import (
    ClaimedRollout,
    Outcome,
    RolloutCounts,
    RolloutRequest,
    RolloutResult,
    Submission,
)
from tau.domain.run import Run, RunStatus, StopReason
from tau.domain.span import Span
from tau.domain.spend import Budget, Spend
from tau.domain.worker import ProcessIdentity, WorkerRecord, WorkerRole
from tau.ports.desired_states import DesiredStates
from tau.ports.insights import Insights


class Runs(Protocol):
    """The ledger of runs (trainer, lifecycle)."""

    async def create(self, run: Run) -> Run:
        """Record a new run as running; times are set here. Conflict where the id exists.

        Its `spent` and `active_s` count as brought forward from a store that was lost.
        """
        ...

    async def get(self, run_id: RunId) -> Run:
        """One run; NotFound."""
        ...

    async def find(self, config_hash: str) -> Sequence[Run]:
        """All runs of a configuration, newest first."""
        ...

    async def adopt(
        self, run_id: RunId, trainer: WorkerId, *, budget: Budget, max_attempts: int
    ) -> Run:
        """Make `trainer` the run's driver, with these limits, and its status running.

        In-flight attempts of workers that are gone are revoked without counting and their
        rollouts requeued, before this returns.

        Raises:
            RunActive: another live trainer drives it; names its process.
            IllegalTransition: the run is final.
        """
        ...

    async def set_status(
        self,
        run_id: RunId,
        status: RunStatus,
        *,
        trainer: WorkerId | None = None,
        reason: StopReason | None = None,
        detail: str | None = None,
    ) -> Run:
        """Change the status. The same status again is fine.

        With `trainer`, LeaseLost unless it drives the run. IllegalTransition as by the table.
        """
        ...

    async def book_time(self, run_id: RunId, *, trainer: WorkerId, active_s: float) -> None:
        """Add to the run's time spent running. LeaseLost unless `trainer` drives the run."""
        ...

    async def mark_reported(self, run_id: RunId) -> None:
        """Note that the run's final report was delivered; NotFound. Doing so again is fine."""
        ...


class Queue(Protocol):
    """The trainer's side of the queue."""

    async def submit(self, run_id: RunId, submissions: Sequence[Submission]) -> Sequence[RolloutId]:
        """Queue what is not there yet, in one transaction, and return the ids in order.

        A key that exists keeps its rollout, whatever its status. Resources and examples are
        stored with it.
        """
        ...

    async def settle(
        self,
        run_id: RunId,
        known: Sequence[tuple[RolloutRequest, Outcome]],
        *,
        trainer: WorkerId,
    ) -> None:
        """Queue what is not there yet and end it at once with a success that is known already.

        One transaction: nobody can claim it. The attempt is the trainer's and takes nothing from
        the budget. A key that exists keeps its rollout. LeaseLost unless `trainer` drives the run.
        """
        ...

    async def collect(
        self, run_id: RunId, rollouts: Sequence[RolloutId]
    ) -> Sequence[RolloutResult | None]:
        """The results in the order given; None for those not settled yet."""
        ...

    async def counts(self, run_id: RunId) -> RolloutCounts:
        """From counters; cheap enough to poll."""
        ...

    async def wait_settled(self, run_id: RunId, *, timeout_s: float) -> bool:
        """Return True soon after a rollout of the run settles, False at the timeout.

        Only a hint: look at the counts afterwards. What settled before the call may be missed
        only if it was already visible to `counts` when the call began.
        """
        ...

    async def cancel(self, run_id: RunId, *, in_flight: bool = False) -> int:
        """Cancel everything queued, and with `in_flight` also what workers hold; how many."""
        ...

    async def requeue_failed(self, run_id: RunId, rollouts: Sequence[RolloutId]) -> int:
        """Put failed rollouts back with a fresh count of attempts; how many."""
        ...

    async def refused(self, run_id: RunId) -> Sequence[str]:
        """The budget limits that keep the next ready rollout from being claimed; empty if none.

        Names as in `Budget.refuses`. Reservations of attempts in flight count, so an answer is
        final only while nothing is in flight.
        """
        ...

    async def next_ready_ms(self, run_id: RunId) -> int | None:
        """Milliseconds until the next scheduled retry (0 = something is ready), None if none."""
        ...


class Work(Protocol):
    """The worker's side: claims, heartbeats and outcomes, all fenced."""

    async def register(
        self,
        *,
        name: str,
        role: WorkerRole,
        process: ProcessIdentity,
        lease_ms: int,
        offers: Sequence[str] = (),
    ) -> WorkerRecord:
        """Announce a claiming loop, a trainer or a host; every call makes a new identity."""
        ...

    async def claim(
        self, worker: WorkerId, *, limit: int, run_id: RunId | None = None
    ) -> Sequence[ClaimedRollout]:
        """Take up to `limit` ready rollouts of running runs, oldest first.

        One transaction: rollouts become running, attempts are made, budgets reserved in wave
        order. What a budget cannot cover is not handed out, nor is anything after it in its run.

        Raises:
            LeaseLost: the worker has been given up as dead or retired.
        """
        ...

    async def wait_ready(self, *, timeout_s: float) -> bool:
        """Return True soon after something may have become claimable, False at the timeout.

        Never misses what this process submits; other processes are noticed by polling.
        """
        ...

    async def beat(self, workers: Sequence[WorkerId]) -> Sequence[WorkerId]:
        """Renew the leases of all attempts of `workers`; returns those that are given up.

        May be called from any thread's event loop.
        """
        ...

    async def complete(self, attempt: AttemptId, outcome: Outcome) -> None:
        """Record the end of an attempt: rollout, attempt, rewards, spans, budget, counters.

        Raises:
            LeaseLost: the attempt is over; only `outcome.spent` was booked to it, as late.
        """
        ...

    async def release(self, attempts: Sequence[AttemptId], *, spent: Spend | None = None) -> None:
        """Give attempts back uncounted (drain, shutdown); their rollouts are requeued at once.

        `spent` is booked to the first attempt. Attempts already over are skipped.
        """
        ...

    async def append_spans(self, attempt: AttemptId, spans: Sequence[Span]) -> None:
        """Add spans to a live attempt; sequences are issued by the store. LeaseLost."""
        ...

    async def resources(self, resources: ResourcesHash) -> Resources:
        """The resources a claim pins; NotFound."""
        ...

    async def reap(self) -> int:
        """Give up workers past their lease and requeue or fail what they held; how many attempts.

        At its first call in a process it also gives up workers whose process on this host is
        gone, uncounted. After a pause of the whole process (suspend, stop) everyone gets one
        period of grace.
        """
        ...

    async def retire(self, workers: Sequence[WorkerId]) -> None:
        """Take workers off the list; what they still hold is released."""
        ...


class ResourcesLedger(Protocol):
    """Publication of resources versions."""

    async def publish(self, resources: Resources, *, run_id: RunId | None) -> ResourcesVersion:
        """Store `resources` and make them the next and latest version.

        What is published already is not published again: its newest version is answered, and the
        latest stays what it is.
        """
        ...

    async def latest(self) -> ResourcesVersion | None:
        """The latest publication, if any."""
        ...

    async def version(self, number: int) -> ResourcesVersion:
        """One publication; NotFound."""
        ...


class Aliases(Protocol):
    """Names for publications, with who pointed them where, when and why."""

    async def point(
        self,
        name: str,
        number: int,
        *,
        principal: str,
        reason: str = "",
        evidence: Mapping[str, Json] | None = None,
    ) -> Alias:
        """Let `name` stand for publication `number` from now on; NotFound where there is none."""
        ...

    async def find(self, name: str) -> Alias:
        """Where `name` points now; NotFound."""
        ...

    async def current(self) -> Sequence[Alias]:
        """Where every name points now, by name."""
        ...

    async def history(
        self, name: str | None = None, *, limit: int = 50, offset: int = 0
    ) -> Sequence[Alias]:
        """Everything that was ever pointed, of one name or of all, newest first."""
        ...


class Verdicts(Protocol):
    """What runs recommended when they last ended."""

    async def save(self, verdict: Verdict, *, trainer: WorkerId) -> Verdict:
        """Replace what the run said before. LeaseLost unless `trainer` drives it."""
        ...

    async def find(self, run_id: RunId) -> Verdict | None:
        """What the run said; NotFound for the run, None where it has said nothing yet."""
        ...


class Checkpoints(Protocol):
    """Checkpoints of algorithms."""

    async def save(
        self,
        checkpoint: Checkpoint,
        *,
        trainer: WorkerId,
        candidates: Sequence[Resources] = (),
        publish: Resources | None = None,
        drop: Sequence[RolloutId] = (),
        rewind: bool = False,
    ) -> Checkpoint:
        """Commit state, candidates, a publication and the cancelling of `drop` as one unit.

        What is published already is not published again, but for a `rewind`.
        `drop` are queued rollouts that were told as missing. With `rewind`, candidates of later
        waves are kept and marked abandoned, and proposals that are asked for again are made anew:
        their old answers would lead back to where the run came from. What was measured stays
        known. Raises LeaseLost unless `trainer` drives the run.
        """
        ...

    async def latest(self, run_id: RunId) -> Checkpoint | None:
        """The newest whole one (its hash is checked), if any."""
        ...


class Policies(Protocol):
    """Who may do what on this store, as the store itself carries it."""

    async def install(
        self, document: Mapping[str, Json], *, principal: str, reason: str = ""
    ) -> CarriedPolicy:
        """Let `document` hold from now on; those before it are kept."""
        ...

    async def current(self) -> CarriedPolicy | None:
        """What holds, None where the store carries nothing."""
        ...


class Seals(Protocol):
    """Hashes of files beside the store, kept where whoever edits such a file does not look."""

    async def keep(self, name: str, value: str) -> None:
        """Remember `value` for `name`, in place of what was remembered before."""
        ...

    async def find(self, name: str) -> str | None:
        """What is remembered for `name`, if anything."""
        ...


class Store(Protocol):
    """A store that is open. Roles are attributes; `async with` closes it."""

    @property
    def runs(self) -> Runs: ...  # noqa: D102

    @property
    def queue(self) -> Queue: ...  # noqa: D102

    @property
    def work(self) -> Work: ...  # noqa: D102

    @property
    def resources(self) -> ResourcesLedger: ...  # noqa: D102

    @property
    def aliases(self) -> Aliases: ...  # noqa: D102

    @property
    def verdicts(self) -> Verdicts: ...  # noqa: D102

    @property
    def checkpoints(self) -> Checkpoints: ...  # noqa: D102

    @property
    def policies(self) -> Policies: ...  # noqa: D102

    @property
    def desired_states(self) -> DesiredStates: ...  # noqa: D102

    @property
    def seals(self) -> Seals: ...  # noqa: D102

    @property
    def insights(self) -> Insights: ...  # noqa: D102

    async def aclose(self) -> None:
        """Finish what was accepted and release everything; calling again does nothing."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exc: object) -> None: ...

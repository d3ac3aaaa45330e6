"""Workers without a trainer: they join the runs of a store, from any machine, and leave again."""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from tau.config.loading import compose
from tau.config.run_settings import RunConfig
from tau.config.search import audit_dir
from tau.domain.ids import RunId
from tau.domain.json import Json
from tau.domain.rollout import RolloutKind
from tau.domain.run import Run, RunStatus
from tau.errors import ConfigError, StoreError, TauError
from tau.lifecycle.authorization import PolicyFile, local_principal
from tau.ports.insights import RolloutFilter
from tau.ports.store import Store
from tau.runner.health import RunnerHealth, RunnerState
from tau.runner.supervisor import Supervisor
from tau.stores.location import shown
from tau.trainer.stop import StopRequest
from tau.wiring.access import USUAL_POLICY, check_start
from tau.wiring.parts import build_parts, check_dollars
from tau.wiring.presence import CODE, Presence, offers
from tau.wiring.snapshots import as_configuration
from tau.wiring.stores import open_store
from tau.wiring.workers import supervisor

_LOOK_S = 0.5
_MOST_RUNS = 200
_HEARTBEAT_MS = 5_000
"""Of runs whose own file is not at hand: a lease of 15 s forgives a network its moods."""
_POLL_MS = 1_000
"""Work that comes is told; asking is for when that gets lost, and a thousand may be asking."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRequest:
    """What to work on, and with what.

    `configs` are used for the runs they belong to. Other runs are worked on by what the store keeps
    of their configuration, those that name code only with `trust_store`; relative paths in it are
    taken from `base_dir`. `workers` and `concurrency` are per run. `once`: leave when no run is
    left that could be worked on.
    """

    store: str
    environ: Mapping[str, str] = field(repr=False)
    configs: Sequence[RunConfig] = ()
    workers: int = 1
    concurrency: int = 1
    base_dir: Path = Path()
    trust_store: bool = False
    once: bool = False
    principal: str | None = None
    policy: PolicyFile = USUAL_POLICY


class WorkerListener(Protocol):
    """Who watches a worker process; called on the event loop, must not block."""

    def notice(self, text: str) -> None:
        """One line for people."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerReport:
    """What a worker process did: rollouts recorded as succeeded and as failed."""

    completed: int
    failed: int


async def run_worker(
    request: WorkerRequest, *, observer: WorkerListener, stop: StopRequest
) -> WorkerReport:
    """Work until asked to stop; then what is in flight is finished and recorded.

    Pause and cancel come by way of the store: nothing of such a run is handed out.

    Raises:
        AccessDenied, PolicyInvalid: working here, which spends money, is not allowed.
        StoreError: the store cannot be opened.
    """
    who = request.principal or local_principal(request.environ)
    await check_start(
        request.store, audit_dir(request.store), request.policy, who, detail="as a worker"
    )
    async with await open_store(request.store) as store:
        observer.notice(f"working for {shown(request.store)}")
        host = _WorkerHost(request, store, observer, stop)
        try:
            await host.work()
        finally:
            await host.aclose()
        return host.report()


class _WorkerHost:
    """The workers of one process, one for each run it works on."""

    def __init__(
        self, request: WorkerRequest, store: Store, observer: WorkerListener, stop: StopRequest
    ) -> None:
        self._request = request
        self._store = store
        self._observer = observer
        self._stop = stop
        self._run_workers: dict[RunId, _RunWorkers] = {}
        self._presence = Presence(
            store.work, offers(request.environ, trust_store=request.trust_store)
        )
        self._leaving: set[asyncio.Task[None]] = set()
        self._refused: set[RunId] = set()
        self._trouble: str | None = None
        self._done = WorkerReport(completed=0, failed=0)

    async def work(self) -> None:
        """Follow the store until asked to stop, or until nothing is left."""
        while self._stop.reason is None:
            try:
                await self._presence.keep()
                runs = await self._store.insights.runs(status=RunStatus.RUNNING, limit=_MOST_RUNS)
                await self._follow(runs)
                self._note(None)
                if self._request.once and not self._run_workers:
                    return
            except StoreError as error:
                self._note(str(error))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):
                    await self._stop.wait()

    async def aclose(self) -> None:
        """Let all of them finish what they hold; at once where nobody wants to wait."""
        for run_id in list(self._run_workers):
            self._dismiss(run_id)
        await asyncio.gather(*self._leaving)
        with contextlib.suppress(StoreError):  # its lease runs out by itself
            await self._presence.aclose()

    def report(self) -> WorkerReport:
        """What was done so far."""
        return self._done

    async def _follow(self, running: Sequence[Run]) -> None:
        for run in running:
            if run.id not in self._run_workers and run.id not in self._refused:
                await self._join(run)
        present = {run.id for run in running}
        for run_id in [known for known in self._run_workers if known not in present]:
            status = (await self._store.runs.get(run_id)).status
            if status is not RunStatus.PAUSED:
                self._dismiss(run_id)
        for run_id, run_workers in list(self._run_workers.items()):
            if run_workers.health.state is RunnerState.HALTED:
                self._observer.notice(f"left {run_id}: {run_workers.health.reason}")
                self._refused.add(run_id)
                self._dismiss(run_id)

    async def _join(self, run: Run) -> None:
        try:
            config = await self._config(run)
            if config is None:
                return  # nothing is queued yet: there is no row to read it with
            self._run_workers[run.id] = await _RunWorkers.begin(config, self._store, run)
        except TauError as error:
            self._refused.add(run.id)
            self._observer.notice(f"not working on {run.id}: {error}")
        else:
            self._observer.notice(f"joined {run.id}: {run.model_ref}, {run.algorithm}")

    async def _config(self, run: Run) -> RunConfig | None:
        request = self._request
        for config in request.configs:
            if config.config_hash == run.config_hash:
                return self._sized(config)
        rows = await self._a_row(run.id)
        if rows is None:
            return None
        kept = as_configuration(run, rows)
        if not request.trust_store:
            refuse_code(kept)  # before it is composed: checking a function imports its module
        config = compose(kept, base_dir=request.base_dir, environ=request.environ)
        _check_same(config, run)
        return self._sized(
            replace(
                config,
                heartbeat_interval_ms=_HEARTBEAT_MS,
                surroundings=request.environ,
            )
        )

    def _sized(self, config: RunConfig) -> RunConfig:
        return replace(
            config,
            worker_count=self._request.workers,
            worker_concurrency=self._request.concurrency,
            poll_interval_ms=max(config.poll_interval_ms, _POLL_MS),
        )

    async def _a_row(self, run_id: RunId) -> dict[str, list[Json]] | None:
        """One row of the run: a configuration without any cannot be read."""
        where = RolloutFilter(run=run_id, kinds=frozenset({RolloutKind.EVALUATE}))
        found = await self._store.insights.rollouts(where, limit=1)
        if not found:
            return None
        example = (await self._store.insights.rollout(found[0].id)).result.request.example
        return None if example is None else {example.split.value: [example.value]}

    def _dismiss(self, run_id: RunId) -> None:
        """Let one run's workers finish what it holds, while others go on and come."""
        leaving = asyncio.create_task(self._see_off(run_id, self._run_workers.pop(run_id)))
        self._leaving.add(leaving)
        leaving.add_done_callback(self._left)

    def _left(self, leaving: asyncio.Task[None]) -> None:
        if not leaving.cancelled() and leaving.exception() is None:
            self._leaving.discard(leaving)

    async def _see_off(self, run_id: RunId, run_workers: "_RunWorkers") -> None:
        completed, failed = await run_workers.finish(self._stop)
        self._done = WorkerReport(
            completed=self._done.completed + completed, failed=self._done.failed + failed
        )
        self._observer.notice(f"left {run_id}: {completed} succeeded, {failed} failed here")

    def _note(self, trouble: str | None) -> None:
        if trouble != self._trouble and trouble is not None:
            self._observer.notice(f"waiting for the store: {trouble}")
        self._trouble = trouble


class _RunWorkers:
    """The workers of one run with all they need."""

    def __init__(self, workers: Supervisor, closing: AsyncExitStack) -> None:
        self._workers = workers
        self._closing = closing

    @classmethod
    async def begin(cls, config: RunConfig, store: Store, run: Run) -> "_RunWorkers":
        """Build what executes and grades, and start claiming."""
        check_dollars(config, run.budget)
        async with AsyncExitStack() as closing:
            parts = build_parts(config, closing)
            workers = supervisor(config, store, parts, run)
            await closing.enter_async_context(workers)
            return cls(workers, closing.pop_all())

    @property
    def health(self) -> RunnerHealth:
        """How it is going."""
        return self._workers.health()

    async def finish(self, stop: StopRequest) -> tuple[int, int]:
        """Finish what is in flight, or give it back when told not to wait; what was done."""
        draining = asyncio.ensure_future(self._workers.drain())
        hurrying = asyncio.ensure_future(stop.wait_now())
        try:
            await asyncio.wait((draining, hurrying), return_when=asyncio.FIRST_COMPLETED)
        finally:
            await self._closing.aclose()
            for task in (draining, hurrying):
                task.cancel()
            await asyncio.wait((draining, hurrying))
        health = self.health
        return health.completed, health.failed


def _check_same(config: RunConfig, run: Run) -> None:
    """Refuse a configuration that does not mean what the run's does; rows aside."""
    here = {name: value for name, value in config.semantic.items() if name != "examples"}
    there = {name: value for name, value in run.config.items() if name != "examples"}
    differing = sorted(
        name for name in here.keys() | there.keys() if here.get(name) != there.get(name)
    )
    if differing:
        raise ConfigError(
            f"this Tau reads the run's configuration otherwise: {', '.join(differing)}",
            fix="use the same version of Tau, or name its configuration file",
        )


def refuse_code(config: Mapping[str, Any]) -> None:
    """Refuse to run code that only the store names, however deep among the graders it stands.

    Raises:
        ConfigError: the configuration names an executor or a grader that is code.
    """
    named = sorted(set(_types([config.get("executor"), config.get("graders")])) & CODE)
    if named:
        raise ConfigError(
            f"its configuration runs code of its own ({', '.join(named)})",
            fix="name its configuration file, or trust whoever writes the store: --trust-store",
        )


def _types(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        if isinstance(value.get("type"), str):
            yield value["type"]
        for each in value.values():
            yield from _types(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _types(each)

"""The report of a run that was over before anybody got it: delivered once more, paid for once."""

from dataclasses import replace

from tau.config.run_settings import RunConfig
from tau.domain.ids import RunId, WorkerId
from tau.domain.run import Run, RunStatus
from tau.errors import NotFound
from tau.ports.algorithm import Recommendation
from tau.ports.clock import SystemClock
from tau.ports.store import Store
from tau.trainer.monitor import Monitor
from tau.trainer.report import RunReport
from tau.trainer.status import StatusFile
from tau.wiring.history import past_of
from tau.wiring.observing import Observer
from tau.wiring.outcome import report_of
from tau.wiring.parts import ExecutionParts, plan_of
from tau.wiring.stores import open_store

_NOBODY = WorkerId("worker-0")


async def report_again(
    store: Store,
    config: RunConfig,
    run_id: str | None,
    *,
    parts: ExecutionParts,
    status: StatusFile,
    store_path: str,
    observer: Observer,
) -> RunReport | None:
    """The report of a run that was over before anybody got it; None where there is none.

    That is the named run, else the newest of the configuration. It is made from the store, and
    `status.json` is brought up to date.
    """
    run = await _undelivered(store, config, run_id)
    verdict = None if run is None else await store.verdicts.find(run.id)
    if run is None or verdict is None:
        return None
    observer.notice(
        f"run '{run.id}' was over before its report was delivered: here it is; nothing is run "
        "again (--new begins a new run)"
    )
    observer.started(run, resumed=True, total=None)
    monitor = Monitor(
        store=store,
        run=run.id,
        trainer=run.trainer or _NOBODY,
        clock=SystemClock(),
        status=status,
        observe=observer.progress,
        notice=observer.notice,
        evidence=lambda: verdict.evidence,
        resumed=True,
    )
    best = Recommendation(
        resources=verdict.resources,
        decision=verdict.decision,
        evidence=verdict.evidence,
        caveats=verdict.caveats,
    )
    report = await report_of(
        store,
        best,
        await monitor.look(final=True),
        store_path=store_path,
        resumed=True,
        prices_known=parts.prices_known,
        plan=plan_of(config, parts, await past_of(store, config, run)),
    )
    return replace(report, duration_s=run.active_s)


async def mark_delivered(location: str, report: RunReport) -> None:
    """Note in the store at `location` that `report` is with whoever asked for it.

    Of a run that goes on when it is started again there is nothing to note.

    Raises:
        StoreError: the next start delivers it again.
    """
    if report.status is RunStatus.COMPLETED:
        async with await open_store(location) as store:
            await store.runs.mark_reported(RunId(report.run_id))


async def _undelivered(store: Store, config: RunConfig, run_id: str | None) -> Run | None:
    run: Run | None
    if run_id is None:
        run = next(iter(await store.runs.find(config.config_hash)), None)
    else:
        try:
            run = await store.runs.get(RunId(run_id))
        except NotFound:
            return None
    if run is None or run.reported or run.config_hash != config.config_hash:
        return None
    return run if run.status is RunStatus.COMPLETED else None

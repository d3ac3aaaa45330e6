"""Which run a start continues, or the new one it begins."""

import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from tau.config.run_settings import RunConfig
from tau.domain.actions import DesiredState, LifecycleState
from tau.domain.ids import RunId
from tau.domain.run import Run
from tau.errors import InputError, NotFound, RunError, RunStopped
from tau.lifecycle.checkpoint_file import CheckpointFile
from tau.lifecycle.live import RunControl, orphan, paused_by_operator
from tau.lifecycle.projection import later
from tau.ports.clock import Clock
from tau.ports.store import Store
from tau.trainer.operator_control import Lost
from tau.wiring.desired import record_of_run
from tau.wiring.run_control import end_run


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenRun:
    """A run to drive. `lost` is its checkpoint file's content, should the store have less.

    `record` is what the store says is desired of it; `unknown` where the store did not know it.
    """

    run: Run
    resumed: bool
    record: DesiredState | None = None
    lost: Lost | None = None
    unknown: bool = False


async def choose_run(
    store: Store,
    config: RunConfig,
    clock: Clock,
    control: RunControl,
    *,
    run_id: str | None,
    new: bool,
) -> ChosenRun:
    """The named run, else the newest unfinished one of the configuration, else a `new` one.

    A run that the store has lost goes on from its checkpoint file. One that an operator cancelled
    while it was not running is ended first.

    Raises:
        InputError: the named run does not exist, is finished, or is of another configuration.
        RunStopped: an operator has paused it; nothing was changed.
        ControlError: the control state cannot be read.
    """
    desired = control.desired()
    if new:
        return ChosenRun(run=await store.runs.create(_new(config, clock)), resumed=False)
    file = await _lost(store, config, control, run_id)
    if file is not None and run_id == file.run_id:
        run = None
    else:
        run = await _unfinished(store, config, run_id)
    known = run or file
    record = None if run is None else await record_of_run(store, run.id)
    desired = later(desired, record)
    if known is not None and desired is not None and desired.run_id in (None, _id(known)):
        if desired.lifecycle_state is LifecycleState.CANCELLED:
            if run is not None:
                await end_run(store, run.id)
            run = file = None
        elif paused_by_operator(desired):
            raise RunStopped(
                f"run '{_id(known)}' was paused by {desired.principal}",
                why=desired.reason,
                fix="let it go on with: tau resume",
            )
    if run is not None:
        lost = _of(orphan(control.folder, config.config_hash), run.id)
        return ChosenRun(run=run, resumed=True, record=record, lost=lost)
    if file is not None:
        made = replace(
            _new(config, clock), id=file.run_id, spent=file.spend, active_s=file.active_s
        )
        lost = _of(file, file.run_id)
        return ChosenRun(run=await store.runs.create(made), resumed=True, lost=lost, unknown=True)
    return ChosenRun(run=await store.runs.create(_new(config, clock)), resumed=False)


async def check_goes_on(store: Store, run_id: str) -> None:
    """Raise RunError where others have ended the run while this process stood still."""
    run = await store.runs.get(RunId(run_id))
    if run.over:
        raise RunError(
            f"run '{run.id}' was taken over by another process while this one stood still, and is "
            f"{run.status} now",
            why="this one was silent for longer than its lease (suspended, or starved of time); "
            "what it did since counts for nothing",
            fix=f"nothing is left to do: tau export --run {run.id} shows what came of it",
        )


async def _lost(
    store: Store, config: RunConfig, control: RunControl, run_id: str | None
) -> CheckpointFile | None:
    """The checkpoint file of a run that is to go on and that the store does not know."""
    file = orphan(control.folder, config.config_hash)
    if file is None or run_id not in (None, file.run_id):
        return None
    found = await store.runs.find(config.config_hash)
    if any(not run.over for run in found) or await _known(store, file.run_id):
        return None
    return file


def _id(known: Run | CheckpointFile) -> RunId:
    return known.id if isinstance(known, Run) else known.run_id


def _of(file: CheckpointFile | None, run_id: RunId) -> Lost | None:
    if file is None or file.checkpoint is None or file.run_id != run_id:
        return None
    return Lost(checkpoint=file.checkpoint, candidates=file.candidates)


async def _unfinished(store: Store, config: RunConfig, run_id: str | None) -> Run | None:
    if run_id is not None:
        return await _named(store, config, RunId(run_id))
    found = await store.runs.find(config.config_hash)
    return next((run for run in found if not run.over), None)


async def _known(store: Store, run_id: RunId) -> bool:
    try:
        await store.runs.get(run_id)
    except NotFound:
        return False
    return True


async def _named(store: Store, config: RunConfig, run_id: RunId) -> Run:
    try:
        run = await store.runs.get(run_id)
    except NotFound as error:
        raise InputError(
            f"there is no run '{run_id}' in this store", fix="list: tau runs"
        ) from error
    if run.config_hash != config.config_hash:
        raise InputError(
            f"run '{run_id}' was started with another configuration",
            why="its model, data, prompts, graders or seed differ",
            fix="use its configuration, or leave out --run to begin a new run",
        )
    if run.over:
        raise InputError(
            f"run '{run_id}' is {run.status}; it cannot go on", fix="leave out --run to begin anew"
        )
    return run


def _new(config: RunConfig, clock: Clock) -> Run:
    started = datetime.fromtimestamp(clock.unix_ms() / 1000, tz=UTC)
    return Run(
        id=RunId(f"run-{started:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"),
        config_hash=config.config_hash,
        model_ref=config.model_ref or "none",
        seed=config.seed,
        algorithm=config.algorithm.type,
        config=config.semantic,
        budget=config.budget,
        max_attempts=config.max_attempts,
    )

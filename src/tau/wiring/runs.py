"""Which run a start continues, or the new one it begins."""

import secrets
from datetime import UTC, datetime

from tau.config.settings import RunConfig
from tau.domain.ids import RunId
from tau.domain.run import Run, RunStatus
from tau.errors import InputError, NotFound
from tau.ports.clock import Clock
from tau.ports.store import Store

_FINAL = frozenset({RunStatus.COMPLETED, RunStatus.CANCELLED})


async def choose_run(
    store: Store, config: RunConfig, clock: Clock, *, run_id: str | None
) -> tuple[Run, bool]:
    """The run to drive, and whether it is one that goes on.

    The named one, else the newest unfinished one of the same configuration, else a new one.

    Raises:
        InputError: the named run does not exist, is finished, or is of another configuration.
    """
    if run_id is not None:
        return await _named(store, config, RunId(run_id)), True
    for run in await store.runs.find(config.config_hash):
        if run.status not in _FINAL:
            return run, True
    return await store.runs.create(_new(config, clock)), False


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
    if run.status in _FINAL:
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

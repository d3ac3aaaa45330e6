"""What people call runs and rollouts: whole names, their beginnings, and the short ones shown."""

import re
from collections.abc import Sequence

from tau.domain.ids import (
    RolloutId,
    RunId,
    attempt_parts,
    rollout_id,
    rollout_key,
    short_run,
    stands_for,
)
from tau.domain.run import Run
from tau.errors import Conflict, NotFound
from tau.ports.insights import RolloutFilter
from tau.ports.store import Store

_PAGE = 500
_LISTED = 5
_SHORT_ROLLOUT = re.compile(r"r?(?P<key>[1-9][0-9]{0,17})\Z")


async def run_named(store: Store, name: str) -> RunId:
    """The run of this name: whole, its beginning, or the end that listings show.

    Raises:
        NotFound: there is none.
        Conflict: there are several; names them.
    """
    found = await runs_named(store, name)
    if not found:
        raise NotFound(f"there is no run '{name:.80}' in this store", fix="list them: tau runs")
    if len(found) > 1:
        raise Conflict(
            f"'{name}' can be any of {len(found):,} runs",
            why=_listed([run.id for run in found]),
            fix="give more of its name",
        )
    return found[0].id


async def runs_named(store: Store, name: str) -> Sequence[Run]:
    """Every run that `name` can mean, newest first; only the one that has it as a whole name."""
    if not name:
        return ()
    try:
        return (await store.runs.get(RunId(name)),)
    except NotFound:
        return [run for run in await _all_runs(store) if stands_for(name, run.id)]


async def whole_name(store: Store, name: str) -> str:
    """The run's whole name, or `name` itself where no run of the store is meant; Conflict."""
    try:
        return await run_named(store, name)
    except NotFound:
        return name


async def rollout_named(store: Store, name: str) -> RolloutId:
    """The rollout of this name: whole, `r304`, or `8c955d-r304`; an attempt's is its rollout's.

    Raises:
        NotFound: there is none.
        Conflict: the run that it names can be several.
    """
    attempt = attempt_parts(name)
    name = attempt[0] if attempt else name
    short = _SHORT_ROLLOUT.match(name)
    if short is not None:
        return await _by_key(store, name, int(short["key"]))
    parts = rollout_key(name)
    if parts is None:
        raise NotFound(f"there is no rollout '{name:.80}'", fix="list them: tau rollouts ls")
    found = await runs_named(store, parts[0])
    if len(found) > 1:
        raise Conflict(
            f"'{parts[0]}' can be any of {len(found):,} runs",
            why=_listed([run.id for run in found]),
            fix=f"r{parts[1]} alone is enough",
        )
    return rollout_id(found[0].id if found else parts[0], parts[1])


async def _by_key(store: Store, name: str, key: int) -> RolloutId:
    """Keys are unique in a store, so that one run at most has it."""
    runs = await _all_runs(store)
    for start in range(0, len(runs), _PAGE):
        ids = tuple(rollout_id(run.id, key) for run in runs[start : start + _PAGE])
        for row in await store.insights.rollouts(RolloutFilter(ids=ids), limit=1):
            return row.id
    raise NotFound(f"there is no rollout '{name}' in this store", fix="list them: tau rollouts ls")


async def _all_runs(store: Store) -> Sequence[Run]:
    found: list[Run] = []
    while page := await store.insights.runs(limit=_PAGE, offset=len(found)):
        found += page
    return found


def _listed(names: Sequence[str]) -> str:
    """The first few, with what is their own where that tells them apart."""
    shown = ", ".join(names[:_LISTED])
    rest = len(names) - _LISTED
    return f"{shown} and {rest:,} more" if rest > 0 else shown


def short_names(runs: Sequence[str]) -> dict[str, str]:
    """What to call each of these runs: short, but whole where two would be called the same."""
    short = [short_run(run) for run in runs]
    return {
        run: name if short.count(name) == 1 else run for run, name in zip(runs, short, strict=True)
    }

"""A stored run derived again, and where it comes out otherwise."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

from tau.cli import optimization
from tau.cli.decision import headline, plain
from tau.cli.figures import count
from tau.cli.records.naming import newest_run
from tau.cli.records.reading import print_json, print_lines
from tau.cli.streams import reserved_stdout
from tau.cli.surface import Exit
from tau.cli.text import facts, line
from tau.config.environment import snapshot
from tau.config.paths import state_dir
from tau.reports.outcome import outcome
from tau.wiring.replaying import Replay
from tau.wiring.replaying import replay as replay_run
from tau.wiring.stores import open_store

_LISTED = 20


def replay(store: str, run: str | None, *, config: str | None, as_json: bool) -> int:
    """Print what was checked; exit code 1 where a number differs from the stored one."""

    async def act() -> Replay:
        async with await open_store(store, read_only=True) as opened:
            run_id = await newest_run(opened, run)
            known = config or _configuration(store, run_id)
            return await replay_run(opened, run_id, config_path=known, environ=snapshot())

    with reserved_stdout(), asyncio.Runner() as runner:  # graders may print
        found = runner.run(act())
    if as_json:
        print_json(_fields(found))
    else:
        print_lines(list(_lines(found)))
    return Exit.FAILED if found.differences else Exit.OK


def _configuration(store: str, run_id: str) -> str | None:
    """The configuration file that the run's status names, if that is of this run and still there.

    A changed file is another configuration: the replay finds that by its hash.
    """
    try:
        status = json.loads(state_dir(store).status.read_bytes())
    except (OSError, ValueError):
        return None
    origin = status.get("started_with") if isinstance(status, dict) else None
    if not isinstance(origin, dict) or status.get("run_id") != run_id:
        return None
    path = Path(str(origin.get("folder", ""))) / str(origin.get("config", ""))
    return str(path) if path.is_file() else None


def _lines(found: Replay) -> Iterator[str]:
    account = found.account
    yield f"run {line(account.run.id)}"
    yield f"{count(found.graded, 'evaluation')} graded again" + (
        "" if found.waves is None else f", {count(found.waves, 'wave')} told again"
    )
    if found.differences:
        differ = len(found.differences)
        yield f"{count(differ, 'number')} {'differs' if differ == 1 else 'differ'}:"
        for one in found.differences[:_LISTED]:
            yield f"  {line(one.what)}: stored {line(str(one.stored))}, now {line(str(one.again))}"
        if len(found.differences) > _LISTED:
            yield f"  and {len(found.differences) - _LISTED:,} more"
    else:
        yield "every number that was checked is as it is stored"
    yield from facts(("note", skipped) for skipped in found.skipped)
    yield ""
    if account.decision is not None:
        yield from map(plain, headline(outcome(account)))
        yield ""
    yield from optimization.split_table(account)
    if account.gain is not None:
        yield from facts([("gain", optimization.gain_text(account.gain))])


def _fields(found: Replay) -> dict[str, object]:
    return {
        "run_id": found.account.run.id,
        "evaluations_graded": found.graded,
        "waves_told": found.waves,
        "same": not found.differences,
        "differences": [
            {"what": one.what, "stored": one.stored, "again": one.again}
            for one in found.differences
        ],
        "not_checked": list(found.skipped),
        **optimization.account_fields(found.account),
    }

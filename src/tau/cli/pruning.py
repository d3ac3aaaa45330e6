"""Retention by hand: shown first, then done, allowed and audited as any control."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import asdict

from tau.cli.databases import file_of
from tau.cli.figures import count
from tau.cli.records.reading import moment, print_json, print_lines, read
from tau.cli.surface import Exit
from tau.cli.text import table
from tau.domain.ids import short_run
from tau.domain.visible import line
from tau.errors import UsageError
from tau.lifecycle.asking import Asked
from tau.lifecycle.authorization import PRUNE, PRUNE_KEY, PolicyFile
from tau.ports.clock import SystemClock
from tau.ports.store import Store
from tau.stores.location import on_server
from tau.stores.retention import PrunedRun
from tau.stores.sqlite.pruning import prune
from tau.wiring.access import guarded
from tau.wiring.naming import whole_name
from tau.wiring.servers import prune_server

_AGE = re.compile(r"(?P<n>[1-9][0-9]{0,5})(?P<unit>[hdw])\Z")
_UNIT_MS = {"h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


def prune_store(
    location: str,
    *,
    runs: Sequence[str],
    older_than: str | None,
    reason: str | None,
    principal: str,
    policy: PolicyFile,
    yes: bool,
    as_json: bool,
) -> int:
    """Show what would be deleted; with `yes`, delete it.

    Raises:
        UsageError: neither runs nor an age is given.
        AccessDenied: the policy does not allow it; that is audited.
    """
    if not runs and older_than is None:
        raise UsageError("nothing is chosen", fix="name runs, or give --older-than 30d")
    if runs:
        runs = read(location, lambda opened: _whole(opened, runs))
    before = None if older_than is None else SystemClock().unix_ms() - age_ms(older_than)
    with asyncio.Runner() as runner:
        found = runner.run(_pruned(location, runs, before, dry_run=True))
    if yes and found:
        told = ", ".join(f"{one.id} ({one.rollouts})" for one in found)[:2000]
        asked = Asked(
            action=PRUNE, key=PRUNE_KEY, principal=principal, reason=reason, detail=told
        )  # fmt: skip
        ids = [one.id for one in found]

        async def delete() -> None:
            await _pruned(location, ids, None, dry_run=False)

        with asyncio.Runner() as runner:
            runner.run(guarded(location, asked, policy, delete))
    if as_json:
        print_json({"deleted": yes, "runs": [asdict(one) for one in found]})
        return Exit.OK
    print_lines(
        table(
            ("run", "state", "last changed", "rollouts"),
            [(short_run(one.id), one.status, moment(one.updated_unix_ms), f"{one.rollouts:,}")
             for one in found],
        )
    )  # fmt: skip
    done = "deleted" if yes else "would be deleted; do it with --yes"
    print_lines([f"{count(sum(one.rollouts for one in found), 'rollout')} {done}"])
    return Exit.OK


async def _whole(store: Store, runs: Sequence[str]) -> list[str]:
    return [await whole_name(store, name) for name in runs]


async def _pruned(
    location: str, runs: Sequence[str], before: int | None, *, dry_run: bool
) -> Sequence[PrunedRun]:
    if on_server(location):
        return await prune_server(location, runs=runs, before_unix_ms=before, dry_run=dry_run)
    return await asyncio.to_thread(
        prune, file_of(location), runs=runs, before_unix_ms=before, dry_run=dry_run
    )


def age_ms(text: str) -> int:
    """Milliseconds of `12h`, `30d` or `8w`.

    Raises:
        UsageError: it is none of those.
    """
    match = _AGE.match(text)
    if match is None:
        raise UsageError(f"'{line(text)}' is no age", fix="write 12h, 30d or 8w")
    return int(match["n"]) * _UNIT_MS[match["unit"]]

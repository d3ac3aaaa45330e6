"""Retention by hand: shown first, then done, allowed and audited as any control."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tau.cli.databases import file_of
from tau.cli.records.reading import moment, print_json, print_lines
from tau.cli.surface import Exit
from tau.cli.text import table
from tau.config.environment import snapshot
from tau.config.paths import state_dir
from tau.domain.visible import line
from tau.errors import AccessDenied, UsageError
from tau.lifecycle.audit import AuditEvent
from tau.lifecycle.authorization import Authorizer, local_principal
from tau.lifecycle.register import Register
from tau.ports.clock import SystemClock
from tau.stores.location import on_server
from tau.stores.retention import PrunedRun
from tau.stores.sqlite.pruning import prune
from tau.wiring.servers import prune_server

ACTION_KEY = "control:rl:prune"
_AGE = re.compile(r"(?P<n>[1-9][0-9]{0,5})(?P<unit>[hdw])\Z")
_UNIT_MS = {"h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


def prune_store(
    location: str,
    *,
    runs: Sequence[str],
    older_than: str | None,
    reason: str | None,
    policy: str,
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
    before = None if older_than is None else SystemClock().unix_ms() - age_ms(older_than)
    found = _prune(location, runs, before, dry_run=True)
    if yes and found:
        _allowed_and_audited(location, Path(policy), found, reason)
        _prune(location, [one.id for one in found], None, dry_run=False)
    if as_json:
        print_json({"deleted": yes, "runs": [asdict(one) for one in found]})
        return Exit.OK
    print_lines(
        table(
            ("run", "state", "last changed", "rollouts"),
            [(one.id, one.status, moment(one.updated_unix_ms), f"{one.rollouts:,}")
             for one in found],
        )
    )  # fmt: skip
    done = "deleted" if yes else "would be deleted; do it with --yes"
    print_lines([f"{sum(one.rollouts for one in found):,} rollouts {done}"])
    return Exit.OK


def _prune(
    location: str, runs: Sequence[str], before: int | None, *, dry_run: bool
) -> Sequence[PrunedRun]:
    if not on_server(location):
        return prune(file_of(location), runs=runs, before_unix_ms=before, dry_run=dry_run)
    with asyncio.Runner() as runner:
        return runner.run(prune_server(location, runs=runs, before_unix_ms=before, dry_run=dry_run))


def age_ms(text: str) -> int:
    """Milliseconds of `12h`, `30d` or `8w`.

    Raises:
        UsageError: it is none of those.
    """
    match = _AGE.match(text)
    if match is None:
        raise UsageError(f"'{line(text)}' is no age", fix="write 12h, 30d or 8w")
    return int(match["n"]) * _UNIT_MS[match["unit"]]


def _allowed_and_audited(
    location: str, policy: Path, found: Sequence[PrunedRun], reason: str | None
) -> None:
    """Written down before it is done: what is gone afterwards was allowed to somebody."""
    principal = local_principal(snapshot())
    register = Register(state_dir(location))
    decision = Authorizer(policy).decide(principal, ACTION_KEY)
    with register.held():
        state = register.state()
        register.note(
            AuditEvent(
                timestamp_unix_ms=SystemClock().unix_ms(),
                principal=principal,
                action="prune",
                action_key=ACTION_KEY,
                lifecycle_state=str(state.lifecycle_state) if state else "running",
                idempotent=None,
                reason=reason,
                decision="allowed" if decision.allowed else "denied",
                reason_code=str(decision.reason_code),
                detail=", ".join(f"{one.id} ({one.rollouts})" for one in found)[:2000],
            )
        )
    if not decision.allowed:
        raise AccessDenied(
            f"unauthorized pruning: principal={principal} action={ACTION_KEY} "
            f"reason_code={decision.reason_code}",
            reason_code=decision.reason_code,
        )

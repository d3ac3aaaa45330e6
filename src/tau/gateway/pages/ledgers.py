"""Alerts, the audit, and published prompts with their names."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request

from tau.domain.json import Json
from tau.errors import NotFound, TauError
from tau.gateway.alerts import alerts as alerts_of
from tau.gateway.alerts import health_state
from tau.gateway.contest import verdict_of
from tau.gateway.context import Gateway
from tau.gateway.pages.rendering import Page
from tau.gateway.pages.rollout import shortened
from tau.gateway.pages.run import bounded_diff
from tau.gateway.paging import Paging, number_of, page_number
from tau.gateway.promotion import obstacle, support
from tau.lifecycle.audit import AuditTrail
from tau.lifecycle.paths import StateDir
from tau.reports.account import resource_text

PER_PAGE = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """A part of the audit, newest first, and whether its chain holds."""

    lines: tuple[Mapping[str, Json], ...]
    total: int
    breaks: tuple[str, ...]
    trouble: str | None = None


async def alerts(gateway: Gateway, request: Request) -> Page:
    """What needs somebody, with the command to type."""
    snapshot = await gateway.watch.snapshot()
    state, reason = health_state(snapshot)
    return Page(
        template="alerts.html",
        title="Alerts",
        section="alerts",
        live=True,
        values={"alerts": alerts_of(snapshot), "state": state, "reason": reason,
                "run": snapshot.run, "training": snapshot.training},
    )  # fmt: skip


async def audit(gateway: Gateway, request: Request) -> Page:
    """Who, what, when, why, allowed or denied."""
    number = page_number(request)
    found = await asyncio.to_thread(_audited, gateway.settings.state_dir, number)
    return Page(
        template="audit.html",
        title="Audit",
        section="audit",
        live=number == 1,
        values={
            "found": found,
            "path": str(gateway.settings.state_dir.audit),
            "paging": Paging(
                request,
                number=number,
                more=number * PER_PAGE < found.total,
                total=found.total,
                size=PER_PAGE,
            ),
        },
    )


def _audited(folder: StateDir, number: int) -> Audited:
    trail = AuditTrail(folder.audit)
    try:
        lines, _ = trail.read()
        breaks = tuple(f"line {one.line}: {one.what}" for one in trail.verify())
    except TauError as error:
        return Audited(lines=(), total=0, breaks=(), trouble=str(error))
    newest = list(reversed(lines))[(number - 1) * PER_PAGE : number * PER_PAGE]
    return Audited(lines=tuple(line.fields for line in newest), total=len(lines), breaks=breaks)


async def prompts(gateway: Gateway, request: Request) -> Page:
    """Published versions, the names that point at them, and how those were moved."""
    number = page_number(request)
    published = await gateway.window.ask(
        lambda store: store.insights.versions(limit=PER_PAGE + 1, offset=(number - 1) * PER_PAGE)
    )
    shown = published[:PER_PAGE]
    newest = {one.resources.hash: one.number for one in reversed(shown)}
    versions = [one for one in shown if newest[one.resources.hash] == one.number]
    return Page(
        template="prompts.html",
        title="Prompts",
        section="prompts",
        values={
            "versions": versions,
            "proofs": {
                one.number: support(one, await verdict_of(gateway, one.run_id))
                for one in versions
                if one.run_id
            },
            "obstacle": obstacle(gateway, gateway.settings.principal),
            "aliases": await gateway.window.ask(lambda store: store.aliases.current()),
            "history": await gateway.window.ask(lambda store: store.aliases.history(limit=20)),
            "paging": Paging(request, number=number, more=len(published) > PER_PAGE),
        },
    )


async def prompt(gateway: Gateway, request: Request) -> Page:
    """One published version: its texts, and what changed from its parent or the one before."""
    text = request.path_params["number"]
    number = number_of(text)
    if number is None:
        raise NotFound(f"there is no publication '{text[:40]}'")
    version = await gateway.window.ask(lambda store: store.resources.version(number))
    before = None
    if version.number > 1:
        before = await gateway.window.ask(lambda store: store.resources.version(version.number - 1))
    aliases = await gateway.window.ask(lambda store: store.aliases.current())
    return Page(
        template="prompt.html",
        title=version.id,
        section="prompts",
        values={
            "version": version,
            "before": before,
            "obstacle": obstacle(gateway, gateway.settings.principal),
            "texts": {
                name: shortened(resource_text(value))
                for name, value in version.resources.values.items()
            },
            "diffs": bounded_diff(before.resources, version.resources) if before else {},
            "aliases": [one for one in aliases if one.version.number == version.number],
        },
    )

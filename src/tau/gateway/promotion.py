"""Pointing an alias at a published prompt, by those who may."""

import re

from tau.domain.decision import Decision, Verdict
from tau.domain.ids import version_id
from tau.domain.json import Json
from tau.domain.resources import Alias, ResourcesVersion
from tau.errors import PolicyInvalid
from tau.gateway.answers import Refused
from tau.gateway.context import Gateway
from tau.lifecycle.asking import Asked
from tau.lifecycle.authorization import PROMOTE, PROMOTE_KEY
from tau.reports.gain import of_evidence, partial_of
from tau.wiring.access import guarded
from tau.wiring.stores import open_store

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")


def obstacle(gateway: Gateway, principal: str) -> str | None:
    """Why `principal` cannot promote here, None where it can."""
    if gateway.settings.read_only:
        return "this gateway is read-only"
    try:
        decision = gateway.authorizer.decide(principal, PROMOTE_KEY)
    except PolicyInvalid as error:
        return str(error)
    return None if decision.allowed else f"{principal} is not allowed to ({decision.reason_code})"


async def promote(
    gateway: Gateway, *, principal: str, number: int, alias: str, reason: str
) -> Alias:
    """Let `alias` stand for publication `number`; its history keeps who did it and why.

    Raises:
        Refused: 400 for a name that is none, 403 where the gateway is read-only.
        AccessDenied, PolicyInvalid: the policy does not allow it.
        StoreError: there is no such publication, or the store cannot be written.
    """
    if gateway.settings.read_only:
        raise Refused(403, "read_only", "this gateway is read-only")
    await gateway.access.refresh()
    if not _NAME.match(alias) and obstacle(gateway, principal) is None:
        raise Refused(
            400, "invalid_alias", "that is no name for an alias",
            fix="letters, digits, dots, dashes and underscores, at most 64",
        )  # fmt: skip
    settings = gateway.settings
    asked = Asked(
        action=PROMOTE, key=PROMOTE_KEY, principal=principal, reason=reason or None,
        detail=f"{alias} to {version_id(number)}",
    )  # fmt: skip

    async def point() -> Alias:
        async with await open_store(settings.store) as store:
            version = await store.resources.version(number)
            verdict = await store.verdicts.find(version.run_id) if version.run_id else None
            chosen: dict[str, Json] = {"chosen": version.id, "from": "dashboard"}
            return await store.aliases.point(
                alias,
                number,
                principal=principal,
                reason=reason,
                evidence=chosen | support(version, verdict),
            )

    return await guarded(settings.store, asked, settings.policy, point, folder=settings.state_dir)


def support(version: ResourcesVersion, verdict: Verdict | None) -> dict[str, Json]:
    """What speaks for a publication: the decision of the run that proved it better, or nothing."""
    if verdict is None or verdict.decision is not Decision.PROMOTE:
        return {}
    if verdict.resources.hash != version.resources.hash:
        return {}
    found: dict[str, Json] = {"run_id": version.run_id, "decision": str(verdict.decision)}
    gain = of_evidence(verdict.evidence)
    if gain is not None:
        found["gain"] = gain.short()
    partial = partial_of(verdict.evidence)
    if partial is not None:
        found["partial"] = partial.to_json()
    return found

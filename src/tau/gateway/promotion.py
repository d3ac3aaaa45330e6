"""Pointing an alias at a published prompt, by those who may."""

import re

from tau.domain.resources import Alias
from tau.errors import AccessDenied
from tau.gateway.answers import Refused
from tau.gateway.context import Gateway
from tau.lifecycle.authorization import PROMOTE_KEY
from tau.wiring.stores import open_store

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")


def obstacle(gateway: Gateway, principal: str) -> str | None:
    """Why `principal` cannot promote here, None where it can."""
    if gateway.settings.read_only:
        return "this gateway is read-only"
    decision = gateway.authorizer.decide(principal, PROMOTE_KEY)
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
    decision = gateway.authorizer.decide(principal, PROMOTE_KEY)
    if not decision.allowed:
        raise AccessDenied(
            f"unauthorized promotion: principal={principal} action={PROMOTE_KEY} "
            f"reason_code={decision.reason_code}",
            reason_code=decision.reason_code,
        )
    if not _NAME.match(alias):
        raise Refused(
            400, "invalid_alias", "that is no name for an alias",
            fix="letters, digits, dots, dashes and underscores, at most 64",
        )  # fmt: skip
    async with await open_store(gateway.settings.store) as store:
        return await store.aliases.point(
            alias,
            number,
            principal=principal,
            reason=reason,
            evidence={"chosen": f"resources-{number}", "from": "dashboard"},
        )

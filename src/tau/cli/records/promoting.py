"""Pointing names at prompts, and reading the prompt that a name points at."""

import asyncio
import sys
from dataclasses import dataclass
from typing import Any

from tau.cli.records.naming import newest_run, version_of
from tau.cli.records.reading import moment, print_json, print_lines, print_table, read
from tau.cli.surface import Exit
from tau.cli.text import Column, line
from tau.domain.decision import Decision
from tau.domain.ids import short_hash, short_run, version_number
from tau.domain.json import Json
from tau.domain.resources import Alias, ResourcesVersion
from tau.errors import InputError, NotFound
from tau.lifecycle.asking import Asked
from tau.lifecycle.authorization import PROMOTE, PROMOTE_KEY, PolicyFile
from tau.ports.store import Store
from tau.reports.account import Account, gather
from tau.wiring.access import guarded
from tau.wiring.naming import run_named
from tau.wiring.stores import open_store


@dataclass(frozen=True, slots=True, kw_only=True)
class Promoter:
    """Who points an alias, and the policy that says whether they may."""

    principal: str
    policy: PolicyFile


def promote(
    store: str,
    name: str | None,
    who: Promoter,
    *,
    alias: str,
    reason: str,
    force: bool,
    as_json: bool,
) -> int:
    """Point `alias` at what a run recommends, or at published resources; prints where it points.

    Raises:
        AccessDenied, PolicyInvalid: `who` may not; nothing was changed.
        InputError: the run has not decided for its prompt, and nobody forces it.
        NotFound: there is no such run or publication.
    """
    name = name or read(store, lambda opened: newest_run(opened, None))
    asked = Asked(
        action=PROMOTE, key=PROMOTE_KEY, principal=who.principal, reason=reason or None,
        detail=f"{alias} to {name}{', forced' if force else ''}",
    )  # fmt: skip

    async def act() -> Alias:
        async with await open_store(store) as opened:
            version, evidence = await _wanted(opened, name, force=force)
            return await opened.aliases.point(
                alias,
                version.number,
                principal=who.principal,
                reason=reason,
                evidence=evidence,
            )

    async def promoted() -> Alias:
        # To write would make a store that is not there.
        await (await open_store(store, read_only=True)).aclose()
        return await guarded(store, asked, who.policy, act)

    with asyncio.Runner() as runner:
        made = runner.run(promoted())
    if as_json:
        print_json(_fields(made))
    else:
        print_lines(
            [f"{line(made.name)} is {made.version.id} ({short_hash(made.version.resources.hash)})"]
        )
        sys.stderr.write(f"read a prompt with: tau prompt get NAME@{line(alias)}\n")
    return Exit.OK


async def _wanted(
    opened: Store, name: str, *, force: bool
) -> tuple[ResourcesVersion, dict[str, Json]]:
    """The publication meant, with what speaks for it; publishes a run's best where forced to."""
    if version_number(name) is not None or name == "latest":
        return await version_of(opened, name), {"chosen": name}
    try:
        account = await gather(opened, await run_named(opened, name))
    except NotFound as error:
        raise NotFound(
            f"there is neither a run nor a publication '{name:.80}'",
            fix="list them with: tau runs, tau resources ls",
        ) from error
    decided = account.decision == Decision.PROMOTE
    if not decided and not force:
        raise InputError(
            f"run '{account.run.id}' has not proved its prompt better",
            why=account.reason or f"its decision is {account.decision}",
            fix="--force points the alias at it all the same, and its history says so",
        )
    wanted = account.best if decided else account.leader
    evidence = {**_evidence(account), "forced": force and not decided}
    if account.version is not None and wanted.hash == account.version.resources.hash:
        return account.version, evidence
    return await opened.resources.publish(wanted, run_id=account.run.id), evidence


def _evidence(account: Account) -> dict[str, Json]:
    gain = account.gain
    found: dict[str, Json] = {"run_id": account.run.id, "decision": account.decision}
    if gain is not None:
        found["gain"] = gain.short()
    return found


_ALIASES = (
    Column(name="alias", least=10),
    Column(name="version"),
    Column(name="hash", drop=3),
    Column(name="by", least=10, drop=1),
    Column(name="when", least=10, drop=2),
    Column(name="why", least=10),
)


def list_aliases(store: str, name: str | None, *, history: bool, limit: int, as_json: bool) -> int:
    """Print where names point, or everything that one or all were ever pointed at."""

    async def query(opened: Store) -> list[Alias]:
        if history or name is not None:
            return list(await opened.aliases.history(name, limit=limit))
        return list(await opened.aliases.current())

    found = read(store, query)
    if as_json:
        print_json([_fields(one) for one in found])
        return Exit.OK
    rows = [
        (one.name, one.version.id, short_hash(one.version.resources.hash), one.principal,
         moment(one.set_unix_ms), one.reason or _why(one))
        for one in found
    ]  # fmt: skip
    print_table(_ALIASES, rows, "aliases")
    return Exit.OK


def _why(alias: Alias) -> str:
    decision, run = alias.evidence.get("decision"), alias.evidence.get("run_id")
    if run is None:
        return ""
    forced = ", forced" if alias.evidence.get("forced") else ""
    return f"{decision} by {short_run(str(run))}{forced}"


def _fields(alias: Alias) -> dict[str, Any]:
    return {
        "alias": alias.name,
        "version": alias.version.id,
        "resources_hash": alias.version.resources.hash,
        "principal": alias.principal,
        "set_unix_ms": alias.set_unix_ms,
        "reason": alias.reason,
        "evidence": dict(alias.evidence),
    }

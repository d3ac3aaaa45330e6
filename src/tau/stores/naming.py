"""Aliases, policies, verdicts and checkpoints from their rows."""

from collections.abc import Sequence

from tau.domain.access import CarriedPolicy
from tau.domain.checkpoint import Checkpoint
from tau.domain.decision import Decision, Verdict
from tau.domain.ids import RunId
from tau.domain.resources import Alias
from tau.errors import InputError, StoreDamaged
from tau.stores import codec, rows
from tau.stores.rows import Row

_LONGEST_NAME = 100


def check_name(name: str) -> None:
    """Raise InputError for what can be no alias."""
    if not name.strip() or len(name) > _LONGEST_NAME:
        raise InputError("an alias needs a name", why=f"it has 1 to {_LONGEST_NAME} characters")


@rows.decoding
def alias(row: Row) -> Alias:
    """One entry of the history; StoreDamaged unless its digest is that of its content."""
    name, number, principal, reason = row["name"], row["number"], row["principal"], row["reason"]
    content, set_unix_ms = row["evidence"], row["set_unix_ms"]
    known = alias_digest(name, number, principal, reason, content, set_unix_ms)
    if known != row["alias_digest"]:
        raise codec.damaged(f"alias '{name}'")
    return Alias(
        name=name,
        version=rows.version(row),
        principal=principal,
        set_unix_ms=set_unix_ms,
        reason=reason,
        evidence=codec.parsed(content, f"alias '{name}'"),
    )


@rows.decoding
def read_verdict(row: Row) -> Verdict:
    """What a run recommended; StoreDamaged unless its digest is that of its content."""
    run_id, decision = row["run_id"], row["decision"]
    what = f"the verdict of run {run_id}"
    known = verdict_digest(
        run_id, row["hash"], decision, row["evidence"], row["caveats"], row["reached_unix_ms"]
    )
    if known != row["verdict_digest"]:
        raise codec.damaged(what)
    return Verdict(
        run_id=RunId(run_id),
        resources=rows.resources(row),
        decision=None if decision is None else Decision(decision),
        evidence=codec.parsed(row["evidence"], what),
        caveats=tuple(codec.parsed(row["caveats"], what)),
        reached_unix_ms=row["reached_unix_ms"],
    )


def alias_digest(
    name: str, number: int, principal: str, reason: str, evidence: str, unix_ms: int
) -> bytes:
    """Over the whole of an entry."""
    return codec.digest(name, number, principal, reason, evidence, unix_ms)


def verdict_digest(
    run: str, resources: str, decision: str | None, evidence: str, caveats: str, unix_ms: int
) -> bytes:
    """Over the whole of what a run recommended."""
    return codec.digest(run, resources, decision, evidence, caveats, unix_ms)


@rows.decoding
def policy(row: Row) -> CarriedPolicy:
    """One policy; StoreDamaged unless its digest is that of its content."""
    number, content, unix_ms = row["number"], row["content"], row["installed_unix_ms"]
    known = policy_digest(number, content, row["principal"], row["reason"], unix_ms)
    if known != row["digest"]:
        raise codec.damaged(f"policy {number}")
    return CarriedPolicy(
        number=number,
        document=codec.parsed(content, f"policy {number}"),
        principal=row["principal"],
        reason=row["reason"],
        installed_unix_ms=unix_ms,
    )


def policy_digest(number: int, content: str, principal: str, reason: str, unix_ms: int) -> bytes:
    """Over the whole of a policy's entry."""
    return codec.digest(number, content, principal, reason, unix_ms)


def newest_whole(found: Sequence[Row]) -> Checkpoint | None:
    """The first checkpoint that is not damaged; StoreDamaged where all are."""
    failure: StoreDamaged | None = None
    for row in found:
        try:
            return rows.checkpoint(row)
        except StoreDamaged as error:
            failure = failure or error
    if failure is not None:
        raise failure
    return None

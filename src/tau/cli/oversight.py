"""Who may do what, and who did what."""

import asyncio
from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path

from tau.cli.figures import count
from tau.cli.lifecycle_control import policy_file, principal
from tau.cli.records.reading import moment, print_json, print_lines, print_table, read
from tau.cli.surface import Exit
from tau.cli.text import Column, facts, line
from tau.domain.actions import Action
from tau.domain.ids import short_run
from tau.errors import NotFound, StoreError, UsageError
from tau.lifecycle.audit import REPAIR_KEY, AuditHead, AuditTrail, head_of
from tau.lifecycle.authorization import (
    BACKUP,
    BACKUP_KEY,
    COPY,
    COPY_KEY,
    INSTALL,
    INSTALL_KEY,
    MIGRATE,
    MIGRATE_KEY,
    PROMOTE,
    PROMOTE_KEY,
    PRUNE,
    PRUNE_KEY,
    START,
    START_KEY,
    Authorizer,
)
from tau.lifecycle.chain import REPAIR, AuditLine
from tau.lifecycle.paths import StateDir
from tau.lifecycle.state import load_audit_line
from tau.stores.location import shown
from tau.wiring.access import authorizer_for, install_policy, policy_of
from tau.wiring.run_control import repair_audit, store_of
from tau.wiring.seals import find_seal

_KEYS = {
    **{str(action): action.key for action in Action},
    START: START_KEY,
    PROMOTE: PROMOTE_KEY,
    PRUNE: PRUNE_KEY,
    MIGRATE: MIGRATE_KEY,
    COPY: COPY_KEY,
    BACKUP: BACKUP_KEY,
    REPAIR: REPAIR_KEY,
    INSTALL: INSTALL_KEY,
}
"""Every action that is authorized, and the key that policies name it by."""


def check_access(
    action: str, *, store: str, given: str | None, policy: str | None, as_json: bool
) -> int:
    """Print what the policies say; exit code 5 where one denies.

    Raises:
        PolicyInvalid: one is malformed, or missing though it was named.
        UsageError: there is no such action.
    """
    who = principal(given)
    key = _key(action)
    decision = _authorizer(store, policy).decide(who, key)
    if as_json:
        print_json({
            "principal": who, "action": key, "allowed": decision.allowed,
            "reason_code": str(decision.reason_code), "roles": list(decision.roles),
            "rule": decision.rule,
        })  # fmt: skip
    else:
        verdict = "allowed" if decision.allowed else "denied"
        rule = f" by {decision.rule}" if decision.rule else ""
        print_lines([line(f"{who} {key}: {verdict} ({decision.reason_code}){rule}")])
    return Exit.OK if decision.allowed else Exit.DENIED


def _key(action: str) -> str:
    """What a policy names the action by; a name without a colon is one of ours, or a mistake."""
    if action in _KEYS or ":" in action:
        return _KEYS.get(action, action)
    close = get_close_matches(action, _KEYS, n=1)
    known = f"did you mean {close[0]}?" if close else f"known: {', '.join(_KEYS)}, or a key"
    raise UsageError(f"there is no action '{action}'", fix=known)


def _authorizer(store: str, policy: str | None) -> Authorizer:
    with asyncio.Runner() as runner:
        return runner.run(authorizer_for(policy_file(policy), store))


def who_am_i(*, store: str, given: str | None, policy: str | None, as_json: bool) -> int:
    """Print the principal, its roles and what they allow.

    Raises:
        PolicyInvalid: a policy is malformed, or missing though it was named.
    """
    who = principal(given)
    found = _authorizer(store, policy)
    decisions = {key: found.decide(who, key) for key in _KEYS.values()}
    roles, path = list(found.roles_of(who)), str(found.file.path)
    if as_json:
        allowed = {key: decision.allowed for key, decision in decisions.items()}
        print_json({"principal": who, "team_mode": found.team_mode, "policy": path,
                    "store_carries_policy": found.carried is not None,
                    "roles": roles, "allowed": allowed})  # fmt: skip
        return Exit.OK
    held = f"that of the store '{shown(store)}' and {path}" if found.carried else path
    rows = [
        ("principal", who),
        ("policy", held),
        ("roles", ", ".join(roles) or ("none" if found.team_mode else "none needed")),
        *((key, f"{'yes' if one.allowed else 'no'} ({one.reason_code})")
          for key, one in decisions.items()),
    ]  # fmt: skip
    print_lines(list(facts(rows)))
    return Exit.OK


def install(
    store: str,
    path: str,
    *,
    given: str | None,
    policy: str | None,
    reason: str | None,
    as_json: bool,
) -> int:
    """Let the store carry a policy, and print which.

    Raises:
        PolicyInvalid: the file is missing or malformed.
        AccessDenied: the policies that hold do not allow it.
    """
    who = principal(given)
    with asyncio.Runner() as runner:
        made = runner.run(
            install_policy(
                store, Path(path), principal=who, reason=reason or "", file=policy_file(policy)
            )
        )
    held = policy_of(made)
    again = held is None or held.decide(who, INSTALL_KEY).allowed
    if as_json:
        print_json({"number": made.number, "principal": who, "store": shown(store),
                    "may_install_another": again})  # fmt: skip
        return Exit.OK
    print_lines([line(f"policy {made.number} holds for the store '{shown(store)}' from now on")])
    if not again:
        print_lines([line(f"  note  {who} may not install another: no {INSTALL_KEY}")])
    return Exit.OK


_AUDIT = (
    Column(name="line", drop=4, right=True),
    Column(name="time", drop=3),
    Column(name="principal", least=10, drop=1),
    Column(name="action", least=8),
    Column(name="run", drop=2),
    Column(name="decision", least=7),
    Column(name="state", least=9, drop=1),
    Column(name="why", least=14),
)


def list_audit(folder: StateDir, *, limit: int, as_json: bool) -> int:
    """Print the last lines of the audit, oldest first.

    Raises:
        ControlError: a line cannot be parsed.
    """
    lines, _ = AuditTrail(folder.audit).read()
    last = lines[-limit:]
    if as_json:
        print_json([dict(one.fields) for one in last])
        return Exit.OK
    print_table(_AUDIT, [_row(one) for one in last], "audit lines")
    return Exit.OK


def verify_audit(folder: StateDir, *, store: str | None, as_json: bool) -> int:
    """Check the chain; exit code 1 where it does not hold.

    Raises:
        ControlError: a line cannot be parsed.
        StoreError: the store that was named cannot be read.
    """
    trail = AuditTrail(folder.audit)
    promised = load_audit_line(folder.control_state)
    sealed, note = _sealed(folder, store)
    breaks = trail.verify(head_of(promised) if promised else None, sealed)
    lines, _ = trail.read()
    if as_json:
        print_json({
            "ok": not breaks, "audit": str(folder.audit), "lines": len(lines),
            "breaks": [asdict(one) for one in breaks], "head_in_state": promised is not None,
            "head_in_store": sealed is not None,
        })  # fmt: skip
    elif breaks:
        found = [line(f"  line {one.line}: {one.what}") for one in breaks]
        print_lines([line(f"{folder.audit} is not as it was written"), *found])
    else:
        print_lines([line(f"{folder.audit} is whole: {count(len(lines), 'line')}; {note}")])
    return Exit.FAILED if breaks else Exit.OK


def repair(
    folder: StateDir,
    *,
    store: str | None,
    given: str | None,
    reason: str | None,
    policy: str | None,
    as_json: bool,
) -> int:
    """Repair the audit and print what was done.

    Raises:
        AccessDenied: the policy does not allow it.
        FileError: nothing was changed.
    """
    who = principal(given)
    with asyncio.Runner() as runner:
        done = runner.run(
            repair_audit(
                folder, principal=who, reason=reason, policy=policy_file(policy), store=store
            )
        )
    if as_json:
        print_json({"original": str(done.kept), "removed_lines": list(done.removed),
                    "breaks": [asdict(one) for one in done.breaks]})  # fmt: skip
        return Exit.OK
    said = [f"the chain is anchored anew at line {done.head.sequence}"]
    said += [f"  line {one.line} was: {one.what}" for one in done.breaks]
    said += [f"  line {number} could not be parsed and was taken out" for number in done.removed]
    print_lines([line(text) for text in (*said, f"  the original is {done.kept}")])
    return Exit.OK


def _sealed(folder: StateDir, store: str | None) -> tuple[AuditHead | None, str]:
    """The head in the store, and what was compared with; a store not named may be unusable."""
    location = store or store_of(folder)
    if location is None:
        return None, "there is no store that remembers its last line"
    try:
        found = read(location, lambda opened: find_seal(opened, location, folder.audit))
    except (StoreError, NotFound) as error:
        if store is not None:
            raise
        return None, f"the store could not be asked: {error}"
    if found is None:
        return None, f"the store '{shown(location)}' does not remember its last line"
    return found, f"the store remembers line {found.sequence}"


def _row(one: AuditLine) -> tuple[str, ...]:
    fields = one.fields
    when = fields.get("timestamp_unix_ms")
    told = [fields.get(name) for name in ("reason_code", "reason", "detail")]
    return (
        str(one.number),
        moment(when) if type(when) is int and 0 <= when < 1 << 47 else "-",
        str(fields.get("principal", "-")),
        one.action,
        short_run(str(fields.get("run_id") or "-")),
        str(fields.get("decision", "-")),
        str(fields.get("lifecycle_state", "-")),
        "; ".join(str(text) for text in told if text),
    )

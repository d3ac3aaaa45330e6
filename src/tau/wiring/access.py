"""Who may do what on a store: the policy that it carries beside the one in a file."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from tau.config.paths import DEFAULT_RBAC_POLICY
from tau.config.search import audit_dir
from tau.domain.access import CarriedPolicy
from tau.errors import (
    ControlError,
    InputError,
    PolicyInvalid,
    StoreDamaged,
    StoreError,
    StoreUnavailable,
    StoreVersion,
    TauError,
)
from tau.lifecycle.asking import Asked, Desk
from tau.lifecycle.audit import AuditHead
from tau.lifecycle.authorization import (
    INSTALL,
    INSTALL_KEY,
    START,
    START_KEY,
    Authorizer,
    Policy,
    PolicyFile,
    load_policy,
    parse_policy,
    read_policy,
)
from tau.lifecycle.paths import StateDir
from tau.lifecycle.register import Register
from tau.ports.clock import SystemClock
from tau.ports.store import Store
from tau.stores.location import on_server, shown
from tau.wiring.seals import keep_seal
from tau.wiring.stores import open_store, scheme_of

Value = TypeVar("Value")

USUAL_POLICY = PolicyFile(Path(DEFAULT_RBAC_POLICY))
"""Where a policy may be that nobody names."""


async def authorizer_for(file: PolicyFile, location: str | None) -> Authorizer:
    """Who decides about the store at `location`, None where there is no store.

    Where what the store carries cannot be read, nobody is allowed anything.
    """
    if location is None:
        return Authorizer(file)
    try:
        return Authorizer(file, await carried_by(location))
    except PolicyInvalid as error:
        return Authorizer(file, trouble=error)
    except StoreError as error:
        return Authorizer(file, trouble=unreadable(location, error))


def unreadable(location: str, error: StoreError) -> PolicyInvalid:
    """What is said where nobody can tell what the store carries."""
    return PolicyInvalid(
        "nothing tells who may do this",
        where=shown(location),
        why=f"the store's policy cannot be read: {error}",
        fix="bring the store back; where its URL needs a password, give it with --store",
    )


async def carried_by(location: str) -> Policy | None:
    """The policy in a store; None where it carries none, where it is not there, or is no store.

    Who can damage the file of a store can write it, and so is beyond what it carries.

    Raises:
        PolicyInvalid: what it carries is malformed.
        StoreError: it is there and cannot be read.
    """
    if not on_server(location) and not _is_file(location):
        return None
    try:
        store = await open_store(location, read_only=True)
    except (StoreDamaged, StoreVersion):
        return None  # whoever goes on with it meets the same; older versions carry nothing
    except StoreUnavailable as error:
        if error.what == "there is no store":
            return None
        raise
    async with store:
        return await policy_in(store)


async def policy_in(store: Store) -> Policy | None:
    """The policy that an open store carries.

    Raises:
        PolicyInvalid: it is malformed, or not as it was installed.
        StoreError: it cannot be read just now.
    """
    try:
        return policy_of(await store.policies.current())
    except StoreDamaged as error:
        raise PolicyInvalid(
            "the store's policy is not as it was installed",
            why=str(error),
            fix="restore the store from a backup: tau db verify says what else is damaged",
        ) from error


def policy_of(carried: CarriedPolicy | None) -> Policy | None:
    """What a store carries, validated.

    Raises:
        PolicyInvalid: it is malformed.
    """
    if carried is None:
        return None
    return parse_policy(carried.document, f"the store's policy {carried.number}")


async def guarded(
    location: str,
    asked: Asked,
    file: PolicyFile,
    deed: Callable[[], Awaitable[Value]],
    *,
    folder: StateDir | None = None,
) -> Value:
    """Do `deed` on the store at `location`: authorized, and audited before it is done.

    A denial and a failure are audited, too. The store remembers the audit's new head.

    Raises:
        AccessDenied, PolicyInvalid: it is not allowed; nothing was done.
        FileError: it cannot be audited; nothing was done.
    """
    where = folder or audit_dir(location)
    authorizer = await authorizer_for(file, location)
    register = Register(where)
    desk = Desk(register, authorizer, SystemClock())
    try:
        await asyncio.to_thread(desk.authorize, asked)
        await asyncio.to_thread(desk.note_allowed, asked)
        try:
            return await deed()
        except TauError as error:
            await asyncio.to_thread(desk.note_failure, asked, error)
            raise
    finally:
        if register.head is not None:
            await _sealed(location, where, register.head)


async def check_start(
    location: str, folder: StateDir, file: PolicyFile, principal: str, *, detail: str | None = None
) -> None:
    """Let a run or a worker be started on the store at `location`; a denial is audited.

    Raises:
        AccessDenied, PolicyInvalid: it is not allowed; nothing was done.
    """
    asked = Asked(action=START, key=START_KEY, principal=principal, detail=detail)
    authorizer = await authorizer_for(file, location)
    register = Register(folder)
    try:
        await asyncio.to_thread(Desk(register, authorizer, SystemClock()).authorize, asked)
    finally:
        if register.head is not None:
            await _sealed(location, folder, register.head)


async def install_policy(
    location: str, path: Path, *, principal: str, reason: str, file: PolicyFile
) -> CarriedPolicy:
    """Let the store at `location` carry the policy in the file `path` from now on.

    Raises:
        PolicyInvalid: that file is missing or malformed.
        AccessDenied: the policies that hold until now do not allow it.
        StoreError: there is no such store, or it cannot be written.
    """
    named = PolicyFile(path, named=True)
    load_policy(named)
    document = read_policy(named) or {}
    if not on_server(location) and not _is_file(location):
        raise InputError(
            f"there is no store at '{location}'",
            fix="a run makes one; name the store with --store",
        )
    asked = Asked(
        action=INSTALL, key=INSTALL_KEY, principal=principal, reason=reason or None,
        detail=f"from {path}",
    )  # fmt: skip

    async def install() -> CarriedPolicy:
        async with await open_store(location) as store:
            return await store.policies.install(document, principal=principal, reason=reason)

    return await guarded(location, asked, file, install)


async def _sealed(location: str, folder: StateDir, head: AuditHead) -> None:
    """Let the store remember the audit's head, where it can."""
    try:
        await (await open_store(location, read_only=True)).aclose()  # never migrated by the way
        async with await open_store(location) as store:
            await keep_seal(store, location, folder.audit, head)
    except (StoreError, ControlError):
        return  # `tau audit verify` says what the store remembers


def _is_file(location: str) -> bool:
    if scheme_of(location) != "sqlite":
        return True
    try:
        return Path(location.removeprefix("sqlite://")).exists()
    except OSError:
        return True

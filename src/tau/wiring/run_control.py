"""Lifecycle commands with what they mean for the run's store, where it is there."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from tau.config.paths import status_files
from tau.domain.actions import Action, DesiredState
from tau.domain.ids import RunId, WorkerId
from tau.domain.json import Json
from tau.domain.rollout import RolloutStatus
from tau.domain.run import Run, RunStatus, StopReason
from tau.domain.worker import WorkerRole
from tau.errors import ControlError, FileError, NotFound, RunActive, StoreError
from tau.files.atomic import atomic_write
from tau.files.documents import dump_document, read_document
from tau.files.lock import FileLock
from tau.lifecycle.audit import AuditHead, Repair
from tau.lifecycle.authorization import Authorizer, PolicyFile
from tau.lifecycle.commands import Command, ControlResult, Lifecycle
from tau.lifecycle.elsewhere import Elsewhere
from tau.lifecycle.paths import StateDir
from tau.lifecycle.projection import Projection, later
from tau.lifecycle.register import Register
from tau.lifecycle.state import load_state
from tau.ports.clock import SystemClock
from tau.ports.processes import SystemProcesses
from tau.ports.store import Store
from tau.stores.location import on_server, shown
from tau.wiring.access import authorizer_for
from tau.wiring.desired import Steering, record_of_run
from tau.wiring.seals import keep_seal
from tau.wiring.stores import open_store

FOLLOWED = "asked through the store: the process that drives the run follows within a second"

_LEASE_MS = 10_000
_FINAL = frozenset({RunStatus.COMPLETED, RunStatus.CANCELLED})


async def control(
    folder: StateDir,
    command: Command,
    *,
    policy: PolicyFile,
    dry_run: bool = False,
    store: str | None = None,
    elsewhere: Callable[[], Elsewhere | None] = lambda: None,
) -> ControlResult:
    """Carry out a command; its result's notes tell what the store could not be told.

    A `dry_run` tells what it would come to, and writes nothing. `store` is the run's store where
    that is known; a URL with a password is in no file. `elsewhere` finds the run that is
    likely meant where none has used `folder`.

    Raises:
        ControlError, FileError: as `Lifecycle.execute`.
    """
    location = store_of(folder, store)
    authorizer = await authorizer_for(policy, location)
    if authorizer.trouble is not None and command.action is Action.STATUS:
        authorizer = Authorizer(policy)
    lifecycle = Lifecycle(folder, authorizer, SystemClock(), elsewhere=elsewhere)
    if dry_run:
        return lifecycle.preview(command)
    record = await _record(folder, location)
    if command.action is Action.STATUS:
        result = await asyncio.to_thread(lifecycle.execute, command)
        return replace(result, state=later(result.state, record))
    await asyncio.to_thread(_take_in, folder, record)
    try:
        result = await asyncio.to_thread(lifecycle.execute, command)
    except BaseException:
        if lifecycle.head is not None:
            await _with_store(folder, lifecycle.head, None, store)
        raise
    cancelled = result if command.action is Action.CANCEL and not result.alive else None
    notes, status = await _with_store(folder, result.head, cancelled, store)
    return replace(
        result, notes=result.notes + notes, training_status=status or result.training_status
    )


async def repair_audit(
    folder: StateDir,
    *,
    principal: str,
    reason: str | None,
    policy: PolicyFile,
    store: str | None = None,
) -> Repair:
    """Repair the audit of `folder`, and let the store remember its new head.

    Raises:
        AccessDenied, PolicyInvalid: the policy does not allow it.
        FileError: nothing was changed.
    """
    authorizer = await authorizer_for(policy, store_of(folder, store))
    lifecycle = Lifecycle(folder, authorizer, SystemClock())
    repair = await asyncio.to_thread(lifecycle.repair_audit, principal, reason)
    await _with_store(folder, repair.head, None, store)
    return repair


def store_of(folder: StateDir, known: str | None = None) -> str | None:
    """The store of the run in `folder`: on a server as `known` or by its status, or its file."""
    try:
        status = read_document(folder.status) or {}
    except FileError:
        status = {}
    for url in (known, status.get("store_path")):
        if isinstance(url, str) and on_server(url):
            return url
    named = status.get("store_file")
    places = [folder.root / "store.sqlite"]
    if isinstance(named, str) and named:
        places = [Path(named), folder.root / Path(named).name, *places]
    for place in places:
        try:
            if place.is_file():
                return str(place)
        except (OSError, ValueError):
            continue
    return None


async def end_run(store: Store, run_id: RunId, *, trainer: WorkerId | None = None) -> None:
    """Cancel a run that nobody drives, or `trainer`, with everything that is not finished."""
    await store.queue.cancel(run_id, in_flight=True)
    await store.runs.set_status(
        run_id, RunStatus.CANCELLED, trainer=trainer, reason=StopReason.OPERATOR
    )


async def end_unattended(store: Store, run: Run, location: str) -> None:
    """Cancel a run of the store at `location` that nobody drives.

    Raises:
        RunActive: another machine drives it.
    """
    await (_end_shared(store, run) if on_server(location) else end_run(store, run.id))


async def _end_shared(store: Store, run: Run) -> None:
    """Cancel a run that no machine drives, as its driver: a lock of ours says nothing of others.

    Raises:
        RunActive: another machine drives it.
    """
    process = SystemProcesses().this()
    me = await store.work.register(
        name="control", role=WorkerRole.TRAINER, process=process, lease_ms=_LEASE_MS
    )
    try:
        await store.runs.adopt(run.id, me.id, budget=run.budget, max_attempts=run.max_attempts)
        await end_run(store, run.id, trainer=me.id)
    finally:
        await store.work.retire([me.id])


async def _record(folder: StateDir, location: str | None) -> DesiredState | None:
    """What the store says is desired of the run of `folder`; None where it cannot be asked."""
    run_id = run_of(folder)
    if location is None or run_id is None:
        return None
    try:
        async with await open_store(location, read_only=True) as store:
            return await record_of_run(store, run_id)
    except (StoreError, FileError):
        return (
            None  # the files are all there is; whoever tells the store says why it cannot be told
        )


def _take_in(folder: StateDir, record: DesiredState | None) -> None:
    """Make the files say what the store says, before anything is made of them."""
    if record is not None and record.state.run_id is not None:
        projection = Projection(folder, Register(folder), SystemClock(), RunId(record.state.run_id))
        with contextlib.suppress(ControlError, FileError):  # the command meets the same
            projection.take_in(record)


def run_of(folder: StateDir) -> RunId | None:
    """The run that the files of `folder` are about, where they tell."""
    try:
        state, status = load_state(folder.control_state), read_document(folder.status)
    except (ControlError, FileError):
        return None
    named = (state.run_id if state else None) or (status or {}).get("run_id")
    return RunId(named) if isinstance(named, str) else None


async def _with_store(
    folder: StateDir, head: AuditHead | None, cancelled: ControlResult | None, known: str | None
) -> tuple[tuple[str, ...], Mapping[str, Json] | None]:
    """Tell the store; notes, and the status as it is now where it was changed."""
    location = store_of(folder, known)
    if location is None:
        return (), None
    try:
        async with await open_store(location) as store:
            if head is not None:
                await keep_seal(store, location, folder.audit, head)
            if run_id := run_of(folder):
                await Steering(store, location, folder, Register(folder), run_id).agree()
            return (), await _end(folder, store, location, cancelled) if cancelled else None
    except RunActive as error:
        return (f"{FOLLOWED}: {error.where or error}",), None
    except (StoreError, FileError) as error:
        return (f"the store '{shown(location)}' could not be told: {error}",), None


async def _end(
    folder: StateDir, store: Store, location: str, result: ControlResult
) -> Mapping[str, Json] | None:
    """End a run that nobody drives; while the lock is ours, nobody can begin to."""
    status = dict(result.training_status or {})
    run_id = (result.state and result.state.run_id) or status.get("run_id")
    lock = FileLock(folder.run_lock)
    if not isinstance(run_id, str) or not lock.acquire():
        return None
    try:
        run = await store.runs.get(RunId(run_id))
        if run.status in _FINAL:
            return None
        await end_unattended(store, run, location)
        counts = await store.queue.counts(run.id)
        if status.get("run_id") != run_id:
            return None
        status |= {
            "updated_unix_ms": SystemClock().unix_ms(),
            "run_state": str(RunStatus.CANCELLED),
            "stop_reason": str(StopReason.OPERATOR),
            "cancelled": counts[RolloutStatus.CANCELLED],
            "waiting_for": None,
            "process": None,
        }
        for file in {path.resolve() for path in status_files(location, folder.root)}:
            atomic_write(file, dump_document(status))
        return status
    except NotFound:
        return None
    finally:
        lock.release()

"""Lifecycle commands on a run that another machine drives, through the store that both reach."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path

from tau.config.search import driven_here
from tau.domain.actions import Action, ControlState, DesiredState, LifecycleState, record_of
from tau.domain.condition import driven
from tau.domain.ids import stands_for
from tau.domain.json import Json
from tau.domain.rollout import RolloutStatus
from tau.domain.run import Run
from tau.errors import Conflict, ControlError, InputError, RunActive
from tau.files.documents import read_bytes
from tau.lifecycle.asking import Asked, Desk, as_text
from tau.lifecycle.authorization import Authorizer, PolicyFile
from tau.lifecycle.checkpoint_file import CheckpointFile, load_checkpoint
from tau.lifecycle.commands import Command, ControlResult
from tau.lifecycle.elsewhere import Elsewhere
from tau.lifecycle.paths import StateDir
from tau.lifecycle.register import Register
from tau.ports.clock import SystemClock
from tau.ports.store import Store
from tau.stores.location import on_server, shown
from tau.wiring.access import authorizer_for, guarded
from tau.wiring.naming import run_named
from tau.wiring.run_control import FOLLOWED, control, end_unattended, run_of, store_of
from tau.wiring.stores import open_store

_CLOCK = SystemClock()
_LISTED = 5
_MOST_RUNS = 1_000

STANDS = "said in the store: the next start of the run, from wherever, holds to it"


async def steer(
    folder: StateDir,
    command: Command,
    *,
    policy: PolicyFile,
    dry_run: bool = False,
    store: str | None = None,
    chosen: bool = False,
    elsewhere: Callable[[], Elsewhere | None] = lambda: None,
) -> ControlResult:
    """Carry out a command by the run's files where they are within reach, else by its store.

    `chosen` where somebody named the folder: then the run that it is about is meant.

    Raises:
        ControlError, FileError, StoreError: it was not done.
    """
    location = store or store_of(folder)
    if location is not None and not chosen and _is_remote(folder, command, store):
        return await control_in_store(folder, location, command, policy=policy, dry_run=dry_run)
    return await control(
        folder, command, policy=policy, dry_run=dry_run, store=store, elsewhere=elsewhere
    )


def _is_remote(folder: StateDir, command: Command, store: str | None) -> bool:
    """Whether the files in `folder` are about another run than the one that is meant."""
    if store is not None and on_server(store) and not driven_here(folder, store):
        return True
    here = run_of(folder)
    return (
        here is not None
        and command.run_id is not None
        and not (stands_for(command.run_id, str(here)))
    )


async def control_in_store(
    folder: StateDir, location: str, command: Command, *, policy: PolicyFile, dry_run: bool = False
) -> ControlResult:
    """Carry out a command on the run in the store at `location`; audited in `folder`, here.

    Whoever drives the run audits it with the run, too.

    Raises:
        AccessDenied, PolicyInvalid: the policies do not allow it; that is audited.
        ControlError: no run, or several, can be meant; or it cannot be done. Nothing was changed.
        StoreError: the store cannot be used.
    """
    asked = Asked(
        action=str(command.action),
        key=command.action.key,
        principal=command.principal,
        reason=command.reason,
        checkpoint=command.checkpoint,
        run_id=command.run_id,
        detail=f"through {shown(location)}",
    )
    if dry_run or command.action is Action.STATUS:
        authorizer = await authorizer_for(policy, location)
        if authorizer.trouble is not None and command.action is Action.STATUS:
            authorizer = Authorizer(policy)
        desk = Desk(Register(folder), authorizer, _CLOCK)
        await asyncio.to_thread(desk.authorize, asked, note=not dry_run)
        async with await open_store(location, read_only=True) as store:
            return await _Remote(store, location, folder, command).foreseen()

    async def said() -> ControlResult:
        async with await open_store(location) as store:
            return await _Remote(store, location, folder, command).say()

    return await guarded(location, asked, policy, said, folder=folder)


class _Remote:
    """One command on one run of an open store."""

    def __init__(self, store: Store, location: str, folder: StateDir, command: Command) -> None:
        self._store = store
        self._location = location
        self._folder = folder
        self._command = command

    async def foreseen(self) -> ControlResult:
        """What it would come to; how the run is doing, for a status."""
        run = await self._run()
        before = await self._store.desired_states.find(run.id)
        if record_of(self._command.action).desired_state is None:
            return await self._result(run, before.state if before else None, None)
        after, _ = self._desired(run)
        _check_not_cancelled(run, before, after)
        return await self._result(run, after, after.asks_nothing_new(_state(before)))

    async def say(self) -> ControlResult:
        """Say it in the store; a run that nobody drives is cancelled at once."""
        run = await self._run()
        after, checkpoint = self._desired(run)
        before, put = await self._put(run, after, checkpoint)
        if put.state.lifecycle_state is LifecycleState.CANCELLED and not run.over:
            with contextlib.suppress(RunActive):  # its driver does it
                await end_unattended(self._store, run, self._location)
        idempotent = after.asks_nothing_new(_state(before))
        return await self._result(await self._store.runs.get(run.id), put.state, idempotent)

    async def _put(
        self, run: Run, after: ControlState, checkpoint: bytes | None
    ) -> tuple[DesiredState | None, DesiredState]:
        """What was desired before, and the record that follows just upon that.

        Raises:
            ControlError: somebody has cancelled the run meanwhile: that is final.
        """
        desired = self._store.desired_states
        while True:
            before = await desired.find(run.id)
            _check_not_cancelled(run, before, after)
            last = before.sequence if before else 0
            try:
                return before, await desired.put(run.id, after, checkpoint=checkpoint, after=last)
            except Conflict:
                continue  # somebody was faster: what they said counts as before

    async def _run(self) -> Run:
        """The run that is named, else the only one that has not ended; the newest for a status.

        Raises:
            ControlError: none or several can be meant.
        """
        if self._command.run_id is not None:
            return await self._store.runs.get(await run_named(self._store, self._command.run_id))
        found = await self._store.insights.runs(limit=_MOST_RUNS)
        going = [run for run in found if not run.over]
        where = shown(self._location)
        if len(going) > 1:
            listed = ", ".join(run.id for run in going[:_LISTED])
            raise ControlError(
                f"{len(going)} runs of '{where}' have not ended",
                why=f"any of them can be meant: {listed}",
                fix="name one with --run-id",
            )
        if going:
            return going[0]
        if found and self._command.action is Action.STATUS:
            return found[0]
        raise ControlError(
            f"no run of '{where}' can be steered",
            why="all of its runs have ended" if found else "it has no runs",
            fix="see what there is: tau runs --store STORE",
        )

    def _desired(self, run: Run) -> tuple[ControlState, bytes | None]:
        command = self._command
        desired = record_of(command.action).desired_state
        if desired is None:
            raise ControlError(f"'{command.action}' changes nothing of a run")
        if run.over:
            raise ControlError(
                f"run '{run.id}' has ended: it is {run.status}", fix="its next start is a new run"
            )
        target, content = None, None
        if command.action is Action.ROLLBACK:
            if command.checkpoint is None:
                raise InputError("a rollback needs the path of a checkpoint")
            target, content = _rollback_target(command.checkpoint, run)
        state = ControlState(
            lifecycle_state=desired,
            last_action=str(command.action),
            principal=command.principal,
            updated_unix_ms=_CLOCK.unix_ms(),
            rollback_checkpoint=as_text(command.checkpoint) if target else None,
            rollback_hash=target.content_hash if target else None,
            run_id=run.id,
            reason=command.reason,
        )
        return state, content

    async def _result(
        self, run: Run, state: ControlState | None, idempotent: bool | None
    ) -> ControlResult:
        alive = driven(run, await self._store.insights.workers(), _CLOCK.unix_ms())
        notes: tuple[str, ...] = ()
        if idempotent is not None and not run.over:
            notes = (FOLLOWED if alive else STANDS,)
        target = state.rollback_checkpoint if state else None
        return ControlResult(
            folder=self._folder,
            action=self._command.action,
            principal=self._command.principal,
            idempotent=idempotent,
            state=state,
            training_status=await self._status(run),
            rollback_checkpoint=target,
            checkpoint_run_id=run.id if target else None,
            alive=alive and not run.over,
            notes=notes,
        )

    async def _status(self, run: Run) -> Mapping[str, Json]:
        """What `status.json` would say of what the store knows."""
        counts = await self._store.queue.counts(run.id)
        return {
            "schema_version": 1,
            "updated_unix_ms": run.updated_unix_ms,
            "run_state": str(run.status),
            "model_ref": run.model_ref,
            "store_path": shown(self._location),
            "total_rollouts": counts.total,
            "succeeded": counts[RolloutStatus.SUCCEEDED],
            "failed": counts[RolloutStatus.FAILED],
            "cancelled": counts[RolloutStatus.CANCELLED],
            "run_id": run.id,
            "algorithm": run.algorithm,
            "stop_reason": run.stop_reason and str(run.stop_reason),
            "stop_detail": run.stop_detail,
            "progress": {
                "queued": counts.waiting,
                "in_flight": counts.in_flight,
                "settled": counts.settled,
            },
        }


def _check_not_cancelled(run: Run, before: DesiredState | None, after: ControlState) -> None:
    """Raise ControlError where a run that was cancelled, and is about to end, is to go on."""
    cancelled = LifecycleState.CANCELLED
    if before is None or before.state.lifecycle_state is not cancelled:
        return
    if after.lifecycle_state is not cancelled:
        raise ControlError(
            f"run '{run.id}' was cancelled by {before.state.principal}",
            why="a cancelled run never goes on",
            fix="its next start is a new run",
        )


def _state(record: DesiredState | None) -> ControlState | None:
    return record.state if record else None


def _rollback_target(path: Path, run: Run) -> tuple[CheckpointFile, bytes]:
    """The checkpoint to go back to, with its bytes; what the run could not go on from is refused.

    Raises:
        ControlError: it cannot be used.
    """
    what = f"failed to load rollback checkpoint '{as_text(path)}'"
    try:
        found = load_checkpoint(path)
    except ControlError as error:
        raise ControlError(what, why=error.why, fix=error.fix) from None
    why = None
    if found.checkpoint is None:
        why = "it was written by another program: its states mean nothing to Tau's algorithms"
    elif found.checkpoint.algorithm != run.algorithm:
        why = f"it is one of algorithm '{found.checkpoint.algorithm}', the run's: {run.algorithm}"
    elif found.config_hash not in (None, run.config_hash):
        why = f"it belongs to run '{found.run_id}', which had another configuration"
    if why is not None:
        raise ControlError(what, why=why, fix="name a checkpoint of this run")
    return found, read_bytes(path) or b""

"""Upkeep of a store that is a file."""

import asyncio
import glob
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from tau.cli.records.reading import print_json, print_lines
from tau.cli.surface import Exit
from tau.cli.text import line
from tau.config.search import find_state_dir
from tau.errors import ControlError, InputError
from tau.files.lock import FileLock
from tau.lifecycle.asking import Asked
from tau.lifecycle.authorization import (
    BACKUP,
    BACKUP_KEY,
    MIGRATE,
    MIGRATE_KEY,
    PolicyFile,
)
from tau.lifecycle.checkpoint_file import load_checkpoint
from tau.lifecycle.paths import StateDir
from tau.stores.location import on_server, shown
from tau.stores.sqlite import maintenance
from tau.wiring.access import guarded
from tau.wiring.servers import verify_server
from tau.wiring.stores import open_store, scheme_of


def file_of(location: str) -> Path:
    """The file of a store.

    Raises:
        InputError: the store is no file.
    """
    if scheme_of(location) != "sqlite":
        raise InputError(
            f"'{shown(location)}' is no file", fix="use the tools of the database that holds it"
        )
    return Path(location.removeprefix("sqlite://"))


def backup(
    location: str, target: str, *, principal: str, policy: PolicyFile, reason: str | None
) -> int:
    """Copy the store to a new file; prints its path.

    Raises:
        AccessDenied: the policy does not allow it; that is audited.
        InputError: the store is on a server, which has tools for that.
    """
    if on_server(location):
        raise InputError(
            "a store on a server is not backed up by Tau",
            where=shown(location),
            why="only the server's own tools copy it whole while workers go on",
            fix="use pg_dump --schema=NAME --format=custom, or a base backup with pg_basebackup; "
            f"of a store at rest, make a file with: tau store copy URL {line(target)}",
        )
    path = file_of(location)
    if not path.exists():
        maintenance.backup(path, Path(target))  # says that there is none
    asked = Asked(
        action=BACKUP, key=BACKUP_KEY, principal=principal, reason=reason, detail=f"to {target}"
    )

    async def copied() -> Path:
        return await asyncio.to_thread(maintenance.backup, path, Path(target))

    with asyncio.Runner() as runner:
        print_lines([line(str(runner.run(guarded(location, asked, policy, copied))))])
    return Exit.OK


def verify(location: str, *, as_json: bool) -> int:
    """Check the store; exit code 1 where something is wrong with it."""
    if on_server(location):
        with asyncio.Runner() as runner:
            found = runner.run(verify_server(location))
    else:
        found = maintenance.verify(file_of(location))
    if as_json:
        print_json({"ok": found.ok, **asdict(found)})
    elif found.ok:
        print_lines([f"{line(found.location)} is whole: {found.checked:,} digests computed anew"])
    else:
        print_lines(
            [f"{line(found.location)} is damaged", *(f"  {line(p)}" for p in found.problems)]
        )
    return Exit.OK if found.ok else Exit.FAILED


def recover(location: str, state_dir: str | None) -> int:
    """Set a store aside that cannot be used, and say what the run's checkpoint file brings back.

    Raises:
        InputError: the store is on a server.
        ControlError: a run is alive there.
    """
    path = file_of(location)
    folder = find_state_dir(chosen=state_dir, store=location)
    if FileLock(folder.run_lock).taken():
        raise ControlError(
            f"the run in '{folder.root}' is alive and uses the store",
            fix="stop it first (Ctrl-C, or a signal to its process); then recover",
        )
    why = maintenance.trouble(path)
    if why is None:
        there = "whole: there is nothing to recover" if path.exists() else "not there"
        print_lines([f"{line(str(path))} is {there}"])
        return Exit.OK
    kept = maintenance.set_aside(path)
    print_lines([
        f"{line(str(path))} could not be used: {line(why)}",
        *(f"  set aside: {line(str(each))}" for each in kept),
        *_brought_back(folder, path),
    ])  # fmt: skip
    return Exit.OK


def _brought_back(folder: StateDir, path: Path) -> Iterator[str]:
    """What a start goes on from without the store."""
    for place in (folder.checkpoint, folder.fallback_checkpoint):
        try:
            found = load_checkpoint(place)
        except ControlError:
            continue
        yield f"the checkpoint file {line(str(place))} brings back run {line(found.run_id)}:"
        yield (
            f"  {found.global_step:,} rollouts in {found.optimizer_step:,} waves, with the prompts "
            "that it had; single answers and spans are only in the store"
        )
        yield "  go on by starting the run again as it was started"
        break
    else:
        yield f"no checkpoint file in {line(str(folder.root))} brings anything back"
    for copy in sorted(path.parent.glob(f"{glob.escape(path.name)}*.backup*")):
        yield f"a backup that can be put in its place: {line(str(copy))}"


def migrate(location: str, *, principal: str, policy: PolicyFile, reason: str | None) -> int:
    """Bring the store to the schema of this version; keeps a copy of what a file was.

    Raises:
        AccessDenied: the policy does not allow it; that is audited.
    """
    asked = Asked(action=MIGRATE, key=MIGRATE_KEY, principal=principal, reason=reason)
    server = scheme_of(location) != "sqlite"
    if not server and not file_of(location).exists():
        maintenance.migrate(file_of(location))  # says that there is none
    with asyncio.Runner() as runner:
        told = runner.run(
            guarded(location, asked, policy, lambda: _migrated(location, server=server))
        )
    print_lines(told)
    return Exit.OK


async def _migrated(location: str, *, server: bool) -> list[str]:
    """What was done; what is in a database server is migrated by opening it, under a lock."""
    if server:
        async with await open_store(location) as store:
            facts = await store.insights.facts()
        return [f"{line(facts.location)}: the schema is at version {facts.schema_version}"]
    done = await asyncio.to_thread(maintenance.migrate, file_of(location))
    if done.backup is None:
        return [f"nothing to do: the schema is at version {done.after}"]
    return [
        f"schema version {done.before} to {done.after}",
        f"as it was before: {line(str(done.backup))}",
    ]

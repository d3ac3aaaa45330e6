"""What `tau db` and `tau doctor` do with a store that need not be open."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import apsw

from tau.stores.sqlite import schema
from tau.stores.sqlite.backup import back_up
from tau.stores.sqlite.connection import SqliteAccess
from tau.stores.sqlite.faults import translated
from tau.stores.sqlite.location import DatabasePath
from tau.stores.sqlite.salvage import set_aside, trouble
from tau.stores.sqlite.verification import verify
from tau.stores.verification import Verification

__all__ = ["Migration", "Verification", "backup", "migrate", "set_aside", "trouble", "verify"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """What a migration did. `backup` is the copy made before, None where nothing changed."""

    before: int
    after: int
    backup: Path | None


def backup(source: Path, target: Path) -> Path:
    """Copy the store `source`, which may be in use, to the new file `target`.

    Raises:
        StoreUnavailable: no such store, or `target` exists or cannot be made.
        StoreDamaged: `source` is not a Tau store.
    """
    place = DatabasePath(source)
    place.prepare(read_only=True)
    place.recognise(SqliteAccess(path=str(source)))
    back_up(source, target)
    return target


def migrate(path: Path, *, scripts: Sequence[str] | None = None) -> Migration:
    """Bring the store at `path` to the current schema, with a backup beside it first.

    Raises:
        StoreVersion: written by a newer Tau.
        StoreUnavailable, StoreDamaged: as when opening it.
    """
    place = DatabasePath(path)
    place.prepare(read_only=True)
    access = SqliteAccess(path=str(path))
    place.recognise(access)
    copies: list[Path] = []
    try:
        with contextlib.closing(access.writer()) as connection:
            newest = schema.CURRENT if scripts is None else len(scripts)
            schema.check_version(schema.version(connection), str(path), newest=newest)
            schema.begin_log(connection, access.prepare)
            before = schema.migrate(
                connection,
                str(path),
                scripts=scripts,
                before=lambda version: copies.append(keep_old(path, version)),
            )
            after = schema.version(connection)
    except apsw.Error as error:
        raise translated(error, str(path), writing=True) from error
    return Migration(before=before, after=after, backup=copies[0] if copies else None)


def keep_old(path: Path, version: int) -> Path:
    """Copy the store at `path` as it is before its schema changes; beside it, never replacing."""
    target = path.with_name(f"{path.name}.v{version}.backup")
    number = 1
    while target.exists():
        number += 1
        target = path.with_name(f"{path.name}.v{version}.backup-{number}")
    back_up(path, target)
    return target

"""SQLite's errors in our words."""

import apsw

from tau.errors import StoreDamaged, StoreError, StoreFull, StoreUnavailable

_DAMAGED = (apsw.CorruptError, apsw.NotADBError, apsw.FormatError, apsw.MismatchError)
_LOCKED = (apsw.BusyError, apsw.LockedError)
_REFUSED = (apsw.CantOpenError, apsw.ReadOnlyError, apsw.PermissionsError, apsw.AuthError)


def translated(error: apsw.Error, where: str, *, writing: bool) -> StoreError:
    """What `error` means for whoever uses the store at `where`."""
    why = str(error)
    if isinstance(error, _DAMAGED):
        return StoreDamaged(
            "the store is damaged",
            where=where,
            why=why,
            fix="check it with `tau db verify` and go back to a backup",
        )
    if isinstance(error, _LOCKED):
        return StoreUnavailable(
            "the store stayed locked for too long",
            where=where,
            why="another process is writing to it and does not finish",
            fix="find it (`tau doctor` lists workers), let it finish or stop it, then try again",
        )
    if isinstance(error, _REFUSED):
        return StoreUnavailable(
            "the store cannot be opened or written",
            where=where,
            why=why,
            fix="check that the file and its folder exist and that you may write to both",
        )
    if isinstance(error, apsw.FullError | apsw.IOError) and writing:
        return StoreFull(
            "the store could not be written",
            where=where,
            why=why,
            fix="make space or repair the disk; what was acknowledged is safe",
        )
    if isinstance(error, apsw.IOError):
        return StoreUnavailable("the store could not be read", where=where, why=why)
    return StoreDamaged(
        "the store does not behave as it should",
        where=where,
        why=f"{type(error).__name__}: {why}",
        fix="check it with `tau db verify`",
    )

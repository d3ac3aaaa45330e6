"""The driver's errors in our words, and what to do about them."""

import asyncpg

from tau.errors import StoreDamaged, StoreError, StoreFull, StoreUnavailable

LOST = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InternalClientError,
)
"""The connection is gone, or may be: what was not committed has not happened."""

BUSY = (
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InvalidCachedStatementError,
)
"""The transaction was given up for others' sake, such as a newer Tau's that changed a table; the
same again may well succeed."""

_FULL = (asyncpg.DiskFullError, asyncpg.OutOfMemoryError)
_REFUSED = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.ReadOnlySQLTransactionError,
)


def unreachable(where: str, error: BaseException) -> StoreUnavailable:
    """No connection, or none that stays."""
    return StoreUnavailable(
        "the store's database cannot be reached",
        where=where,
        why=why(error),
        fix="see that the server runs and lets this machine in",
    )


def translated(error: asyncpg.PostgresError, where: str) -> StoreError:
    """What an answer of the server means for whoever uses the store at `where`."""
    if isinstance(error, _FULL):
        return StoreFull(
            "the store could not be written",
            where=where,
            why=why(error),
            fix="make space at the server; what was acknowledged is safe",
        )
    if isinstance(error, _REFUSED):
        return StoreUnavailable(
            "the store's database refuses this",
            where=where,
            why=why(error),
            fix="see that user, password and database are right and what the user may do",
        )
    if isinstance(error, asyncpg.UndefinedTableError | asyncpg.InvalidSchemaNameError):
        return StoreDamaged("the store is not whole", where=where, why=why(error))
    if isinstance(error, BUSY):
        return StoreUnavailable(
            "the store stayed busy for too long", where=where, why=why(error), fix="try again"
        )
    return StoreDamaged(
        "the store does not behave as it should",
        where=where,
        why=f"{type(error).__name__}: {why(error)}",
    )


def why(error: BaseException) -> str:
    """The first line of what `error` says; the driver never repeats a password there."""
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__

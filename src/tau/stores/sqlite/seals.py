"""Hashes of files beside the store."""

from tau.stores.sqlite.database import SqliteDatabase

_PREFIX = "seal:"


class SqliteSeals:
    """See ports.store.Seals."""

    def __init__(self, database: SqliteDatabase) -> None:
        """Shares the database with the other roles."""
        self._database = database

    async def keep(self, name: str, value: str) -> None:
        key = _PREFIX + name
        await self._database.write(lambda transaction: transaction.run("set_meta", (key, value)))

    async def find(self, name: str) -> str | None:
        key = _PREFIX + name
        return await self._database.read(lambda statements: statements.value("meta", (key,)))

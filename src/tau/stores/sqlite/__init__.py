"""The embedded default: everything in one SQLite file."""

from tau.stores.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]

"""The store in a PostgreSQL schema, for many machines; needs the extra `postgres`."""

from tau.stores.postgres.store import PostgresStore

__all__ = ["PostgresStore"]

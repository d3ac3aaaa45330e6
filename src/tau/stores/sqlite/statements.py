"""The SQL of the store, by name, as it stands in the .sql files beside this module."""

from tau.stores import statements

_PACKAGE = "tau.stores.sqlite"

SQL, ABOUT = statements.load(_PACKAGE)
"""Statement texts by name, and what each is for, in one line."""


def migrations() -> tuple[str, ...]:
    """The scripts that lead from an empty database to the current schema, in order."""
    return statements.migrations(_PACKAGE)

"""Commands about whole stores."""

import click

from tau.cli.surface import debug_option


@click.group("store", short_help="Move a store to another place.")
def store() -> None:
    """Move a store to another place."""


@store.command("copy")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@debug_option
def store_copy(*, source: str, target: str) -> int:
    """Copy a whole store to a new one: a file to PostgreSQL, or back, or to another of its kind.

    Everything is compared by hashes before the copy is kept. Nothing may be in flight.
    """
    from tau.cli.working import copy

    return copy(source, target)

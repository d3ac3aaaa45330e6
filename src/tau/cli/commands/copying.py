"""Commands about whole stores."""

import click

from tau.cli.commands.control import reason_option
from tau.cli.commands.running import who_options
from tau.cli.surface import debug_option


@click.group("store", short_help="Move a store to another place.")
def store() -> None:
    """Move a store to another place."""


@store.command("copy")
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@who_options
@reason_option
@debug_option
def store_copy(
    *,
    source: str,
    target: str,
    principal: str | None,
    rbac_policy: str | None,
    reason: str | None,
) -> int:
    """Copy a whole store to a new one: a file to PostgreSQL, or back, or to another of its kind.

    Everything is compared by hashes before the copy is kept. Nothing may be in flight.
    """
    from tau.cli.lifecycle_control import policy_file
    from tau.cli.lifecycle_control import principal as principal_of
    from tau.cli.working import copy

    return copy(
        source, target, principal=principal_of(principal), policy=policy_file(rbac_policy),
        reason=reason,
    )  # fmt: skip

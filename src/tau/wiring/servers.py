"""Upkeep of stores on a server; their driver is an extra and is loaded when it is needed."""

from collections.abc import Sequence

from tau import plugins
from tau.stores.retention import PrunedRun
from tau.stores.verification import Verification
from tau.wiring.stores import scheme_of


async def verify_server(location: str) -> Verification:
    """See stores.postgres.maintenance.verify; PluginError where the extra is not installed."""
    plugins.load(plugins.STORES, scheme_of(location))
    from tau.stores.postgres.maintenance import verify  # noqa: PLC0415  (an extra)

    return await verify(location)


async def prune_server(
    location: str, *, runs: Sequence[str], before_unix_ms: int | None, dry_run: bool
) -> Sequence[PrunedRun]:
    """See stores.postgres.maintenance.prune."""
    plugins.load(plugins.STORES, scheme_of(location))
    from tau.stores.postgres.maintenance import prune  # noqa: PLC0415  (an extra)

    return await prune(location, runs=runs, before_unix_ms=before_unix_ms, dry_run=dry_run)

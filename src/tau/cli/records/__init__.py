"""Looking into a store: runs, rollouts and resources."""

from tau.cli.records.listing import RolloutListing, list_rollouts, list_versions
from tau.cli.records.runs import list_runs
from tau.cli.records.showing import show_resources, show_rollout

__all__ = [
    "RolloutListing",
    "list_rollouts",
    "list_runs",
    "list_versions",
    "show_resources",
    "show_rollout",
]
